"""The pages before the dashboard: sign-in, one-time link, sign-out, and 'the server is away'. Plain HTML."""

from html import escape
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse

from app.i18n import LANGUAGES, NAMES, choose, text
from eventcenter.errors import EventCenterError

_CSS = (Path(__file__).parent / "auth.css").read_text("utf-8")
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}
_ICON = "data:image/svg+xml," + quote((Path(__file__).parent / "mark.svg").read_text("utf-8"))
_MARK = (
    '<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8"/>'
    '<path d="M9 21V11m7 10V7m7 14v-7"/></svg>'
)


def sign_in(
    language: str, *, form: str, target: str, name: str = "", problem: str = "", status: int = 200
) -> HTMLResponse:
    """The password form. `problem` and `name` are shown escaped."""
    say = _Say(language)
    fields = (
        f'<label for="name">{say("auth.name")}</label>'
        f'<input id="name" name="name" value="{escape(name)}" autocomplete="username" required'
        f' maxlength="200" {"" if name else "autofocus"}>'
        f'<label for="password">{say("auth.password")}</label>'
        f'<input id="password" name="password" type="password" autocomplete="current-password" required'
        f' maxlength="1000" {"autofocus" if name else ""}>'
    )
    body = (
        f"{_problem(problem)}"
        f'<form method="post" action="/auth/sign-in">{_hidden(form, target)}{fields}'
        f'<button type="submit">{say("auth.sign_in")}</button></form>'
        f'<p class="hint">{say("auth.link_hint")}</p>'
    )
    return _page(
        language, say("auth.title"), body, switch=_switch(language, "/auth/sign-in", target), status=status
    )


def link(
    language: str, *, form: str, code: str, target: str, problem: str = "", status: int = 200
) -> HTMLResponse:
    """The page of a one-time link: its button spends the code, opening the page does not."""
    say = _Say(language)
    if problem:
        body = f'{_problem(problem)}<a class="button" href="/auth/sign-in">{say("auth.to_sign_in")}</a>'
    else:
        body = (
            f"<p>{say('auth.link_text')}</p>"
            f'<form method="post" action="/auth/link">{_hidden(form, target)}'
            f'<input type="hidden" name="code" value="{escape(code)}">'
            f'<button type="submit" autofocus>{say("auth.link_button")}</button></form>'
        )
    return _page(language, say("auth.link_title"), body, status=status)


def sign_out(language: str, *, form: str) -> HTMLResponse:
    """Asks for the click that ends the session."""
    say = _Say(language)
    body = (
        f"<p>{say('auth.sign_out_text')}</p>"
        f'<form method="post" action="/auth/sign-out">{_hidden(form, "/")}'
        f'<button type="submit" autofocus>{say("auth.sign_out")}</button></form>'
        f'<a class="quiet" href="/">{say("auth.stay")}</a>'
    )
    return _page(language, say("auth.sign_out"), body)


def refused(language: str, *, status: int = 403) -> HTMLResponse:
    """A form without its own token: stale or forged."""
    say = _Say(language)
    body = (
        f"{_problem(text(language, 'auth.stale'))}"
        f'<a class="button" href="/auth/sign-in">{say("auth.to_sign_in")}</a>'
    )
    return _page(language, say("auth.title"), body, status=status)


def unavailable(accept_language: str | None, error: EventCenterError) -> HTMLResponse:
    """The API does not answer: what is wrong and what to do."""
    language = choose(accept_language)
    say = _Say(language)
    remedy = f"<p>{escape(error.remedy)}</p>" if error.remedy else ""
    body = f'{_problem(error.detail)}{remedy}<a class="button" href="/">{say("common.try_again")}</a>'
    return _page(language, say("auth.unavailable"), body, status=503)


class _Say:
    """A text of the catalogue, escaped."""

    def __init__(self, language: str) -> None:
        self._language = language

    def __call__(self, key: str) -> str:
        return escape(text(self._language, key))


def _hidden(form: str, target: str) -> str:
    return (
        f'<input type="hidden" name="form" value="{escape(form)}">'
        f'<input type="hidden" name="next" value="{escape(target)}">'
    )


def _problem(problem: str) -> str:
    return f'<p class="problem" role="alert">{escape(problem[:500])}</p>' if problem else ""


def _switch(language: str, path: str, target: str) -> str:
    links = [
        f'<a lang="{other}" href="{escape(path + "?" + urlencode({"language": other, "next": target}))}">'
        f"{escape(NAMES[other])}</a>"
        for other in LANGUAGES
        if other != language
    ]
    return f'<nav class="switch">{"".join(links)}</nav>'


def _page(language: str, title: str, body: str, *, switch: str = "", status: int = 200) -> HTMLResponse:
    name = escape(text(language, "product"))
    html = (
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else language}"><head>'
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="color-scheme" content="light dark">'
        f'<link rel="icon" href="{_ICON}"><title>{title} · {name}</title>'
        f"<style>{_CSS}</style></head><body>{switch}<main><header>{_MARK}<span>{name}</span></header>"
        f"<h1>{title}</h1>{body}</main></body></html>"
    )
    return HTMLResponse(html, status, _HEADERS)
