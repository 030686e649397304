"""Events: filters, a histogram that narrows the range, a table in pages, and one event in full."""

from datetime import UTC, datetime

import streamlit as st

from app import patterns, ranges, reads, session, urlstate
from app.components import charts, conditions, detail, notice, pager, shell, tables, times
from app.components.jsontext import compact
from app.components.visible import OPTION, unseen_again, visible
from app.i18n import t
from app.session import Viewer
from eventcenter.client import Envelope, EventFilter

_SPANS = ("15m", "1h", "6h", "24h", "7d", "30d")
_TIMES = ("received_at", "time")
_PAGE = 50
_ORIGINS = 3
"""Messages shown of an event."""
_PATHS = (*patterns.ATTRIBUTES, "data.")


@session.page
def show(viewer: Viewer) -> None:
    """The page."""
    session.follow_link(viewer)
    notice.heading(t("events.title"), aside=viewer.tenant.title or viewer.tenant.name)
    which = _filters(viewer)
    if which is None:
        return
    _histogram(viewer, which)
    opened = _opened(viewer)
    if opened is None:
        _table(viewer, which, wide=True)
        return
    left, right = st.columns([1.25, 1], gap="medium")
    with left:
        _table(viewer, which, wide=False)
    with right:
        _detail(viewer, opened)


def _filters(viewer: Viewer) -> EventFilter | None:
    with st.container(key="ec-panel-filters"):
        bus, kind, source, subject = st.columns([1, 1.4, 1.4, 1])
        with bus:
            st.multiselect(
                t("filter.bus"),
                reads.bus_names(viewer),
                key="bus",
                bind="query-params",
                placeholder=t("filter.all_buses"),
            )
        with kind:
            _values("type", reads.values(viewer, "type"))
        with source:
            _values("source", reads.values(viewer, "source"))
        with subject:
            st.text_input(t("filter.subject"), key="subject", bind="query-params", max_chars=512)
        event_id, field, span, custom, more = st.columns(
            [1, 1.15, 2.1, 0.9, 0.9], vertical_alignment="bottom"
        )
        with event_id:
            st.text_input(t("filter.id"), key="id", bind="query-params", max_chars=128)
        with field:
            time_field = urlstate.choice(
                t("filter.time_field"), "time_field", _TIMES, say=lambda name: t(f"time_field.{name}")
            )
        with span:
            ranges.span("span", _SPANS, "24h")
        with custom:
            _custom_range(viewer)
        with more:
            advanced = st.toggle(t("filter.advanced"), key="advanced", bind="query-params")
        pattern: str | None = None
        if advanced:
            pattern = _advanced()
            if pattern is None:
                return None
        within = ranges.fixed()
        if within is not None:
            text, button = st.columns([4, 1], vertical_alignment="center")
            with text:
                notice.caption(t("range.fixed", range=ranges.describe(within, viewer.zone)))
            with button:
                st.button(t("range.unfix"), icon=":material/close:", type="tertiary", on_click=ranges.unfix)
    within = within or ranges.last(viewer, st.session_state.span or "24h")
    state = st.session_state
    return EventFilter(
        bus=tuple(state.get("bus") or ()),
        type=tuple(state.get("type") or ()),
        source=tuple(state.get("source") or ()),
        subject=_one(state.get("subject")),
        id=_one(state.get("id")),
        pattern=pattern if pattern not in {None, "{}"} else None,
        from_=within.from_,
        to=within.to,
        time_field=time_field,
    )


def _values(name: str, known: list[str]) -> None:
    """Values to choose or type. The URL holds them as shown: a hidden character is seen there too."""
    shown = {visible(value, OPTION) for value in known}
    chosen = [unseen_again(v) for v in st.query_params.get_all(name) if v not in shown]
    chosen += st.session_state.get(name) or []
    st.multiselect(
        t(f"filter.{name}"),
        [*dict.fromkeys([*known, *chosen])],
        key=name,
        format_func=lambda value: visible(value, OPTION),
        bind="query-params",
        accept_new_options=True,
        placeholder=t("filter.any"),
    )


def _one(value: str | None) -> tuple[str, ...]:
    return (value.strip(),) if value and value.strip() else ()


def _custom_range(viewer: Viewer) -> None:
    with st.popover(t("range.custom"), icon=":material/calendar_month:", width="stretch"):
        within = ranges.fixed() or ranges.last(viewer, st.session_state.span or "24h")
        with st.form("custom_range", border=False):
            zone = viewer.zone
            first = st.datetime_input(
                t("range.from"),
                value=within.from_.astimezone(zone).replace(tzinfo=None, microsecond=0),
                step=60,
            )
            second = st.datetime_input(
                t("range.to"), value=within.to.astimezone(zone).replace(tzinfo=None, microsecond=0), step=60
            )
            notice.caption(t("range.zone", zone=viewer.tenant.time_zone))
            if st.form_submit_button(t("range.apply"), type="primary") and first and second:
                begin, end = (one.replace(tzinfo=zone).astimezone(UTC) for one in (first, second))
                if begin < end:
                    ranges.fix(begin, end)
                    st.rerun()
                notice.note("warn", t("range.wrong"))


