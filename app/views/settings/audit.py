"""Who changed what, and when."""

import json

import streamlit as st

from app.components import notice, tables, times
from app.i18n import t
from app.session import Viewer

_PAGE = 100


def draw(viewer: Viewer) -> None:
    """The section."""
    cursors: list[str | None] = st.session_state.setdefault("audit.cursors", [None])
    page = viewer.client.audit(limit=_PAGE, cursor=cursors[-1])
    if not page.entries:
        notice.empty(t("empty.audit"), t("empty.audit_text"))
        return
    tables.draw(
        [
            {
                "at": times.moment(entry.at, viewer.zone),
                "actor": entry.actor,
                "action": entry.action,
                "object": entry.object,
                "detail": json.dumps(entry.detail, ensure_ascii=False) if entry.detail else "",
            }
            for entry in page.entries
        ],
        {"at": t("column.at"), "actor": t("column.actor"), "action": t("column.action"), "object": t("column.object"),
         "detail": t("column.detail")},
        key=f"settings.audit.{len(cursors)}", widths={"at": 160, "actor": 170, "action": 170, "object": 240, "detail": 420},
    )
    back, forth, _ = st.columns([1, 1, 6])
    with back:
        if st.button(t("page.previous"), icon=":material/chevron_left:", disabled=len(cursors) == 1, width="stretch"):
            cursors.pop()
            st.rerun()
    with forth:
        if st.button(t("page.next"), icon=":material/chevron_right:", icon_position="right",
                     disabled=page.next is None, width="stretch"):
            cursors.append(page.next)
            st.rerun()
