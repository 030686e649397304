"""The range of time a page looks at: a span that ends now, or two moments; kept in the URL."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import streamlit as st

from app.components import times
from app.i18n import t
from app.session import Viewer


@dataclass(frozen=True, kw_only=True)
class Range:
    """Half open: from `from_` up to but not including `to`; `fixed` if it does not move with the clock."""

    from_: datetime
    to: datetime
    fixed: bool = False


def span(key: str, options: tuple[str, ...], default: str) -> str:
    """A choice among spans like `1h`, in the URL as `key`."""
    return (
        st.segmented_control(
            t("range.label"),
            options,
            default=default,
            required=True,
            key=key,
            bind="query-params",
            label_visibility="collapsed",
        )
        or default
    )


def last(viewer: Viewer, name: str) -> Range:
    """The span that ends now."""
    now = viewer.now()
    return Range(from_=now - times.SPANS[name], to=now)


def fixed() -> Range | None:
    """The range of the URL's `from` and `to`; None where they are absent or no range."""
    first, second = _moment(st.query_params.get("from")), _moment(st.query_params.get("to"))
    if first is None or second is None or first >= second:
        return None
    return Range(from_=first, to=second, fixed=True)


def fix(first: datetime, second: datetime) -> None:
    """Put two moments into the URL."""
    st.query_params["from"] = _wire(first)
    st.query_params["to"] = _wire(second)


def unfix() -> None:
    """Back to the span."""
    for name in ("from", "to"):
        st.query_params.pop(name, None)


def describe(what: Range, zone: ZoneInfo) -> str:
    """Both moments in the tenant's zone."""
    return f"{times.moment(what.from_, zone)} – {times.moment(what.to, zone)}"


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None and 1970 <= found.year < 9000 else None


def _wire(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
