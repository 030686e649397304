"""How long events are kept, what they take, and legal holds."""

import streamlit as st

from app.components import notice, tables, times
from app.components.visible import visible
from app.i18n import t
from app.session import Viewer
from eventcenter.client import BusRetention, Retention

_MB, _GB = 1_000_000, 1_000_000_000
_MOST_DAYS = 36_500
_LEAST_GB, _MOST_GB = 0.001, 1_000_000.0
_WHOLE = ""
"""Stands for the tenant where a bus could be chosen."""


def draw(viewer: Viewer) -> None:
    """The section."""
    found = viewer.client.retention()
    _table(viewer, found)
    if not viewer.may("admin"):
        return
    limits, hold = st.columns(2, gap="large")
    with limits, st.container(key="ec-panel-limits"):
        _limits(viewer, found)
    with hold, st.container(key="ec-panel-hold"):
        _hold(viewer, found)


def _table(viewer: Viewer, found: Retention) -> None:
    tables.draw(
        [
            {
                "bus": bus.name,
                "events": bus.events,
                "takes": round(bus.bytes / _MB, 1),
                "oldest": times.moment(bus.oldest_received_at, viewer.zone),
                "days": _days(bus, found),
                "limit": _limit(bus, found),
                "hold": ", ".join(one.reason for one in (found.hold, bus.hold) if one is not None),
            }
            for bus in found.buses
        ],
        {
            "bus": t("column.bus"),
            "events": t("column.events"),
            "takes": t("column.takes"),
            "oldest": t("column.oldest"),
            "days": t("column.days"),
            "limit": t("column.limit"),
            "hold": t("column.hold"),
        },
        key="settings.retention",
        widths={
            "bus": 180,
            "events": 110,
            "takes": 110,
            "oldest": 160,
            "days": 120,
            "limit": 120,
            "hold": 260,
        },
    )


def _days(bus: BusRetention, found: Retention) -> str:
    policy = bus.policy or found.policy
    return (
        t("retention.forever") if policy is None or policy.max_age_days is None else str(policy.max_age_days)
    )


def _limit(bus: BusRetention, found: Retention) -> str:
    """A bus's own limit, or the one that it shares with others."""
    policy = bus.policy or found.policy
    if policy is None or policy.max_bytes is None:
        return ""
    size = times.number(round(policy.max_bytes / _MB))
    return size if bus.policy is not None else f"{size} ∑"


def _limits(viewer: Viewer, found: Retention) -> None:
    notice.heading(t("retention.kept"))
    chosen = _choose(found, "retention.which", t("retention.tenant"))
    bus = None if chosen == _WHOLE else chosen
    own = found.policy if bus is None else _of(found, chosen).policy
    shown = own or found.policy
    with st.form(f"retention.{chosen}.{st.session_state.get('retention.saved', 0)}", border=False):
        days = st.number_input(
            t("retention.days"),
            min_value=1,
            max_value=_MOST_DAYS,
            value=None if shown is None else shown.max_age_days,
            step=1,
            help=t("retention.days_help"),
        )
        size = st.number_input(
            t("retention.size"),
            min_value=_LEAST_GB,
            max_value=_MOST_GB,
            value=None if shown is None or shown.max_bytes is None else shown.max_bytes / _GB,
            format="%g",
            help=t("retention.size_help"),
        )
        look, save = st.columns(2)
        tried = look.form_submit_button(t("retention.try"), width="stretch")
        saved = save.form_submit_button(t("common.save"), type="primary", width="stretch")
    most = None if size is None else round(size * _GB)
    if tried:
        with notice.catching():
            _say(viewer.client.set_retention(bus, max_age_days=days, max_bytes=most, dry_run=True))
    if saved:
        with notice.catching():
            viewer.client.set_retention(bus, max_age_days=days, max_bytes=most)
            _again()
    if bus is not None and own is not None:
        notice.caption(t("retention.own"))
        if st.button(t("retention.as_tenant"), key="retention.reset"):
            with notice.catching():
                viewer.client.reset_retention(bus)
                _again()


def _say(found: Retention) -> None:
    going = found.going
    if going is None or not (going.events or going.rejects):
        notice.note("info", t("retention.nothing"))
        return
    events, rejects = times.number(going.events), times.number(going.rejects)
    notice.note("warn", t("retention.would_go", events=events, rejects=rejects), t("retention.sure"))


def _hold(viewer: Viewer, found: Retention) -> None:
    notice.heading(t("retention.hold"))
    chosen = _choose(found, "retention.held", t("retention.hold_tenant"))
    bus = None if chosen == _WHOLE else chosen
    hold = found.hold if bus is None else _of(found, chosen).hold
    if hold is not None:
        at = times.moment(hold.set_at, viewer.zone)
        notice.note("warn", hold.reason, t("retention.held", who=hold.set_by, at=at))
        if st.button(t("retention.lift"), key="retention.lift"):
            with notice.catching():
                viewer.client.lift_hold(bus)
                _again()
        return
    with st.form(f"hold.{chosen}", border=False):
        reason = st.text_input(t("retention.reason"), max_chars=1000)
        notice.caption(t("retention.hold_text"))
        if st.form_submit_button(t("retention.set_hold"), type="primary"):
            with notice.catching():
                viewer.client.hold(bus, reason=reason.strip())
                _again()


def _choose(found: Retention, key: str, whole: str) -> str:
    names = [_WHOLE, *(bus.name for bus in found.buses)]
    return str(st.selectbox(t("retention.which"), names, key=key, format_func=lambda n: visible(n) or whole))


def _of(found: Retention, name: str) -> BusRetention:
    return next((bus for bus in found.buses if bus.name == name), BusRetention(name=name))


def _again() -> None:
    st.session_state["retention.saved"] = st.session_state.get("retention.saved", 0) + 1
    st.toast(t("common.saved"), icon=":material/check:")
    st.rerun()
