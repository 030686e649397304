"""The dashboard in headless Chromium, watched for everything that should never happen in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, WebSocket, sync_playwright

from app.identity import COOKIE
from tests.conftest import program
from tests.support.product import Product

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SHOWN_MS = 40_000
_RESTED = """() => {
    const app = document.querySelector('[data-testid="stApp"]');
    return app?.dataset.testScriptState === 'notRunning'
        && document.querySelector('.ec-head, .ec-empty, .ec-note') !== null
        && document.querySelector('[data-stale="true"], [data-testid="stSkeleton"]') === null;
}"""
_DOM = """() => {
    const all = [...document.querySelectorAll('*')];
    return {
        pwned: String(window.__pwned),
        handlers: all.flatMap(e => [...e.attributes].filter(a => /^on/i.test(a.name)).map(a => a.name)),
        images: all.filter(e => /^(img|image|iframe|object|embed|video|audio|source)$/i.test(e.tagName))
            .map(e => e.outerHTML.slice(0, 200)),
        scripts: all.filter(e => /^script$/i.test(e.tagName)).map(e => e.src || e.textContent.slice(0, 200)),
        links: all.filter(e => /^a$/i.test(e.tagName)).map(e => [
            e.getAttribute('href') ?? e.getAttribute('xlink:href') ?? '', e.textContent]),
        strong: all.filter(e => /^(b|strong|em|i|h1|h2|h3|h4|li|blockquote|pre|code)$/i.test(e.tagName))
            .map(e => [e.tagName.toLowerCase(), e.textContent]),
        icons: [...document.querySelectorAll('[data-testid="stIconMaterial"]')].map(e => e.textContent),
        formulas: document.querySelectorAll('.katex').length,
        crashed: document.querySelectorAll('[data-testid="stException"]').length,
        fields: [...document.querySelectorAll('input, textarea')].map(e => e.value),
        text: document.body.innerText,
    };
}"""


@dataclass
class Watched:
    """What a browser did besides showing."""

    dialogs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Requests that were not the dashboard's own."""
    frames: list[bytes] = field(default_factory=list)
    """All that the dashboard sent over its web socket."""


@dataclass(frozen=True)
class Shown:
    """A page as it stands."""

    path: str
    dom: dict[str, Any]

    @property
    def text(self) -> str:
        return str(self.dom["text"])


class Browser:
    """A person's browser, signed in to the dashboard."""

    def __init__(self, context: BrowserContext, base: str, folder: Path) -> None:
        self._context = context
        self._base = base
        self._folder = folder
        self.watched = Watched()
        self.page = self._new_page()

    def open(self, path: str, *, picture: str | None = None) -> Shown:
        """Open a path of the dashboard and wait until it rests."""
        self.page.goto(self._base + path, wait_until="commit")
        return self.rested(path, picture=picture)

    def rested(self, path: str = "", *, picture: str | None = None) -> Shown:
        """The page once nothing moves any more."""
        self.page.wait_for_function(_RESTED, timeout=SHOWN_MS)
        if picture is not None:
            self.page.screenshot(path=self._folder / f"{picture}.png", full_page=True)
        return Shown(path, self.page.evaluate(_DOM))

    def sent(self, word: str) -> bool:
        """Whether the dashboard ever sent this word to the browser."""
        return any(word.encode() in frame for frame in self.watched.frames)

    def _new_page(self) -> Page:
        page = self._context.new_page()
        watched, own = self.watched, urlsplit(self._base).netloc

        def socket(opened: WebSocket) -> None:
            opened.on("framereceived", lambda data: watched.frames.append(_bytes(data)))

        def dialog(shown: Any) -> None:
            watched.dialogs.append(shown.message)
            shown.dismiss()

        def request(asked: Any) -> None:
            parts = urlsplit(asked.url)
            if parts.scheme in {"http", "https"} and (parts.netloc != own or re.search(r"/x$", parts.path)):
                watched.foreign.append(asked.url)

        page.on("websocket", socket)
        page.on("dialog", dialog)
        page.on("request", request)
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        return page


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


@contextmanager
def browsers(product: Product, folder: Path, *sessions: str) -> Iterator[tuple[Browser, ...]]:
    """A browser for each session; the dashboard must run."""
    base = product.settings.dashboard_url
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program("browser"), args=ARGUMENTS)
        opened: list[Browser] = []
        for session in sessions:
            context = chromium.new_context(viewport={"width": 1440, "height": 1000}, locale="en-GB")
            context.add_cookies(
                [{"name": COOKIE, "value": session, "url": base, "httpOnly": True, "sameSite": "Lax"}]
            )
            opened.append(Browser(context, base, folder))
        try:
            yield tuple(opened)
        finally:
            chromium.close()
