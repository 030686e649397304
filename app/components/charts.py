"""Plotly charts on pandas frames, in our own template. Names in a chart are escaped: Plotly reads tags."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.components.markup import escaped
from app.i18n import t
from eventcenter.client import Histogram

SERIES = ("#5B8FF9", "#F6A04D", "#61C9A8", "#9270CA", "#E8684A", "#3FB1CE")
REST = "#8A94A6"
_FONT = "'Source Sans','PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif"
_CONFIG = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False, "showTips": False}


def colours(names: list[str]) -> dict[str, str]:
    """A colour for each name, the same in charts and cards of a page."""
    return {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}


def frame(found: Histogram, zone: ZoneInfo) -> pd.DataFrame:
    """One row per step and name: columns `at` (local, without zone), `name`, `count`."""
    rows = [
        (at.astimezone(zone).replace(tzinfo=None), series.name, count)
        for series in found.series
        for at, count in series.points
        if count
    ]
    return pd.DataFrame(rows, columns=["at", "name", "count"]).astype({"count": "int64"})


def totals(found: Histogram) -> list[int]:
    """Events per step over all names, oldest first."""
    sums: dict[datetime, int] = {}
    for series in found.series:
        for at, count in series.points:
            sums[at] = sums.get(at, 0) + count
    return [sums[at] for at in sorted(sums)]


def edges(found: Histogram) -> tuple[datetime, datetime]:
    """Where the axis begins and ends: around the range and every step, so that no bar is cut."""
    starts = [at for series in found.series for at, _ in series.points]
    ends = [at + timedelta(seconds=found.step) for at in starts]
    return min([found.from_, *starts]), max([found.to, *ends])


def stacked(
    found: Histogram, zone: ZoneInfo, *, height: int = 260, select: bool = False, stacked_by: bool = True
) -> go.Figure:
    """Bars over time, stacked by name; with `select` dragging picks a range of time."""
    counts = frame(found, zone)
    dark = st.context.theme.type == "dark"
    ink, line = ("#A9B4C2", "rgba(160,175,195,.14)") if dark else ("#5B6675", "rgba(90,105,125,.13)")
    figure = go.Figure()
    names = [series.name for series in found.series if series.name is not None]
    palette = colours(names)
    for series in found.series:
        part = counts[counts["name"].isna()] if series.name is None else counts[counts["name"] == series.name]
        shown = escaped(series.name, 42) if series.name is not None else escaped(t("chart.rest"))
        figure.add_bar(
            x=part["at"],
            y=part["count"],
            name=shown if stacked_by else escaped(t("chart.events")),
            marker={
                "color": palette.get(series.name or "", REST if stacked_by else SERIES[0]),
                "line_width": 0,
            },
            hovertemplate="%{y:,}",
            width=found.step * 1000 * 0.82,
            xperiodalignment="start",
            offset=0,
        )
    low, high = (edge.astimezone(zone).replace(tzinfo=None) for edge in edges(found))
    figure.update_layout(
        barmode="stack",
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": _FONT, "size": 12, "color": ink},
        hovermode="x unified",
        hoverlabel={
            "bgcolor": "#1F2733" if dark else "#FFFFFF",
            "bordercolor": "#28313D" if dark else "#E3E7ED",
            "font": {"color": "#DCE3EC" if dark else "#1F2733", "family": _FONT},
        },
        showlegend=stacked_by and bool(found.series),
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "normal",
            "itemclick": False,
            "itemdoubleclick": False,
        },
        dragmode="select" if select else False,
        selectdirection="h",
        newselection={"line": {"color": SERIES[0], "width": 1, "dash": "solid"}},
    )
    figure.update_xaxes(
        type="date",
        range=[low, high],
        showgrid=False,
        linecolor=line,
        tickangle=0,
        fixedrange=True,
        automargin=True,
        tickformatstops=[
            {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
            {"dtickrange": [60_000, 86_400_000], "value": "%H:%M\n%m-%d"},
            {"dtickrange": [86_400_000, None], "value": "%m-%d"},
        ],
    )
    figure.update_yaxes(
        gridcolor=line,
        zeroline=False,
        rangemode="tozero",
        fixedrange=True,
        automargin=True,
        tickformat=",d",
        **({"dtick": 1} if max(totals(found), default=0) <= 5 else {"nticks": 5}),
    )
    return figure


def draw(figure: go.Figure, *, key: str) -> None:
    """A chart that only shows."""
    st.plotly_chart(figure, theme=None, config=_CONFIG, key=key)


def draw_selectable(
    figure: go.Figure, zone: ZoneInfo, *, key: str, pick: Callable[[datetime, datetime], None]
) -> None:
    """A chart of which a range of time can be picked by dragging; `pick` is called before the next run.

    By a callback, because a chart of moving time is another widget in the next run, without the selection.
    """

    def picked() -> None:
        found = _picked(st.session_state.get(key), zone)
        if found is not None:
            pick(*found)

    st.plotly_chart(figure, theme=None, config=_CONFIG, key=key, on_select=picked, selection_mode="box")


def _picked(state: Any, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    boxes = state["selection"]["box"] if state else []
    if not boxes or len(boxes[0].get("x", [])) != 2:
        return None
    first, last = sorted(datetime.fromisoformat(str(x)[:26]) for x in boxes[0]["x"])
    return first.replace(tzinfo=zone), last.replace(tzinfo=zone)
