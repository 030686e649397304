"""Who changed what, and when."""

import json

import streamlit as st

from app.components import notice, pager, tables, times
from app.i18n import t
from app.session import Viewer

_PAGE = 100


def draw(viewer: Viewer) -> None:
    """The section."""
    way = pager.cursors("audit", viewer.tenant.id)
    page = viewer.client.audit(limit=_PAGE, cursor=way[-1])
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
        {
            "at": t("column.at"),
            "actor": t("column.actor"),
            "action": t("column.action"),
            "object": t("column.object"),
            "detail": t("column.detail"),
        },
        key=f"settings.audit.{len(way)}",
        widths={"at": 160, "actor": 170, "action": 170, "object": 240, "detail": 420},
    )
    if pager.turned(way, page.next, len(page.entries), key="audit"):
        st.rerun()
