"""Answers kept for some seconds. The tenant comes first in every key: all sessions share this memory."""

import streamlit as st

from app.session import Viewer
from eventcenter.client import EventFilter

_SHORT_S = 5


def bus_names(viewer: Viewer) -> list[str]:
    """Names of the tenant's buses."""
    return _bus_names(viewer.tenant.id, viewer.me.role, viewer)


def values(viewer: Viewer, attribute: str) -> list[str]:
    """The attribute's most frequent values of the last week: suggestions for filters."""
    return _values(viewer.tenant.id, viewer.me.role, attribute, viewer)


@st.cache_data(ttl=_SHORT_S, max_entries=500, show_spinner=False)
def _bus_names(tenant: str, role: str | None, _viewer: Viewer) -> list[str]:
    del tenant, role
    return [bus.name for bus in _viewer.client.buses()]


@st.cache_data(ttl=_SHORT_S * 6, max_entries=500, show_spinner=False)
def _values(tenant: str, role: str | None, attribute: str, _viewer: Viewer) -> list[str]:
    del tenant, role
    from app import ranges

    week = ranges.last(_viewer, "7d")
    found = _viewer.client.top(EventFilter(from_=week.from_, to=week.to), by=attribute, limit=50)
    return [one.value for one in found if one.value]
