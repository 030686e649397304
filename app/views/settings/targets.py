"""Targets: DingTalk robots by their pasted webhook, topics of RocketMQ, their health, a test message."""

import streamlit as st

from app.components import notice, tried
from app.components.markup import build
from app.components.markup import show as show_markup
from app.components.words import words
from app.i18n import t
from app.session import Viewer
from eventcenter.client import Target

_KINDS = {"dingtalk": "DingTalk", "rocketmq": "RocketMQ"}
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
                    "<p>$about</p><p>$words</p><p>$remedy</p></div>",
                    health=health,
                    name=target.name,
                    state=t(f"health.{health}"),
                    about=_about(target),
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


def _about(target: Target) -> str:
    """What the target is, on a line; never a secret."""
    there = target.rocketmq
    if there is None:
        return " · ".join(
            (
                "DingTalk",
                target.token_hint,
                t("targets.signed") if target.has_secret else t("targets.unsigned"),
                t("targets.keyword_is", keyword=target.keyword)
                if target.keyword
                else t("targets.no_keyword"),
            )
        )
    parts = ["RocketMQ", t("targets.topic_is", topic=there.topic), there.addresses]
    if there.namespace:
        parts.append(t("targets.namespace_is", namespace=there.namespace))
    parts.append(
        t("targets.account_is", account=there.access_key) if there.access_key else t("targets.no_account")
    )
    if there.tls:
        parts.append("TLS")
    return " · ".join(parts)


def _switch(viewer: Viewer, target: Target) -> None:
    with notice.catching():
        viewer.client.change_target(target.id, {"enabled": not target.enabled})


def _new(viewer: Viewer) -> None:
    notice.heading(t("targets.new"))
    kind = st.segmented_control(
        t("targets.kind"),
        list(_KINDS),
        default="dingtalk",
        required=True,
        format_func=lambda each: _KINDS[each],
        key="targets.kind",
        label_visibility="collapsed",
    )
    made = st.session_state.get("targets.made", 0)
    with st.form(f"new_target.{kind}.{made}", border=False):
        name = st.text_input(t("column.name"), max_chars=100, placeholder=t(f"targets.name_hint_{kind}"))
        given = _topic() if kind == "rocketmq" else _robot(viewer)
        if st.form_submit_button(t("common.create"), type="primary"):
            with notice.catching():
                viewer.client.create_target({"name": name.strip(), "kind": kind, **given})
                # A form of another key begins empty: the credentials do not stay in the page.
                st.session_state["targets.made"] = made + 1
                st.toast(t("common.saved"), icon=":material/check:")
                st.rerun()


def _robot(viewer: Viewer) -> dict[str, object]:
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
    return {"webhook": webhook.strip(), **_filled(secret=secret, keyword=keyword, base_url=base_url)}


def _topic() -> dict[str, object]:
    notice.caption(t("targets.topic_text"))
    left, right = st.columns(2)
    with left:
        addresses = st.text_input(
            t("targets.addresses"),
            max_chars=1000,
            help=t("targets.addresses_help"),
            placeholder="proxy.example.com:8081",
        )
    with right:
        topic = st.text_input(t("targets.topic"), max_chars=127, help=t("targets.topic_help"))
    left, right = st.columns(2)
    with left:
        access_key = st.text_input(t("targets.access_key"), max_chars=200, autocomplete="off")
    with right:
        secret_key = st.text_input(
            t("targets.secret_key"),
            max_chars=500,
            type="password",
            autocomplete="off",
            help=t("targets.secret_key_help"),
        )
    namespace = st.text_input(t("targets.namespace"), max_chars=200)
    tls = st.toggle(t("targets.tls"), help=t("targets.tls_help"))
    with st.expander(t("targets.tls_more")):
        tls_ca = st.text_area(
            t("targets.tls_ca"), max_chars=100_000, placeholder="-----BEGIN CERTIFICATE-----"
        )
        tls_name = st.text_input(t("targets.tls_name"), max_chars=200)
    return {
        "rocketmq": {
            "addresses": addresses.strip(),
            "topic": topic.strip(),
            "tls": tls,
            **_filled(
                access_key=access_key,
                secret_key=secret_key,
                namespace=namespace,
                tls_ca=tls_ca,
                tls_name=tls_name,
            ),
        }
    }


def _filled(**given: str | None) -> dict[str, object]:
    """What was filled in."""
    return {name: value.strip() for name, value in given.items() if value and value.strip()}
