"""Buses: what there is, a new one, and the curl line that posts to each."""

import streamlit as st

from app.components import notice, shell, tables, times
from app.i18n import t
from app.session import Viewer


def draw(viewer: Viewer) -> None:
    """The section."""
    buses = viewer.client.buses()
    tables.draw(
        [
            {
                "name": bus.name,
                "description": bus.description,
                "events": bus.events,
                "last": times.moment(bus.last_received_at, viewer.zone),
                "created": times.moment(bus.created_at, viewer.zone),
            }
            for bus in buses
        ],
        {
            "name": t("column.bus"),
            "description": t("column.description"),
            "events": t("column.events"),
            "last": t("column.last_event"),
            "created": t("column.created_at"),
        },
        key="settings.buses",
        widths={"name": 180, "description": 380, "events": 110, "last": 160, "created": 160},
    )
    send, new = st.columns([1.4, 1], gap="large")
    with send, st.container(key="ec-panel-send"):
        notice.heading(t("buses.send"))
        names = [bus.name for bus in buses]
        if names:
            chosen = st.selectbox(
                t("filter.bus"),
                names,
                key="settings.curl_bus",
                index=names.index("default") if "default" in names else 0,
            )
            notice.caption(t("empty.events_text", variable=shell.TOKEN_VARIABLE))
            st.code(
                shell.hello_line(viewer.settings.ingest_url, str(chosen)), language="bash", wrap_lines=True
            )
    if not viewer.may("admin"):
        return
    with new:
        with st.container(key="ec-panel-bus"):
            _new(viewer)
        with st.container(key="ec-panel-drop"):
            _delete(viewer, [bus.name for bus in buses if bus.name != "default"])


def _new(viewer: Viewer) -> None:
    notice.heading(t("buses.new"))
    made = st.session_state.get("buses.made", 0)
    with st.form(f"new_bus.{made}", border=False):
        name = st.text_input(t("column.bus"), max_chars=127, help=t("buses.name_rule"))
        description = st.text_input(t("column.description"), max_chars=1000)
        if st.form_submit_button(t("common.create"), type="primary"):
            with notice.catching():
                viewer.client.create_bus(name.strip(), description.strip())
                st.session_state["buses.made"] = made + 1
                st.cache_data.clear()
                st.toast(t("common.saved"), icon=":material/check:")
                st.rerun()


def _delete(viewer: Viewer, names: list[str]) -> None:
    if not names:
        return
    with st.expander(t("buses.delete")):
        chosen = st.selectbox(t("filter.bus"), names, key="settings.delete_bus")
        typed = st.text_input(t("buses.confirm"), key="settings.delete_confirm", max_chars=127)
        notice.caption(t("buses.confirm_text"))
        if st.button(t("common.delete"), disabled=typed != chosen, key="settings.delete_button"):
            with notice.catching():
                viewer.client.delete_bus(str(chosen), confirm=typed)
                st.cache_data.clear()
                st.toast(t("common.deleted"))
                st.rerun()
