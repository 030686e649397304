"""Rows of path, operator and value that make an EventPattern; or the pattern itself as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from app import patterns
from app.components import notice
from app.i18n import t
from app.patterns import Condition


@dataclass(frozen=True, kw_only=True)
class Made:
    """The pattern as JSON text, None where it is not one yet."""

    text: str | None


def start(key: str, pattern_text: str) -> None:
    """Fill the editor `key` with a pattern: rows if they can say it, JSON otherwise."""
    for name in [name for name in st.session_state if str(name).startswith(f"{key}.")]:
        del st.session_state[name]
    try:
        pattern = patterns.read(pattern_text)
    except ValueError:
        pattern = None
    rows = patterns.to_rows(pattern)
    st.session_state[f"{key}.json"] = rows is None
    st.session_state[f"{key}.text"] = pattern_text if pattern is None else patterns.write(pattern, indent=2)
    _set_rows(key, [Condition(path="type")] if rows is None or not rows else rows)


def editor(key: str, paths: Sequence[str]) -> Made:
    """Draw the editor. `paths` are suggestions; any path may be typed."""
    if f"{key}.ids" not in st.session_state:
        start(key, "{}")
    st.toggle(t("pattern.as_json"), key=f"{key}.json", on_change=_turned, args=(key,))
    if st.session_state[f"{key}.json"]:
        return _json(key)
    ids: list[int] = st.session_state[f"{key}.ids"]
    for n in ids:
        _row(key, n, paths, first=n == ids[0])
    st.button(
        t("pattern.add"), icon=":material/add:", type="tertiary", on_click=_add, args=(key,), key=f"{key}.add"
    )
    pattern, troubles = patterns.to_pattern(rows(key))
    for trouble in troubles:
        notice.note("warn", t(trouble.key), trouble.path)
    return Made(text=None if troubles else patterns.write(pattern))


def rows(key: str) -> list[Condition]:
    """The rows as they stand."""
    state = st.session_state
    return [
        Condition(
            path=state.get(f"{key}.path.{n}") or "",
            operator=state.get(f"{key}.op.{n}", "is"),
            value=state.get(f"{key}.value.{n}", ""),
        )
        for n in state.get(f"{key}.ids", [])
    ]


def _row(key: str, n: int, paths: Sequence[str], *, first: bool) -> None:
    seen: Literal["visible", "collapsed"] = "visible" if first else "collapsed"
    state = st.session_state
    path, operator, value, remove = st.columns([4, 3, 5, 0.7], vertical_alignment="bottom", gap="small")
    current = state.get(f"{key}.path.{n}")
    options = [*dict.fromkeys([*([current] if current else []), *paths])]
    with path:
        st.selectbox(
            t("pattern.path"),
            options,
            key=f"{key}.path.{n}",
            accept_new_options=True,
            index=None,
            placeholder=t("pattern.path_hint"),
            label_visibility=seen,
        )
    with operator:
        st.selectbox(
            t("pattern.operator"),
            patterns.OPERATORS,
            key=f"{key}.op.{n}",
            format_func=lambda name: t(f"operator.{name}"),
            label_visibility=seen,
        )
    with value:
        st.text_input(
            t("pattern.value"),
            key=f"{key}.value.{n}",
            label_visibility=seen,
            max_chars=2000,
            disabled=state.get(f"{key}.op.{n}") in {"exists", "missing"},
            placeholder=t("pattern.value_hint"),
        )
    with remove:
        st.button(
            "",
            icon=":material/close:",
            type="tertiary",
            key=f"{key}.remove.{n}",
            on_click=_remove,
            args=(key, n),
            help=t("pattern.remove"),
        )


def _json(key: str) -> Made:
    st.text_area(t("pattern.json"), key=f"{key}.text", height=180, max_chars=20_000)
    text = st.session_state[f"{key}.text"]
    try:
        pattern = patterns.read(text or "{}")
    except ValueError as error:
        notice.note("warn", t("pattern.not_json"), str(error))
        return Made(text=None)
    return Made(text=patterns.write(pattern))


def _turned(key: str) -> None:
    """Carry what was made over to the other form."""
    if st.session_state[f"{key}.json"]:
        pattern, _ = patterns.to_pattern(rows(key))
        st.session_state[f"{key}.text"] = patterns.write(pattern, indent=2)
        return
    try:
        found = patterns.to_rows(patterns.read(st.session_state.get(f"{key}.text") or "{}"))
    except ValueError:
        found = None
    if found is None:
        st.session_state[f"{key}.json"] = True
        st.toast(t("pattern.only_json"))
    else:
        _set_rows(key, found or [Condition(path="type")])


def _set_rows(key: str, wanted: Sequence[Condition]) -> None:
    state = st.session_state
    first = state.get(f"{key}.last", 0) + 1
    state[f"{key}.ids"] = list(range(first, first + len(wanted)))
    state[f"{key}.last"] = first + len(wanted)
    for n, row in zip(state[f"{key}.ids"], wanted, strict=True):
        state[f"{key}.path.{n}"] = row.path
        state[f"{key}.op.{n}"] = row.operator
        state[f"{key}.value.{n}"] = row.value


def _add(key: str) -> None:
    state = st.session_state
    state[f"{key}.last"] += 1
    state[f"{key}.ids"] = [*state[f"{key}.ids"], state[f"{key}.last"]]


def _remove(key: str, n: int) -> None:
    state = st.session_state
    state[f"{key}.ids"] = [one for one in state[f"{key}.ids"] if one != n]
    if not state[f"{key}.ids"]:
        _add(key)
