"""Choices whose options read differently in each language, kept in the URL by their own names."""

from collections.abc import Callable, Sequence

import streamlit as st


def choice(
    label: str, key: str, options: Sequence[str], *, say: Callable[[str], str], default: str | None = None
) -> str:
    """A segmented control; the URL holds the option's name, and nothing for the default."""
    fallback = default or options[0]
    widget = f"_{key}"
    wanted = st.query_params.get(key, fallback)
    if widget not in st.session_state or (st.session_state[widget] not in options):
        st.session_state[widget] = wanted if wanted in options else fallback
    chosen = st.segmented_control(
        label,
        options,
        key=widget,
        format_func=say,
        required=True,
        label_visibility="collapsed",
        on_change=_keep,
        args=(key, widget, fallback),
    )
    return chosen or fallback


def _keep(key: str, widget: str, fallback: str) -> None:
    value = st.session_state.get(widget)
    if value is None or value == fallback:
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = value
