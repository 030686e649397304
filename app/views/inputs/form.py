"""The form of an input, and what comes of trying it."""

from datetime import UTC
from typing import Any, Literal

import streamlit as st

from app import reads
from app.components import notice, tables, times
from app.components.markup import build
from app.components.markup import show as draw_markup
from app.components.visible import unseen_again, visible
from app.components.words import words
from app.i18n import t
from app.i18n.errors import said
from app.session import Viewer
from eventcenter.client import Finding, Input, InputTopic, Sample, Tried

_KEY = "input."
_MOST = 4_000
_POSITIONS = ("group", "first", "last", "time")
_KINDS = ("tag", "sql")
_WHATS = frozenset({"server", "topic", "group", "name_server", "offsets"})
_LAYOUTS = frozenset({"batched", "structured", "binary", "eventbridge", "unmarked", "plain"})
_TEXTS = ("addresses", "group", "name_servers", "namespace", "access_key", "tls_ca", "tls_name")


def draw(viewer: Viewer, wanted: str) -> None:
    """The form of a new input or of one that is there."""
    st.button(
        t("inputs.all") if wanted == "new" else t("inputs.back"),
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=_close,
    )
    found = None if wanted == "new" else viewer.client.input(wanted)
    buses = reads.bus_names(viewer)
    _load(wanted, found, buses)
    notice.heading(found.name if found else t("inputs.new"), aside=t("inputs.form_aside"))
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        with st.container(key="ec-panel-form"):
            _fields(found)
        with st.container(key="ec-panel-topics"):
            _topics(buses)
        with st.container(key="ec-panel-more"):
            _more(found)
    with right, st.container(key="ec-panel-test"):
        _actions(viewer, found)


def forget() -> None:
    """What was typed, a secret above all, does not stay when the form is left."""
    for name in [name for name in st.session_state if str(name).startswith(_KEY)]:
        del st.session_state[name]


def told(found: Input) -> list[tuple[str, str]]:
    """The settings as names and values."""
    routes = [
        f"{each.topic} → {each.bus}"
        + ("" if each.filter == "*" else f" · {each.filter}")
        + (f" · {t('inputs.wrapped', type=each.wrap_type)}" if each.wrap_type else "")
        for each in found.topics
    ]
    rows = [
        (t("inputs.addresses"), found.addresses),
        (t("inputs.group"), found.group),
        (t("inputs.topics"), ", ".join(routes)),
        (t("inputs.name_servers"), found.name_servers or t("common.none")),
        (t("inputs.namespace"), found.namespace),
        (t("inputs.access_key"), found.access_key),
        (t("inputs.tls"), t("inputs.tls_on") if found.tls else t("inputs.tls_off")),
        (
            t("inputs.position"),
            t(f"position.{found.start.position}") if found.start.position in _POSITIONS else "",
        ),
        (t("inputs.service"), found.service or t("inputs.all_services")),
    ]
    return [(name, value) for name, value in rows if value]


def _close() -> None:
    editing = st.query_params.get("input") != "new"
    st.query_params.pop("edit", None)
    if not editing:
        st.query_params.pop("input", None)


def _load(wanted: str, found: Input | None, buses: list[str]) -> None:
    """Fill the form once for each input that is opened; later runs keep what was typed."""
    state = st.session_state
    if state.get("input.loaded") == wanted and "input.name" in state:
        return
    forget()
    state["input.loaded"] = wanted
    state["input.name"] = visible(found.name, 127) if found else ""
    for name in _TEXTS:
        state[f"input.{name}"] = getattr(found, name) if found else ""
    state["input.secret"] = ""
    state["input.tls"] = bool(found and found.tls)
    state["input.unprefixed"] = found.accept_unprefixed_extensions if found else True
    state["input.service"] = (found.service or "") if found else ""
    bus = "default" if "default" in buses or not buses else buses[0]
    topics = found.topics if found else (InputTopic(topic="", bus=bus),)
    state["input.rows"] = []
    state["input.last"] = 0
    for topic in topics:
        _add(topic)


def _add(topic: InputTopic) -> None:
    state = st.session_state
    state["input.last"] += 1
    n = state["input.last"]
    state["input.rows"] = [*state["input.rows"], n]
    state[f"input.topic.{n}"] = visible(topic.topic, _MOST)
    state[f"input.bus.{n}"] = topic.bus
    state[f"input.filter.{n}"] = visible(topic.filter, _MOST)
    state[f"input.kind.{n}"] = topic.filter_kind
    state[f"input.wrap.{n}"] = visible(topic.wrap_type or "", _MOST)


def _remove(n: int) -> None:
    state = st.session_state
    state["input.rows"] = [one for one in state["input.rows"] if one != n]


