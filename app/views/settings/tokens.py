"""Tokens: made once, shown once, revoked at any time."""

from datetime import timedelta

import streamlit as st

from app.components import notice, shell, tables, times
from app.components.visible import visible
from app.i18n import t
from app.session import Viewer
from eventcenter.client import Token

_ROLES = ("writer", "viewer", "editor", "admin")
_DAYS = (0, 30, 90, 365)


def draw(viewer: Viewer) -> None:
    """The section."""
    tokens = viewer.client.tokens()
    tables.draw(
        [
            {
                "name": token.name,
                "role": t(f"role.{token.role}") if token.role in _ROLES else token.role,
                "prefix": f"{token.prefix}…",
                "state": _state(viewer, token),
                "used": times.moment(token.last_used_at, viewer.zone),
                "expires": times.moment(token.expires_at, viewer.zone),
                "created": times.moment(token.created_at, viewer.zone),
            }
            for token in tokens
        ],
        {
            "name": t("column.name"),
            "role": t("column.role"),
            "prefix": t("column.prefix"),
            "state": t("column.state"),
            "used": t("column.used"),
            "expires": t("column.expires"),
            "created": t("column.created_at"),
        },
        key="settings.tokens",
        pills={"state": {t("token.active"): "green", t("token.expired"): "gray", t("token.revoked"): "red"}},
        widths={
            "name": 220,
            "role": 130,
            "prefix": 130,
            "state": 100,
            "used": 160,
            "expires": 160,
            "created": 160,
        },
    )
    new, revoke = st.columns([1.4, 1], gap="large")
    with new, st.container(key="ec-panel-token"):
        _new(viewer)
    with revoke, st.container(key="ec-panel-revoke"):
        _revoke(viewer, [token for token in tokens if token.revoked_at is None])


def _state(viewer: Viewer, token: Token) -> str:
    if token.revoked_at is not None:
        return t("token.revoked")
    if token.expires_at is not None and token.expires_at <= viewer.now():
        return t("token.expired")
    return t("token.active")


def _new(viewer: Viewer) -> None:
    notice.heading(t("token.new"))
    with st.form("new_token", border=False):
        name = st.text_input(t("column.name"), max_chars=200, placeholder=t("token.name_hint"))
        role = st.selectbox(t("column.role"), _ROLES, format_func=lambda r: t(f"role.{r}.help"))
        days = st.selectbox(
            t("column.expires"), _DAYS, format_func=lambda d: t("span.days", n=d) if d else t("token.never")
        )
        if st.form_submit_button(t("common.create"), type="primary"):
            with notice.catching():
                expires = viewer.now() + timedelta(days=days) if days else None
                made = viewer.client.create_token(name.strip(), role, expires)
                notice.note("good", t("token.made"), t("token.once"))
                st.code(shell.export_line(made.token), language="bash", wrap_lines=True)


def _revoke(viewer: Viewer, tokens: list[Token]) -> None:
    notice.heading(t("token.revoke"))
    names = {token.id: visible(f"{token.name} · {token.prefix}…") for token in tokens}
    if not names:
        notice.caption(t("token.none"))
        return
    chosen = st.selectbox(
        t("column.name"),
        list(names),
        format_func=lambda i: names.get(i, i),
        key="settings.revoke",
        index=None,
        placeholder=t("common.choose"),
    )
    notice.caption(t("token.revoke_text"))
    if st.button(t("token.revoke"), disabled=chosen is None, key="settings.revoke_button") and chosen:
        with notice.catching():
            viewer.client.revoke_token(chosen)
            st.toast(t("token.revoked"))
            st.rerun()
