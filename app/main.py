"""The entry script: who is there, which pages there are, and the one that was asked for."""

from pathlib import Path

import streamlit as st

from app import session
from app.components import notice
from app.components.frame import sidebar, style
from app.i18n import t
from app.views import deliveries, events, overview, rejects, rules
from app.views.inputs import page as inputs
from app.views.settings import page as settings

_MARK = str(Path(__file__).parent / "mark.svg")


def main() -> None:
    """One run."""
    st.set_page_config(page_title="Event Center", page_icon=_MARK, layout="wide")
    style()
    viewer = session.current_viewer()
    pages = {
        "overview": st.Page(
            overview.show, title=t("nav.overview"), icon=":material/monitoring:", default=True
        ),
        "events": st.Page(events.show, title=t("nav.events"), icon=":material/bolt:", url_path="events"),
        "inputs": st.Page(inputs.show, title=t("nav.inputs"), icon=":material/input:", url_path="inputs"),
        "rules": st.Page(rules.show, title=t("nav.rules"), icon=":material/rule:", url_path="rules"),
        "deliveries": st.Page(
            deliveries.show, title=t("nav.deliveries"), icon=":material/outgoing_mail:", url_path="deliveries"
        ),
        "rejects": st.Page(rejects.show, title=t("nav.rejects"), icon=":material/block:", url_path="rejects"),
        "settings": st.Page(
            settings.show, title=t("nav.settings"), icon=":material/settings:", url_path="settings"
        ),
    }
    st.session_state["pages"] = pages
    st.logo(_MARK, size="large")
    chosen = st.navigation(list(pages.values()), expanded=True)
    with st.sidebar, notice.catching():
        sidebar(viewer)
    chosen.run()


main()
