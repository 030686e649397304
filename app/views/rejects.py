"""Rejects: what was refused, why, and its bytes."""

import streamlit as st

from app import reads, session
from app.components import detail, notice, pager, tables, times
from app.components.markup import show as draw
from app.components.visible import BLOCK, visible_lines
from app.i18n import t
from app.session import Viewer
from eventcenter.client import Reject, RejectDetail

_PAGE = 50
_REASONS = frozenset({"invalid", "id_reused", "unreadable", "poison"})


@session.page
def show(viewer: Viewer) -> None:
    """The page."""
    session.follow_link(viewer)
    head, choice = st.columns([4, 1.4], vertical_alignment="center")
    with head:
        notice.heading(t("rejects.title"), aside=t("rejects.aside"))
    with choice:
        bus = st.selectbox(
            t("filter.bus"),
            reads.bus_names(viewer),
            index=None,
            key="reject_bus",
            bind="query-params",
            placeholder=t("filter.all_buses"),
            label_visibility="collapsed",
        )
    wanted = st.query_params.get("reject", "")
    opened = None
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 19:
        with notice.catching():
            opened = viewer.client.reject(int(wanted))
    if opened is None:
        _table(viewer, bus)
        return
    left, right = st.columns([1.2, 1], gap="medium")
    with left:
        _table(viewer, bus)
    with right:
        _detail(viewer, opened)


def _table(viewer: Viewer, bus: str | None) -> None:
    way = pager.cursors("rejects", f"{viewer.tenant.id}.{bus}")
    page = viewer.client.rejects(bus=bus, limit=_PAGE, cursor=way[-1])
    if not page.rejects:
        notice.empty(t("empty.rejects"), t("empty.rejects_text"))
        return
    tables.draw(
        [_row(one, viewer) for one in page.rejects],
        {
            "time": t("column.received_at"),
            "bus": t("column.bus"),
            "reason": t("column.reason"),
            "error": t("column.error"),
            "size": t("column.size"),
        },
        key="rejects.table",
        pinned="time",
        opens=("reject", [one.id for one in page.rejects]),
        widths={"time": 150, "bus": 90, "reason": 110, "error": 480, "size": 80},
    )
    if pager.turned(way, page.next, len(page.rejects), key="rejects"):
        st.rerun()


def _row(one: Reject, viewer: Viewer) -> dict[str, object]:
    return {
        "time": times.moment(one.received_at, viewer.zone),
        "bus": one.bus,
        "reason": _reason(one.reason),
        "error": one.error,
        "size": one.size,
    }


def _reason(name: str) -> str:
    return t(f"reason.{name}") if name in _REASONS else name


def _detail(viewer: Viewer, one: RejectDetail) -> None:
    with st.container(key="ec-panel-detail"):
        head, close = st.columns([6, 1], vertical_alignment="center")
        with head:
            notice.heading(t("reject.title"), aside=times.precise(one.received_at, viewer.zone))
        with close:
            st.button(
                "",
                icon=":material/close:",
                type="tertiary",
                help=t("event.close"),
                on_click=_close,
                key="close",
            )
        draw(
            detail.key_values(
                [
                    (t("column.bus"), one.bus),
                    (t("column.reason"), _reason(one.reason)),
                    (t("column.error"), one.error),
                    ("Content-Type", one.content_type or "–"),
                    (t("column.size"), times.number(one.size)),
                ]
            )
        )
        notice.heading(t("reject.bytes"))
        text, cut = visible_lines(one.text, BLOCK)
        st.code(text, language=None, wrap_lines=True)
        if cut or one.size > len(one.text.encode()):
            notice.caption(t("reject.cut"))


def _close() -> None:
    st.query_params.pop("reject", None)