def _fields(found: Input | None) -> None:
    st.text_input(t("column.name"), key="input.name", max_chars=127, placeholder=t("inputs.name_hint"))
    left, right = st.columns(2)
    with left:
        st.text_input(
            t("inputs.addresses"),
            key="input.addresses",
            max_chars=4000,
            placeholder="rocketmq.example.com:8081",
            help=t("inputs.addresses_help"),
        )
        st.text_input(t("inputs.group"), key="input.group", max_chars=255, help=t("inputs.group_help"))
    with right:
        st.text_input(
            t("inputs.name_servers"),
            key="input.name_servers",
            max_chars=4000,
            placeholder="rocketmq.example.com:9876",
            help=t("inputs.name_servers_help"),
        )
        if found is None:
            _position()


def _position() -> None:
    chosen = st.selectbox(
        t("inputs.position"),
        _POSITIONS,
        key="input.position",
        format_func=lambda name: t(f"position.{name}"),
        help=t("inputs.position_help"),
    )
    if chosen == "time":
        st.datetime_input(t("inputs.position_at"), key="input.at", value="now", step=60)


def _topics(buses: list[str]) -> None:
    notice.heading(t("inputs.topics"), aside=t("inputs.topics_hint"))
    rows: list[int] = st.session_state["input.rows"]
    for n in rows:
        _topic(n, buses, first=n == rows[0], alone=len(rows) == 1)
    bus = "default" if "default" in buses or not buses else buses[0]
    st.button(
        t("inputs.add_topic"),
        icon=":material/add:",
        type="tertiary",
        on_click=_add,
        args=(InputTopic(topic="", bus=bus),),
        key="input.add",
    )


def _topic(n: int, buses: list[str], *, first: bool, alone: bool) -> None:
    seen: Literal["visible", "collapsed"] = "visible" if first else "collapsed"
    topic, bus, kind, which, wrap, remove = st.columns(
        [3, 2.2, 1.8, 2.2, 2.4, 0.6], vertical_alignment="bottom", gap="small"
    )
    with topic:
        st.text_input(
            t("column.topic"),
            key=f"input.topic.{n}",
            label_visibility=seen,
            max_chars=127,
            placeholder="orders",
            help=t("inputs.topic_help") if first else None,
        )
    with bus:
        current = st.session_state.get(f"input.bus.{n}")
        st.selectbox(
            t("column.bus"),
            [*dict.fromkeys([*buses, *([current] if current else [])])],
            key=f"input.bus.{n}",
            label_visibility=seen,
        )
    with kind:
        st.selectbox(
            t("inputs.filter_kind"),
            _KINDS,
            key=f"input.kind.{n}",
            format_func=lambda name: t(f"filter_kind.{name}"),
            label_visibility=seen,
        )
    with which:
        st.text_input(
            t("inputs.filter"),
            key=f"input.filter.{n}",
            label_visibility=seen,
            max_chars=4000,
            placeholder="*",
            help=t("inputs.filter_help") if first else None,
        )
    with wrap:
        st.text_input(
            t("inputs.wrap"),
            key=f"input.wrap.{n}",
            label_visibility=seen,
            max_chars=64,
            placeholder=t("inputs.wrap_hint"),
            help=t("inputs.wrap_help") if first else None,
        )
    with remove:
        st.button(
            "",
            icon=":material/close:",
            type="tertiary",
            key=f"input.remove.{n}",
            on_click=_remove,
            args=(n,),
            help=t("pattern.remove"),
            disabled=alone,
        )


def _more(found: Input | None) -> None:
    notice.heading(t("inputs.more"), aside=t("inputs.more_aside"))
    left, right = st.columns(2)
    with left:
        st.text_input(t("inputs.access_key"), key="input.access_key", max_chars=500, autocomplete="off")
        st.text_input(t("inputs.namespace"), key="input.namespace", max_chars=127)
    with right:
        st.text_input(
            t("inputs.secret_key"),
            key="input.secret",
            max_chars=2000,
            type="password",
            autocomplete="off",
            placeholder=t("inputs.secret_kept") if found and found.has_secret else "",
            help=t("inputs.secret_help"),
        )
        st.text_input(
            t("inputs.service"),
            key="input.service",
            max_chars=63,
            placeholder=t("inputs.all_services"),
            help=t("inputs.service_help"),
        )
    st.toggle(t("inputs.unprefixed"), key="input.unprefixed", help=t("inputs.unprefixed_help"))
    st.toggle(t("inputs.tls"), key="input.tls")
    # Drawn in any case: what is not drawn is forgotten.
    off = not st.session_state["input.tls"]
    st.text_input(t("inputs.tls_name"), key="input.tls_name", max_chars=253, disabled=off)
    st.text_area(
        t("inputs.tls_ca"),
        key="input.tls_ca",
        height=110,
        max_chars=200_000,
        disabled=off,
        placeholder="-----BEGIN CERTIFICATE-----",
        help=t("inputs.tls_ca_help"),
    )


