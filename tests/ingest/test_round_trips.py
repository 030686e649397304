"""An event sent in any mode is the event in the journal, its data to the letter."""

import base64
import json
import string
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from eventcenter.event import DataKind, Event, decode_line
from ingest.bindings import Mode, headers_of, mode_of, read
from ingest.validation import Limits
from ingest.validation.attributes import CONTROL

LIMITS = Limits()
CHARACTERS = st.characters(exclude_categories=["Cs"]).filter(lambda c: CONTROL.match(c) is None)
ATTRIBUTE = st.text(CHARACTERS, min_size=1, max_size=30)
NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20).filter(
    lambda name: (
        name
        not in {
            "id",
            "source",
            "type",
            "subject",
            "time",
            "specversion",
            "datacontenttype",
            "dataschema",
            "data",
        }
    )
)
TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z").filter(lambda t: "0002" < t < "9999")
NUMBERS = st.sampled_from(["1.0", "1e2", "-0", "18446744073709551617", "0.10000000000000000001", "1E-400"])
JSON = st.recursive(
    NUMBERS | st.text(max_size=10).map(json.dumps) | st.sampled_from(["null", "true", '"\\/"', '"名"']),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda parts: "[" + ", ".join(parts) + "]")
        | st.dictionaries(st.text(max_size=5), inner, max_size=4).map(
            lambda members: (
                "{" + ",".join(f"{json.dumps(key)} : {value}" for key, value in members.items()) + "}"
            )
        )
    ),
    max_leaves=10,
).map(str.encode)
TEXTS = st.text(min_size=1, max_size=30).map(lambda text: json.dumps(text, ensure_ascii=False).encode())


@st.composite
def sent_events(draw: st.DrawFn, extensions: st.SearchStrategy[str | int | bool]) -> Event:
    data, media_type, kind = draw(_data())
    return Event(
        id=draw(ATTRIBUTE),
        source=draw(ATTRIBUTE),
        type=draw(ATTRIBUTE),
        subject=draw(st.none() | ATTRIBUTE),
        time=draw(st.none() | TIMES),
        datacontenttype=media_type,
        dataschema=draw(st.none() | st.just("https://example.com/schema")),
        extensions=draw(st.dictionaries(NAMES, extensions, max_size=3)),
        data=data,
        data_kind=kind,
    )


@st.composite
def _data(draw: st.DrawFn) -> tuple[bytes | None, str | None, DataKind | None]:
    kind: DataKind | None = draw(st.sampled_from(["json", "text", "binary", None]))
    if kind == "json":
        return draw(JSON), "application/json", "json"
    if kind == "text":
        return draw(TEXTS), "text/plain", "text"
    if kind == "binary":
        content = draw(st.binary(min_size=1, max_size=40))
        return b'"' + base64.b64encode(content) + b'"', "application/octet-stream", "binary"
    return None, draw(st.none() | st.just("text/plain")), None


def lines(mode: Mode, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> list[Event]:
    checked = read(mode, headers or [], body, LIMITS)
    assert not checked.rejects, checked.rejects
    return [decode_line(line) for line in checked.payload.split(b"\n")[:-1]]


@settings(deadline=None, max_examples=200)
@given(sent_events(ATTRIBUTE | st.integers(-(1 << 31), (1 << 31) - 1) | st.booleans()))
def test_json_modes(event: Event) -> None:
    body = event.to_json()
    assert lines(Mode.STRUCTURED, body) == [event]
    assert lines(Mode.BATCHED, b"[" + body + b"," + body + b"]") == [event, event]
    assert lines(Mode.LINES, body + b"\n" + body) == [event, event]


@settings(deadline=None, max_examples=200)
@given(sent_events(ATTRIBUTE))
def test_binary_mode(event: Event) -> None:
    attributes = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    for name in ("subject", "time", "dataschema"):
        if (value := getattr(event, name)) is not None:
            attributes[name] = value
    attributes |= {name: str(value) for name, value in event.extensions.items()}
    headers = [(f"ce-{name}".encode(), quote(value, safe="").encode()) for name, value in attributes.items()]
    headers.append((b"host", b"example.com"))
    if event.datacontenttype is not None:
        headers.append((b"content-type", event.datacontenttype.encode()))
    assert mode_of(event.datacontenttype or "") is Mode.BINARY
    assert lines(Mode.BINARY, event.data_bytes() or b"", headers_of(headers)) == [event]
