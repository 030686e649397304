"""Deliveries: what was sent where, what the target answered, and how the targets are."""

import json

import streamlit as st

from app import session, urlstate
from app.components import detail, dingtalk, notice, pager, tables, times
from app.components.markup import build, join
from app.components.markup import show as draw
from app.components.visible import visible
from app.components.words import words
from app.i18n import t
from app.session import Viewer
from eventcenter.client import Attempt, Delivery, DeliveryDetail, Target

_STATES = ("all", "pending", "sending", "delivered", "failed", "merged")
_COLOURS = {"pending": "gray", "sending": "blue", "delivered": "green", "failed": "red", "merged": "violet"}
_OUTCOMES = frozenset(
    {
        "ok",
        "retry",
        "rate_limited",
        "quota",
        "broken",
        "rejected",
        "too_long",
        "bug",
        "expired",
        "sealed",
        "interrupted",
        "target_deleted",
        "unknown",
    }
)
_PAGE = 50


@session.page
def show(viewer: Viewer) -> None:
    """The page."""
    session.follow_link(viewer)
    notice.heading(t("deliveries.title"), aside=viewer.tenant.title or viewer.tenant.name)
    targets = viewer.client.targets()
    _health(targets)
    left, right = st.columns([3, 1.2], vertical_alignment="center")
    with left:
        state = urlstate.choice(t("deliveries.state"), "state", _STATES, say=lambda name: t(f"state.{name}"))
    with right:
        target = _target(targets)
    wanted = st.query_params.get("delivery")
    opened = None
    if wanted:
        with notice.catching():
            opened = viewer.client.delivery(wanted)
    if opened is None:
        _table(viewer, state, target, wide=True)
        return
    table, panel = st.columns([1.2, 1], gap="medium")
    with table:
        _table(viewer, state, target, wide=False)
    with panel:
        _detail(viewer, opened)


def _health(targets: tuple[Target, ...]) -> None:
    parts = [
        build(
            '<div class="ec-health ec-is-$health"><header><b>$name</b>'
            '<span class="ec-pill">$state</span></header>'
            "<p>$text</p><p>$remedy</p></div>",
            health=target.health if target.health in {"ok", "broken", "throttled"} else "unknown",
            name=target.name,
            state=t(f"health.{target.health}")
            if target.health in {"ok", "broken", "throttled"}
            else t("health.unknown"),
            text=words(target.health_text),
            remedy=words(target.remedy),
            limit=500,
        )
        for target in targets
    ]
    if parts:
        draw(build('<div class="ec-healths">$parts</div>', parts=join(parts)))


def _target(targets: tuple[Target, ...]) -> str | None:
    names = {target.id: target.name for target in targets}
    return st.selectbox(
        t("deliveries.target"),
        list(names),
        index=None,
        key="target",
        format_func=lambda i: visible(names.get(i, i)),
        placeholder=t("deliveries.all_targets"),
        label_visibility="collapsed",
    )


def _table(viewer: Viewer, state: str, target: str | None, *, wide: bool) -> None:
    way = pager.cursors("deliveries", f"{viewer.tenant.id}.{state}.{target}")
    page = viewer.client.deliveries(
        state=None if state == "all" else state, target=target, limit=_PAGE, cursor=way[-1]
    )
    if not page.deliveries:
        filtered = state != "all" or target is not None
        notice.empty(
            t("empty.deliveries"), t("empty.filtered_text") if filtered else t("empty.deliveries_text")
        )
        return
    columns = {"time": t("column.created_at"), "state": t("column.state"), "rule": t("column.rule")}
    columns |= (
        {"target": t("column.target"), "event": t("column.event")} if wide else {"event": t("column.event")}
    )
    columns |= {"attempts": t("column.attempts"), "answer": t("column.answer")} if wide else {}
    tables.draw(
        [_row(one, viewer) for one in page.deliveries],
        columns,
        key="deliveries.table",
        pinned="time",
        opens=("delivery", [one.id for one in page.deliveries]),
        pills={"state": {t(f"state.{name}"): colour for name, colour in _COLOURS.items()}},
        widths={
            "time": 140,
            "state": 90,
            "rule": 180,
            "target": 150,
            "event": 240,
            "attempts": 70,
            "answer": 330,
        },
    )
    if pager.turned(way, page.next, len(page.deliveries), key="deliveries"):
        st.rerun()


