"""Who looks at this run: resolved against the API every time, before anything is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn
from urllib.parse import quote, urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from app import i18n
from app.components import notice
from app.components.markup import build, show
from app.context import context
from app.i18n import t
from app.identity import COOKIE, IDENTITIES
from eventcenter.client import Client, Me, Tenant
from eventcenter.errors import EventCenterError, Unauthenticated
from eventcenter.settings import Settings

PATHS = ("events", "inputs", "rules", "deliveries", "rejects", "settings")
"""The pages' paths; the overview is at the root."""

_RANK = {"viewer": 1, "editor": 2, "admin": 3}


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """A signed-in person acting in one tenant."""

    me: Me
    tenant: Tenant
    zone: ZoneInfo
    client: Client
    settings: Settings

    def may(self, role: str) -> bool:
        """Whether the role here is at least `role`. The API decides; this only hides what it would refuse."""
        return _RANK.get(self.me.role or "", 0) >= _RANK[role]

    def now(self) -> datetime:
        """The present moment in UTC."""
        return self.client.now()


def read_cookie() -> str | None:
    """The session's credential as the browser sent it when it connected."""
    return st.context.cookies.get(COOKIE)


def current_viewer() -> Viewer:
    """Who is there and in which tenant. Otherwise draws why not, and ends the run."""
    i18n.use(i18n.choose(st.context.locale))
    credential = read_cookie()
    try:
        me = IDENTITIES.resolve(context().client, credential)
    except EventCenterError as error:
        _bare()
        notice.problem(error)
        st.stop()
    if me is None or credential is None:
        _signed_out()
    if me.kind != "session" or me.user is None:
        _signed_out()
    i18n.use(i18n.choose(me.user.language, st.context.locale))
    client = context().client.with_credential(credential)
    if me.tenant is None:
        _choose_tenant(me, client)
    return Viewer(
        me=me,
        tenant=me.tenant,
        zone=_zone(me.tenant.time_zone),
        client=client,
        settings=context().settings,
    )


def page(draw: Callable[[Viewer], None]) -> Callable[[], None]:
    """A page or fragment: asks who is there itself, and shows errors of the API as they are."""

    def drawn() -> None:
        viewer = current_viewer()
        try:
            draw(viewer)
        except Unauthenticated:
            forget()
            st.rerun(scope="app")
        except EventCenterError as error:
            notice.problem(error)

    drawn.__name__ = draw.__name__
    drawn.__qualname__ = draw.__qualname__
    drawn.__module__ = draw.__module__
    return drawn


def forget() -> None:
    """Ask the API anew who this is: after sign-out, a new language or a change of tenant."""
    credential = read_cookie()
    if credential:
        IDENTITIES.forget(credential)


def switch_tenant(client: Client, name: str) -> None:
    """Act in another tenant from now on; nothing of the former one's state is kept."""
    client.act_in(name)
    forget()
    for key in list(st.session_state):
        del st.session_state[key]


def follow_link(viewer: Viewer) -> None:
    """A link from a message names its tenant: offer the change by a click, or say that there is no access."""
    wanted = st.query_params.get("tenant")
    if not wanted or wanted == viewer.tenant.name:
        return
    known = next((one for one in viewer.me.tenants if one.name == wanted), None)
    if known is None:
        notice.note("warn", t("tenant.no_access"), t("tenant.no_access_text", name=wanted[:63]))
        if st.button(t("tenant.stay"), type="primary"):
            del st.query_params["tenant"]
            for name in ("event", "input", "rule", "delivery"):
                st.query_params.pop(name, None)
            st.rerun()
        st.stop()
    notice.note("info", t("tenant.other"), t("tenant.other_text", name=known.title or known.name))
    if st.button(t("tenant.switch"), type="primary", key="follow_link"):
        with notice.catching():
            switch_tenant(viewer.client, known.name)
            st.rerun()
    st.stop()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _bare() -> None:
    """Pages without content or menu: a former run's sidebar would stay, and a deep link would be lost."""
    pages = [st.Page(_nothing, title=t("product"), default=True)]
    pages += [st.Page(_nothing, title=t("product"), url_path=path) for path in PATHS]
    st.navigation(pages, position="hidden")


def _nothing() -> None:
    """The page of a run without a session."""


def _signed_out() -> NoReturn:
    _bare()
    show(
        build(
            '<div class="ec-empty"><b>$title</b><p>$text</p>'
            '<p><a class="ec-button" href="/auth/sign-in?next=$next" target="_self">$button</a></p></div>',
            next=quote(_here(), safe=""),
            limit=2000,
            title=t("session.ended"),
            text=t("session.ended_text"),
            button=t("auth.to_sign_in"),
        )
    )
    st.stop()


def _here() -> str:
    """The path and query that the browser shows."""
    query = urlencode(st.query_params.to_dict(), doseq=True)
    return (urlsplit(st.context.url or "/").path or "/") + (f"?{query}" if query else "")


def _choose_tenant(me: Me, client: Client) -> NoReturn:
    _bare()
    if not me.tenants:
        notice.empty(t("tenant.none"), t("tenant.none_text"))
        st.stop()
    notice.heading(t("tenant.choose"))
    chosen = st.selectbox(
        t("tenant.tenant"), [one.name for one in me.tenants], key="choose_tenant", width=360
    )
    if st.button(t("tenant.open"), type="primary"):
        with notice.catching():
            switch_tenant(client, str(chosen))
            st.rerun()
    st.stop()
