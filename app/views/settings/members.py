"""Members of the tenant, and the one-time link that lets a new one in."""

import streamlit as st

from app.components import notice, tables, times
from app.components.visible import visible
from app.i18n import t
from app.session import Viewer
from eventcenter.client import SignInLink, User

_ROLES = ("viewer", "editor", "admin")


def draw(viewer: Viewer) -> None:
    """The section."""
    users = viewer.client.users()
    tables.draw(
        [
            {
                "name": user.name,
                "role": t(f"role.{user.role}") if user.role in _ROLES else (user.role or ""),
                "created": times.moment(user.created_at, viewer.zone),
            }
            for user in users
        ],
        {"name": t("column.name"), "role": t("column.role"), "created": t("column.created_at")},
        key="settings.members",
        widths={"name": 260, "role": 180, "created": 180},
    )
    new, change = st.columns([1.2, 1], gap="large")
    with new, st.container(key="ec-panel-member"):
        _new(viewer)
    with change, st.container(key="ec-panel-change"):
        _change(viewer, [user for user in users if viewer.me.user is None or user.id != viewer.me.user.id])


def _new(viewer: Viewer) -> None:
    notice.heading(t("members.new"))
    with st.form("new_member", border=False):
        name = st.text_input(t("auth.name"), max_chars=64)
        role = st.selectbox(t("column.role"), _ROLES, format_func=lambda r: t(f"role.{r}.help"))
        if st.form_submit_button(t("members.invite"), type="primary"):
            with notice.catching():
                made = viewer.client.create_user(name.strip(), role)
                if made.link is not None:
                    _link(viewer, made.link)
                else:
                    notice.note("good", t("members.added"), made.name)


def _link(viewer: Viewer, link: SignInLink) -> None:
    """The link is shown to the person who made it, here and once; it is never part of this page's address."""
    notice.note(
        "good", t("members.link"), t("members.link_text", until=times.moment(link.expires_at, viewer.zone))
    )
    st.code(
        link.url or f"{viewer.settings.dashboard_url}/auth/link?code={link.code}",
        language=None,
        wrap_lines=True,
    )


def _change(viewer: Viewer, users: list[User]) -> None:
    notice.heading(t("members.change"))
    names = {user.id: visible(user.name) for user in users}
    if not names:
        notice.caption(t("members.alone"))
        return
    chosen = st.selectbox(
        t("auth.name"),
        list(names),
        format_func=lambda i: names.get(i, i),
        key="settings.member",
        index=None,
        placeholder=t("common.choose"),
    )
    link, remove = st.columns(2)
    with link:
        linked = st.button(
            t("members.new_link"), disabled=chosen is None, key="settings.new_link", width="stretch"
        )
    with remove:
        removed = st.button(
            t("members.remove"), disabled=chosen is None, key="settings.remove", width="stretch"
        )
    notice.caption(t("members.remove_text"))
    if chosen and linked:
        with notice.catching():
            _link(viewer, viewer.client.invite(chosen))
    if chosen and removed:
        with notice.catching():
            viewer.client.remove_user(chosen)
            st.toast(t("common.deleted"))
            st.rerun()
