"""Inputs: all of them and how they are, one of them, or the form of one."""

import streamlit as st

from app import session
from app.components import notice
from app.components.markup import build
from app.components.markup import show as draw
from app.components.words import words
from app.i18n import t
from app.i18n.errors import said
from app.session import Viewer
from app.views.inputs import form, one, state
from eventcenter.client import Input

LIVE_S = 2


@session.page
def show(viewer: Viewer) -> None:
    """The page: what the URL names, else all."""
    session.follow_link(viewer)
    wanted = st.query_params.get("input")
    editing = viewer.may("admin") and (wanted == "new" or st.query_params.get("edit") == "1")
    if wanted and editing:
        form.draw(viewer, wanted)
        return
    form.forget()
    st.session_state.pop("inputs.opened", None)
    if wanted and wanted != "new":
        one.draw(viewer, wanted, live_s=LIVE_S)
    else:
        _list(viewer)


def _list(viewer: Viewer) -> None:
    head, live, new = st.columns([6, 1, 1.3], vertical_alignment="center")
    with head:
        notice.heading(t("inputs.title"), aside=viewer.tenant.title or viewer.tenant.name)
    with live:
        st.toggle(t("overview.live"), value=True, key="live", bind="query-params")
    with new:
        if viewer.may("admin"):
            st.button(
                t("inputs.new"),
                icon=":material/add:",
                type="primary",
                on_click=_open,
                args=("new",),
                width="stretch",
            )
    st.fragment(session.page(_lines), run_every=LIVE_S if st.session_state.live else None)()


def _lines(viewer: Viewer) -> None:
    found = viewer.client.inputs()
    if not found:
        notice.empty(
            t("empty.inputs"),
            t("empty.inputs_text") if viewer.may("admin") else t("empty.inputs_ask"),
            "make rocketmq" if viewer.may("admin") else None,
        )
    for each in found:
        _line(viewer, each)
    # A click in a fragment draws the fragment alone.
    if st.session_state.pop("inputs.opened", False):
        st.rerun(scope="app")


def _line(viewer: Viewer, each: Input) -> None:
    with st.container(key=f"ec-row-{each.id}"):
        text, numbers, button = st.columns([4.2, 5.4, 0.9], vertical_alignment="center")
        with text:
            routes = ", ".join(f"{topic.topic} → {topic.bus}" for topic in each.topics)
            draw(
                build(
                    '<div class="ec-line ec-is-$health"><b>$name</b> <span class="ec-pill">$state</span>'
                    "<p>$routes</p><p>$text</p><p>$trouble</p></div>",
                    health=state.HEALTH.get(each.status.state, "unknown"),
                    name=each.name,
                    state=state.word(each.status.state),
                    routes=routes,
                    text=words(each.status.text),
                    trouble=said(each.status.problems[0].detail) if each.status.problems else "",
                    limit=400,
                )
            )
        with numbers:
            draw(state.figures(each.status, viewer.zone, brief=True))
        with button:
            st.button(
                t("common.open"), key=f"open.{each.id}", on_click=_open, args=(each.id,), width="stretch"
            )


def _open(input_id: str) -> None:
    st.query_params["input"] = input_id
    st.session_state["inputs.opened"] = True
