"""One input: how it is at this moment, and what can be done with it."""

from datetime import UTC, timedelta

import streamlit as st

from app import session
from app.components import detail, notice
from app.components.markup import show as show_markup
from app.i18n import t
from app.session import Viewer
from app.views.inputs import form, state
from eventcenter.client import Input


def draw(viewer: Viewer, input_id: str, *, live_s: float) -> None:
    """The page of one input."""
    st.button(t("inputs.all"), icon=":material/arrow_back:", type="tertiary", on_click=back)
    found = viewer.client.input(input_id)
    head, live, *actions = st.columns([5, 1, 1, 1, 1], vertical_alignment="center")
    with head:
        notice.heading(found.name, aside=t("inputs.aside", group=found.group, addresses=found.addresses))
    with live:
        st.toggle(t("overview.live"), value=True, key="live", bind="query-params")
    if viewer.may("admin"):
        _actions(viewer, found, actions)

    def body(again: Viewer) -> None:
        _body(again, input_id)

    st.fragment(session.page(body), run_every=live_s if st.session_state.live else None)()
    if viewer.may("admin"):
        with st.container(key="ec-panel-backfill"):
            _backfill(viewer, found)
    with st.container(key="ec-panel-settings"):
        notice.heading(t("inputs.settings"))
        show_markup(detail.key_values(form.told(found)))


def back() -> None:
    """Back to all inputs."""
    for name in ("input", "edit"):
        st.query_params.pop(name, None)


def _actions(viewer: Viewer, found: Input, columns: list[st.delta_generator.DeltaGenerator]) -> None:
    edit, pause, delete = columns
    with edit:
        st.button(t("common.edit"), icon=":material/edit:", on_click=_edit, width="stretch", key="edit_input")
    with pause:
        st.button(
            t("inputs.pause") if found.enabled else t("inputs.resume"),
            icon=":material/pause:" if found.enabled else ":material/play_arrow:",
            on_click=_switch,
            args=(viewer, found),
            width="stretch",
            key="pause_input",
        )
    with delete, st.popover(t("common.delete"), icon=":material/delete:", width="stretch"):
        notice.note("warn", t("inputs.delete_sure"), t("inputs.delete_text", name=found.name))
        if st.button(t("inputs.delete_yes"), type="primary", key="delete_input"):
            with notice.catching():
                viewer.client.delete_input(found.id)
                st.toast(t("common.deleted"))
                back()
                st.rerun()


def _edit() -> None:
    st.query_params["edit"] = "1"


def _switch(viewer: Viewer, found: Input) -> None:
    with notice.catching():
        viewer.client.change_input(found.id, {"enabled": not found.enabled})


def _body(viewer: Viewer, input_id: str) -> None:
    found = viewer.client.input(input_id)
    state.health(found.status)
    show_markup(state.figures(found.status, viewer.zone, brief=False))
    with st.container(key="ec-panel-topics"):
        notice.heading(t("inputs.topics"), aside=t("inputs.topics_aside"))
        state.topics(found, viewer.zone)
        notice.heading(t("inputs.gaps"), aside=t("inputs.gaps_aside"))
        state.gaps(found)
        if found.queues:
            with st.expander(t("inputs.queues")):
                state.queues(found, viewer.zone)
    with st.container(key="ec-panel-fetches"):
        notice.heading(t("inputs.fetches"), aside=t("inputs.fetches_aside"))
        state.fetches(viewer.client.fetches(input_id), viewer.zone)


def _backfill(viewer: Viewer, found: Input) -> None:
    notice.heading(t("inputs.backfill"), aside=t("inputs.backfill_aside"))
    if not found.name_servers:
        notice.caption(t("inputs.needs_name_server"))
        return
    now = viewer.now().astimezone(viewer.zone).replace(tzinfo=None, second=0, microsecond=0)
    with st.form(f"backfill.{found.id}", border=False):
        left, right, button = st.columns([1, 1, 1], vertical_alignment="bottom")
        with left:
            first = st.datetime_input(t("range.from"), value=now - timedelta(hours=1), step=60)
        with right:
            second = st.datetime_input(t("range.to"), value=now, step=60)
        with button:
            asked = st.form_submit_button(t("inputs.fetch"), width="stretch")
        notice.caption(t("range.zone", zone=viewer.tenant.time_zone))
    if asked and first and second:
        begin, end = (one.replace(tzinfo=viewer.zone).astimezone(UTC) for one in (first, second))
        with notice.catching():
            viewer.client.create_fetch(found.id, from_=begin, to=end)
            st.toast(t("inputs.fetch_made"), icon=":material/check:")
            st.rerun()