def _row(one: Delivery, viewer: Viewer) -> dict[str, object]:
    last = one.last
    answer = (
        ""
        if last is None
        else " · ".join(
            part for part in (words(last.text) or _outcome(last.outcome), _latency(last.latency_ms)) if part
        )
    )
    return {
        "time": times.moment(one.created_at, viewer.zone),
        "state": t(f"state.{one.state}") if one.state in _STATES else one.state,
        "rule": one.rule.name
        if one.rule
        else t(f"kind.{one.kind}")
        if one.kind in {"test", "digest"}
        else "",
        "target": one.target.name if one.target else "",
        "event": f"{one.event.type} · {one.event.id}" if one.event else t(f"kind.{one.kind}"),
        "attempts": one.attempts,
        "answer": answer,
    }


def _outcome(name: str | None) -> str:
    return t(f"outcome.{name}") if name in _OUTCOMES else (name or "")


def _latency(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds:.0f} ms"


def _detail(viewer: Viewer, one: DeliveryDetail) -> None:
    with st.container(key="ec-panel-detail"):
        head, close = st.columns([6, 1], vertical_alignment="center")
        with head:
            notice.heading(
                t("delivery.title"), aside=t(f"state.{one.state}") if one.state in _STATES else one.state
            )
        with close:
            st.button(
                "",
                icon=":material/close:",
                type="tertiary",
                help=t("event.close"),
                on_click=_close,
                key="close",
            )
        rows = [
            (t("column.created_at"), times.precise(one.created_at, viewer.zone)),
            (t("column.target"), one.target.name if one.target else "–"),
            (t("column.rule"), one.rule.name if one.rule else "–"),
        ]
        if one.reason:
            rows.append((t("column.reason"), _outcome(one.reason)))
        if one.merged:
            rows.append((t("delivery.merged"), times.number(one.merged)))
        if one.event:
            rows.append((t("column.event"), f"{one.event.type} · {one.event.source} · {one.event.id}"))
        draw(detail.key_values(rows))
        _links(one)
        _message(one.payload)
        for n, attempt in enumerate(one.attempts, 1):
            _attempt(viewer, n, attempt)


def _links(one: DeliveryDetail) -> None:
    pages = st.session_state["pages"]
    first, second = st.columns(2)
    with first:
        if one.event and st.button(t("delivery.open_event"), icon=":material/bolt:", width="stretch"):
            st.switch_page(pages["events"], query_params={"event": str(one.event.seq)})
    with second:
        if one.rule and st.button(t("delivery.open_rule"), icon=":material/rule:", width="stretch"):
            st.switch_page(pages["rules"], query_params={"rule": one.rule.id})


def _message(payload: object) -> None:
    """The message as the chat shows it, or the event as JSON, where the payload holds one."""
    found = payload.get("markdown", payload) if isinstance(payload, dict) else None
    if isinstance(found, dict) and isinstance(found.get("text"), str):
        if found.get("form") == "event":
            detail.block(found["text"])
            return
        dingtalk.message(str(found.get("title", "")), found["text"])


def _attempt(viewer: Viewer, n: int, attempt: Attempt) -> None:
    notice.heading(t("delivery.attempt", n=n), aside=times.precise(attempt.started_at, viewer.zone))
    rows = [
        (t("delivery.outcome"), words(attempt.text) or _outcome(attempt.outcome) or "–"),
        ("errcode", "–" if attempt.errcode is None else str(attempt.errcode)),
        (t("delivery.latency"), _latency(attempt.latency_ms) or "–"),
    ]
    if not _is_message(attempt.request):
        rows.insert(1, (t("delivery.status"), f"HTTP {attempt.status}" if attempt.status else "–"))
    draw(detail.key_values(rows))
    notice.caption(t("delivery.request"))
    detail.block(_as_text(attempt.request))
    notice.caption(t("delivery.response"))
    detail.block(attempt.response or "–")


def _is_message(request: object) -> bool:
    """Whether the attempt sent a RocketMQ message, which has no HTTP status."""
    return isinstance(request, dict) and request.get("kind") == "rocketmq"


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _close() -> None:
    st.query_params.pop("delivery", None)
