"""Overview: how much of what arrives, whether it gets through, and what came last."""

from datetime import timedelta

import streamlit as st

from app import ranges, reads, session
from app.components import cards, charts, notice, shell, times
from app.i18n import t
from app.session import Viewer
from eventcenter.client import EventFilter, Histogram, Status

_SPANS = ("1h", "6h", "24h", "7d")
_STEPS = {"1h": 60, "6h": 300, "24h": 900, "7d": 7200}
_LIVE_S = 5
_MOST_DELIVERIES = 100
_LAG_WARN_S = 30
_CHART_PX = 330
_RANK_PX = 31


@session.page
def show(viewer: Viewer) -> None:
    """The page."""
    session.follow_link(viewer)
    title, buses, span, live = st.columns([4, 3, 3, 1.2], vertical_alignment="center")
    with title:
        notice.heading(t("overview.title"), aside=viewer.tenant.title or viewer.tenant.name)
    with buses:
        st.multiselect(
            t("filter.bus"),
            reads.bus_names(viewer),
            key="bus",
            bind="query-params",
            placeholder=t("filter.all_buses"),
            label_visibility="collapsed",
        )
    with span:
        ranges.span("span", _SPANS, "1h")
    with live:
        st.toggle(t("overview.live"), value=True, key="live", bind="query-params")
    st.fragment(session.page(_body), run_every=_LIVE_S if st.session_state.live else None)()


def _body(viewer: Viewer) -> None:
    span = st.session_state.get("span") or "1h"
    within = ranges.last(viewer, span)
    # By when it happened: what comes late, or is sent after the fact, belongs where it was.
    buses = tuple(st.session_state.get("bus") or ())
    which = EventFilter(bus=buses, from_=within.from_, to=within.to, time_field="time")
    status = viewer.client.status()
    found = viewer.client.histogram(which, step=_STEPS[span], by="type")
    _warnings(status)
    if not status.events:
        _metrics(viewer, status, found, which)
        _first_event(viewer)
        return
    kinds = viewer.client.top(which, by="type", limit=100)
    palette = charts.colours([series.name for series in found.series if series.name is not None])
    _metrics(viewer, status, found, which, kinds=len(kinds))
    chart, top = st.columns([2.4, 1], gap="medium")
    sources = viewer.client.top(which, by="source", limit=6)
    # As high as the rankings beside it, that neither card ends in a gap.
    height = max(_CHART_PX, _RANK_PX * (len(kinds[:6]) + len(sources) + 1))
    with chart, st.container(key="ec-panel-chart", height="stretch"):
        notice.heading(t("overview.by_type"), aside=t("overview.per", step=times.seconds(found.step)))
        if found.total:
            charts.draw(charts.stacked(found, viewer.zone, height=height), key="by_type")
        else:
            notice.empty(t("overview.quiet"), t("overview.quiet_text"))
    with top, st.container(key="ec-panel-top", height="stretch"):
        cards.ranking(t("overview.top_types"), kinds[:6], palette)
        cards.ranking(t("overview.top_sources"), sources)
    notice.heading(t("overview.latest"))
    latest = viewer.client.events(EventFilter(bus=which.bus), limit=9)
    cards.events(latest.events, viewer.zone, palette)


def _warnings(status: Status) -> None:
    for target in status.broken_targets:
        notice.note("bad", t("overview.broken_target", name=target.name), target.remedy or target.health)
    if status.loader_lag_s is not None and status.loader_lag_s > _LAG_WARN_S:
        notice.note(
            "warn", t("overview.lagging", lag=times.seconds(status.loader_lag_s)), t("overview.lagging_text")
        )


def _metrics(viewer: Viewer, status: Status, found: Histogram, which: EventFilter, *, kinds: int = 0) -> None:
    delivered, failed, more = _deliveries(viewer, which)
    plus = "+" if more else ""
    lag = status.loader_lag_s
    shown = [
        (t("overview.events"), times.number(found.total)),
        (t("overview.types"), f"{kinds}{'+' if kinds == 100 else ''}"),
        (t("overview.rejects"), times.number(status.rejects)),
        (t("overview.delivered"), f"{delivered}{plus}"),
        (t("overview.failed"), f"{failed}{plus if failed else ''}"),
        (t("overview.lag"), times.seconds(lag)),
        (t("overview.broken"), times.number(len(status.broken_targets))),
    ]
    columns = st.columns(len(shown), gap="small")
    for column, (label, value) in zip(columns, shown, strict=True):
        with column:
            st.metric(label, value, border=True, height="stretch")


def _deliveries(viewer: Viewer, which: EventFilter) -> tuple[int, int, bool]:
    """Delivered and failed since the range began, and whether there were more than one page tells."""
    page = viewer.client.deliveries(limit=_MOST_DELIVERIES)
    begin = which.from_ or viewer.now() - timedelta(hours=1)
    recent = [one for one in page.deliveries if one.created_at >= begin]
    states = [one.state for one in recent]
    return states.count("delivered"), states.count("failed"), len(recent) == _MOST_DELIVERIES


def _first_event(viewer: Viewer) -> None:
    buses = reads.bus_names(viewer)
    bus = "default" if "default" in buses or not buses else buses[0]
    notice.empty(
        t("empty.events"),
        t("empty.events_text", variable=shell.TOKEN_VARIABLE),
        shell.hello_line(viewer.settings.ingest_url, bus),
    )
