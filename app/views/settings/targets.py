"""Targets: DingTalk robots by their pasted webhook, their health, a test message."""

import streamlit as st

from app.components import notice, tried
from app.components.markup import build
from app.components.markup import show as show_markup
from app.components.words import words
from app.i18n import t
from app.session import Viewer
from eventcenter.client import Target

_HEALTH = frozenset({"ok", "broken", "throttled"})


def draw(viewer: Viewer) -> None:
    """The section."""
    targets = viewer.client.targets()
    if not targets:
        notice.empty(t("empty.targets"), t("empty.targets_text"))
    tried.show("target.sent")
    for target in targets:
        _line(viewer, target)
    if viewer.may("admin"):
        with st.container(key="ec-panel-target"):
            _new(viewer)


def _line(viewer: Viewer, target: Target) -> None:
    health = target.health if target.health in _HEALTH else "unknown"
    with st.container(key=f"ec-row-{target.id}"):
        switch, text, test, delete = st.columns([0.5, 7, 1.2, 1.2], vertical_alignment="center")
        admin = viewer.may("admin")
        with switch:
            st.toggle(
                t("targets.enabled"),
                value=target.enabled,
                key=f"target.{target.id}.{target.enabled}",
                label_visibility="collapsed",
                disabled=not admin,
                on_change=_switch,
                args=(viewer, target),
            )
        with text:
            show_markup(
                build(
                    '<div class="ec-line ec-is-$health"><b>$name</b> <span class="ec-pill">$state</span>'
                    "<p>DingTalk · $token · $secret · $keyword</p><p>$words</p><p>$remedy</p></div>",
                    health=health,
                    name=target.name,
                    state=t(f"health.{health}"),
                    token=target.token_hint,
                    secret=t("targets.signed") if target.has_secret else t("targets.unsigned"),
                    keyword=t("targets.keyword_is", keyword=target.keyword)
                    if target.keyword
                    else t("targets.no_keyword"),
                    words=words(target.health_text),
                    remedy=words(target.remedy),
                    limit=500,
                )
            )
        if not admin:
            return
        with test:
            if st.button(
                t("targets.test"), key=f"target.test.{target.id}", icon=":material/send:", width="stretch"
            ):
                with notice.catching():
                    st.session_state["target.sent"] = viewer.client.test_target(target.id)
                    st.rerun()
        with delete, st.popover(t("common.delete"), width="stretch"):
            notice.note("warn", t("targets.delete_sure"), target.name)
            if st.button(t("targets.delete_yes"), type="primary", key=f"target.delete.{target.id}"):
                with notice.catching():
                    viewer.client.delete_target(target.id)
                    st.toast(t("common.deleted"))
                    st.rerun()


def _switch(viewer: Viewer, target: Target) -> None:
    with notice.catching():
        viewer.client.change_target(target.id, {"enabled": not target.enabled})


def _new(viewer: Viewer) -> None:
    notice.heading(t("targets.new"))
    made = st.session_state.get("targets.made", 0)
    with st.form(f"new_target.{made}", border=False):
        name = st.text_input(t("column.name"), max_chars=100, placeholder=t("targets.name_hint"))
        webhook = st.text_input(
            t("targets.webhook"),
            max_chars=1000,
            type="password",
            autocomplete="off",
            help=t("targets.webhook_help"),
            placeholder="https://oapi.dingtalk.com/robot/send?access_token=…",
        )
        left, right = st.columns(2)
        with left:
            secret = st.text_input(
                t("targets.secret"),
                max_chars=200,
                type="password",
                autocomplete="off",
                help=t("targets.secret_help"),
            )
        with right:
            keyword = st.text_input(t("targets.keyword"), max_chars=100, help=t("targets.keyword_help"))
        base_url = ""
        if viewer.me.operator:
            base_url = st.text_input(t("targets.base_url"), max_chars=300, help=t("targets.base_url_help"))
        if st.form_submit_button(t("common.create"), type="primary"):
            optional = {"secret": secret, "keyword": keyword, "base_url": base_url}
            given = {field: value.strip() for field, value in optional.items() if value.strip()}
            with notice.catching():
                viewer.client.create_target(
                    {"name": name.strip(), "kind": "dingtalk", "webhook": webhook.strip(), **given}
                )
                # A form of another key begins empty: the credentials do not stay in the page.
                st.session_state["targets.made"] = made + 1
                st.toast(t("common.saved"), icon=":material/check:")
                st.rerun()
