"""How a test message went, in words, until the next one."""

import streamlit as st

from app.components import notice
from app.components.words import words
from app.i18n import t
from eventcenter.client import Sent


def show(key: str) -> None:
    """Draw the answer that the session keeps under `key`, once."""
    sent: Sent | None = st.session_state.pop(key, None)
    if sent is None:
        return
    if sent.state == "delivered":
        notice.note("good", t("test.delivered"), words(sent.text))
    elif sent.state in {"pending", "sending"}:
        notice.note("info", t("test.pending"), words(sent.text) or t("test.pending_text"))
    else:
        notice.note(
            "bad", t("test.failed"), " ".join(part for part in (words(sent.text), words(sent.remedy)) if part)
        )
