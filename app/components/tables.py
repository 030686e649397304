"""Tables of text: every cell bounded and visible, never a link or markup."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.visible import visible

ROW_HEIGHT = 32


def frame(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> pd.DataFrame:
    """A frame whose text is safe to show; numbers stay numbers."""
    return pd.DataFrame([[_cell(row.get(name)) for name in columns] for row in rows], columns=list(columns))


def draw(
    rows: Sequence[Mapping[str, object]],
    columns: Mapping[str, str],
    *,
    key: str,
    widths: Mapping[str, int] | None = None,
    pinned: str | None = None,
    opens: tuple[str, Sequence[object]] | None = None,
    pills: Mapping[str, Mapping[str, str]] | None = None,
    height: int | None = None,
) -> None:
    """Draw rows under the titles of `columns`.

    `opens` is a query parameter and each row's value for it: a click on a row puts it into the URL. `pills`
    names columns of few known words and the colour of each word.
    """
    table = frame(rows, list(columns))
    config: dict[str, Any] = {}
    for name, title in columns.items():
        width, pin = (widths or {}).get(name), name == pinned
        if name in (pills or {}):
            words = (pills or {})[name]
            table[name] = [[word] for word in table[name]]
            config[name] = st.column_config.MultiselectColumn(
                title, width=width, pinned=pin, options=list(words), color=list(words.values())
            )
        elif len(table) and pd.api.types.is_numeric_dtype(table[name]):
            config[name] = st.column_config.NumberColumn(title, width=width, pinned=pin, format="localized")
        else:
            config[name] = st.column_config.TextColumn(title, width=width, pinned=pin)
    tall = min(ROW_HEIGHT * (len(rows) + 1) + 3, height or 660)
    turned = st.session_state.get(f"{key}.turned", 0)
    widget = f"{key}.{turned}"

    def opened() -> None:
        # The rows as they were shown when the click was made: by the next run others may have come.
        parameter, values = opens or ("", ())
        cells = st.session_state[widget]["selection"]["cells"]
        if cells and 0 <= int(cells[0][0]) < len(values):
            st.query_params[parameter] = str(values[int(cells[0][0])])
            st.session_state[f"{key}.turned"] = turned + 1

    st.dataframe(
        table,
        hide_index=True,
        row_height=ROW_HEIGHT,
        column_config=config,
        height=tall,
        key=widget,
        on_select=opened if opens else "ignore",
        selection_mode="single-cell",
        placeholder="–",
    )


def _cell(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    return visible(value)