def _collected(viewer: Viewer, found: Input | None) -> dict[str, Any]:
    state = st.session_state
    fields: dict[str, Any] = {"name": unseen_again(state["input.name"] or "").strip()}
    fields |= {name: (state[f"input.{name}"] or "").strip() for name in _TEXTS}
    if not state["input.tls"]:
        fields |= {"tls_ca": "", "tls_name": ""}
    fields["tls"] = bool(state["input.tls"])
    fields["accept_unprefixed_extensions"] = bool(state["input.unprefixed"])
    fields["service"] = (state["input.service"] or "").strip() or None
    fields["topics"] = [_row(n) for n in state["input.rows"]]
    if secret := (state["input.secret"] or "").strip():
        fields["secret_key"] = secret
    if found is None:
        position = state.get("input.position") or "group"
        fields["start"] = {"position": position}
        at = state.get("input.at")
        if position == "time" and at is not None:
            fields["start"]["at"] = at.replace(tzinfo=viewer.zone).astimezone(UTC).isoformat()
    return fields


def _row(n: int) -> dict[str, Any]:
    state = st.session_state

    def typed(name: str) -> str:
        return unseen_again(state.get(f"input.{name}.{n}") or "").strip()

    topic = typed("topic")
    return {
        "topic": topic,
        "bus": state.get(f"input.bus.{n}") or "",
        "is_pattern": "*" in topic or "?" in topic,
        "filter": typed("filter") or "*",
        "filter_kind": state.get(f"input.kind.{n}") or "tag",
        "wrap_type": typed("wrap") or None,
    }


def _actions(viewer: Viewer, found: Input | None) -> None:
    fields = _collected(viewer, found)
    notice.heading(t("inputs.test_title"), aside=t("inputs.test_aside"))
    save, test = st.columns(2)
    ready = bool(fields["name"] and fields["addresses"] and fields["group"])
    with save:
        saved = st.button(
            t("common.save") if found else t("common.create"),
            type="primary",
            disabled=not ready,
            width="stretch",
            key="save_input",
        )
    with test:
        tested = st.button(
            t("inputs.test"), icon=":material/cable:", width="stretch", disabled=not ready, key="test_input"
        )
    if tested:
        with notice.catching(), st.spinner(t("inputs.testing")):
            asked = {name: value for name, value in fields.items() if name != "start"}
            if found is not None:
                asked["id"] = found.id
            st.session_state["input.tried"] = viewer.client.test_input(asked)
    if saved:
        with notice.catching():
            if found is None:
                input_id = viewer.client.create_input(fields).id
            else:
                input_id = found.id
                viewer.client.change_input(input_id, fields)
            forget()
            st.query_params["input"] = input_id
            st.query_params.pop("edit", None)
            st.toast(t("common.saved"), icon=":material/check:")
            st.rerun()
    shown: Tried | None = st.session_state.get("input.tried")
    if shown is None:
        notice.caption(t("inputs.test_hint"))
        return
    _tried(viewer, shown)


def _tried(viewer: Viewer, shown: Tried) -> None:
    if shown.ok:
        notice.note("good", t("inputs.test_good"))
    for each in shown.findings:
        _finding(each)
    notice.heading(t("inputs.samples"), aside=t("inputs.samples_aside"))
    if shown.samples_note is not None:
        notice.caption(words(shown.samples_note))
    if shown.samples:
        _samples(viewer, shown.samples)


def _finding(each: Finding) -> None:
    draw_markup(
        build(
            '<div class="ec-finding ec-is-$health"><span class="ec-pill">$mark</span> $what'
            " <b>$name</b></div>",
            health="ok" if each.ok else "broken",
            mark="✓" if each.ok else "✗",
            what=t(f"finding.{each.what}") if each.what in _WHATS else each.what,
            name=each.name,
        )
    )
    if each.problem is not None and each.command is not None:
        notice.note("bad", said(each.problem.detail), said(each.problem.rule or ""))
        notice.caption(t("inputs.command"))
        st.code(each.command, language="bash", wrap_lines=True)
    elif each.problem is not None:
        notice.problem(each.problem)


def _samples(viewer: Viewer, samples: tuple[Sample, ...]) -> None:
    tables.draw(
        [
            {
                "time": times.short(each.stored_at, viewer.zone),
                "layout": t(f"layout.{each.layout}") if each.layout in _LAYOUTS else each.layout,
                "reads": f"✗ {each.error}" if each.error else each.type,
                "source": each.source,
                "id": each.id,
                "topic": each.topic,
                "offset": f"{each.queue_id}/{each.offset}",
                "tag": each.tag,
            }
            for each in samples
        ],
        {
            "time": t("inputs.last_stored"),
            "layout": t("column.layout"),
            "reads": t("inputs.reads"),
            "source": t("column.source"),
            "id": t("filter.id"),
            "topic": t("column.topic"),
            "offset": t("inputs.place"),
            "tag": t("column.tag"),
        },
        key="input.samples",
        widths={
            "time": 110,
            "layout": 86,
            "reads": 250,
            "source": 150,
            "id": 130,
            "topic": 120,
            "offset": 80,
            "tag": 80,
        },
    )