def _advanced() -> str | None:
    """The pattern of the URL, edited in rows; None while it is not one."""
    if "filter.ids" not in st.session_state:
        conditions.start("filter", st.query_params.get("pattern") or "{}")
    made = conditions.editor("filter", _PATHS).text
    if made is not None:
        if made == "{}":
            st.query_params.pop("pattern", None)
        elif st.query_params.get("pattern") != made:
            st.query_params["pattern"] = made
    return made


def _histogram(viewer: Viewer, which: EventFilter) -> None:
    found = viewer.client.histogram(which, by="type")
    if not found.total:
        return
    with st.container(key="ec-panel-histogram"):
        found_text = (
            t("events.found_one") if found.total == 1 else t("events.found", n=times.number(found.total))
        )
        notice.heading(found_text, aside=t(f"events.drag_{which.time_field}"))
        drawn = st.session_state.get("events.drawn", 0)
        figure = charts.stacked(found, viewer.zone, height=190, select=True)
        charts.draw_selectable(figure, viewer.zone, key=f"histogram.{drawn}", pick=_narrow)


def _narrow(first: datetime, last: datetime) -> None:
    if (last - first).total_seconds() >= 1:
        ranges.fix(first, last)
        st.session_state["events.drawn"] = st.session_state.get("events.drawn", 0) + 1


def _table(viewer: Viewer, which: EventFilter, *, wide: bool) -> None:
    way = pager.cursors("events", _signature(viewer, which))
    page = viewer.client.events(which, limit=_PAGE, cursor=way[-1])
    if not page.events:
        _nothing(viewer, which)
        return
    chosen = which.time_field
    moments = (chosen, *(name for name in _TIMES if name != chosen)) if wide else (chosen,)
    columns = {name: t(f"time_field.{name}") for name in moments}
    columns |= {"type": t("column.type"), "source": t("column.source")}
    if wide:
        columns |= {"subject": t("column.subject"), "bus": t("column.bus"), "data": t("column.data")}
    rows = [_row(one, viewer, wide=wide) for one in page.events]
    tables.draw(
        rows,
        columns,
        key="events.table",
        pinned=chosen,
        opens=("event", [one.seq for one in page.events]),
        widths={
            "received_at": 150,
            "time": 150,
            "type": 210,
            "source": 200,
            "subject": 190,
            "bus": 80,
            "data": 420,
        },
    )
    if pager.turned(way, page.next, len(page.events), key="events"):
        st.rerun()


def _row(one: Envelope, viewer: Viewer, *, wide: bool) -> dict[str, object]:
    members = one.members()
    received = times.moment(one.received_at, viewer.zone)
    return {
        "received_at": received,
        # Without a time an event stands where it was received; its own column says so where there is room.
        "time": times.sent(one.attribute("time"), viewer.zone) or (None if wide else received),
        "type": one.attribute("type"),
        "source": one.attribute("source"),
        "subject": one.attribute("subject") or "",
        "bus": one.bus,
        "data": compact((members.get("data") or members.get("data_base64") or "")[:1000]),
    }


def _signature(viewer: Viewer, which: EventFilter) -> str:
    """The filter without the ends of a range that moves with the clock."""
    moving = ranges.fixed() is None
    parts = [p for p in which.parameters() if not (moving and p[0] in {"from", "to"})]
    return repr((viewer.tenant.id, parts, st.session_state.get("span") if moving else None))


def _nothing(viewer: Viewer, which: EventFilter) -> None:
    filtered = any((which.bus, which.type, which.source, which.subject, which.id, which.pattern))
    if filtered or viewer.client.status().events:
        notice.empty(t("empty.filtered"), t("empty.filtered_text"))
        return
    buses = reads.bus_names(viewer)
    bus = "default" if "default" in buses or not buses else buses[0]
    notice.empty(
        t("empty.events"),
        t("empty.events_text", variable=shell.TOKEN_VARIABLE),
        shell.hello_line(viewer.settings.ingest_url, bus),
    )


def _opened(viewer: Viewer) -> Envelope | None:
    wanted = st.query_params.get("event")
    if not wanted:
        return None
    if not wanted.isascii() or not wanted.isdigit() or len(wanted) > 18:
        del st.query_params["event"]
        return None
    with notice.catching():
        return viewer.client.event(int(wanted))
    return None


def _detail(viewer: Viewer, one: Envelope) -> None:
    with st.container(key="ec-panel-detail"):
        head, close = st.columns([6, 1], vertical_alignment="center")
        with head:
            notice.heading(t("event.title"), aside=times.precise(one.received_at, viewer.zone))
        with close:
            st.button(
                "",
                icon=":material/close:",
                type="tertiary",
                help=t("event.close"),
                on_click=_close,
                key="close",
            )
        if viewer.may("editor") and st.button(
            t("event.make_rule"), icon=":material/add_alert:", type="primary", key="make_rule"
        ):
            st.session_state["rules.from_event"] = one.seq
            st.switch_page(st.session_state["pages"]["rules"], query_params={"rule": "new"})
        detail.attributes(one, viewer)
        for origin in viewer.client.origins(one.seq)[:_ORIGINS]:
            again = origin.outcome == "duplicate"
            notice.heading(
                t("origin.again") if again else t("origin.title"),
                aside=times.precise(origin.received_at, viewer.zone) if again else "RocketMQ",
            )
            detail.origin(origin, viewer)
        notice.heading(t("event.data"))
        detail.data(one)
        notice.heading(t("event.copy"))
        detail.copies(one, viewer)


def _close() -> None:
    st.query_params.pop("event", None)
