"""The person's own password."""

import streamlit as st

from app.components import notice
from app.i18n import t
from app.session import Viewer


def draw(viewer: Viewer) -> None:
    """The section."""
    with st.container(key="ec-panel-account"):
        notice.heading(t("account.password"), aside=viewer.me.user.name if viewer.me.user else "")
        with st.form("password", border=False, clear_on_submit=True, width=420):
            current = st.text_input(
                t("account.current"),
                type="password",
                autocomplete="current-password",
                max_chars=256,
                help=t("account.current_help"),
            )
            new = st.text_input(t("account.new"), type="password", autocomplete="new-password", max_chars=256)
            again = st.text_input(
                t("account.again"), type="password", autocomplete="new-password", max_chars=256
            )
            if st.form_submit_button(t("account.change"), type="primary"):
                if new != again:
                    notice.note("warn", t("account.differ"))
                    return
                with notice.catching():
                    viewer.client.set_password(new, current or None)
                    notice.note("good", t("account.changed"))
