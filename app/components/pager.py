"""Next and previous page by the API's cursors, which lead forward only: the way back is remembered."""

import streamlit as st

from app.components import notice
from app.i18n import t


def cursors(key: str, signature: str) -> list[str | None]:
    """The cursors up to the page in view, the last being its own; a new filter begins anew."""
    state = st.session_state
    if state.get(f"{key}.signature") != signature:
        state[f"{key}.signature"] = signature
        state[f"{key}.cursors"] = [None]
    found: list[str | None] = state[f"{key}.cursors"]
    return found


def turned(way: list[str | None], following: str | None, shown: int, *, key: str) -> bool:
    """Draw the buttons; True if a page was turned, `way` then being that of the new page."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}.pager"):
        back = st.button(
            t("page.previous"),
            icon=":material/chevron_left:",
            disabled=len(way) == 1,
            key=f"{key}.back",
            width="content",
        )
        forth = st.button(
            t("page.next"),
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=following is None,
            key=f"{key}.forth",
            width="content",
        )
        notice.caption(t("page.shown", n=shown))
    if back and len(way) > 1:
        way.pop()
    elif forth and following is not None:
        way.append(following)
    return back or forth
