"""What `send` reads from files, and the event it makes from options."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventcenter.cli.events import batches, build_event, read_events
from eventcenter.errors import InvalidInput


def texts(content: bytes) -> list[bytes]:
    return [event.text for event in read_events(io.BytesIO(content))]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n \n", []),
        (b'{"a":1}\n\n{"a":1e2}\n', [b'{"a":1}', b'{"a":1e2}']),
        (b'{"a":1}\r\n{"a":2}', [b'{"a":1}', b'{"a":2}']),
        (b'\xef\xbb\xbf{"a":1}\n', [b'{"a":1}']),
        (b'[{"a":\n1e2}, {"b":0.10000000000000000001}]', [b'{"a": 1e2}', b'{"b":0.10000000000000000001}']),
        (b'{\n  "a": 18446744073709551617\n}\n', [b'{   "a": 18446744073709551617 }']),
        (b'{"a":1}\nbroken\n{"a":2}\n', [b'{"a":1}', b"broken", b'{"a":2}']),
        (b'{broken\n{"a":2}\n', [b"{broken", b'{"a":2}']),
    ],
)
def test_events_are_found_with_their_text_untouched(content: bytes, expected: list[bytes]) -> None:
    assert texts(content) == expected


def test_places_are_those_of_the_file() -> None:
    assert [event.place for event in read_events(io.BytesIO(b'\n{"a":1}\n\n{"a":2}\n'))] == [2, 4]
    assert [event.place for event in read_events(io.BytesIO(b'[{"a":1},{"a":2}]'))] == [1, 2]


@pytest.mark.parametrize("content", [b"[{]", b"<events/>", b"id,type\n1,a\n"])
def test_what_is_no_json_is_refused_with_the_way_out(content: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        texts(content)
    assert caught.value.remedy


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=40), st.integers(10, 100))
def test_batches_keep_order_and_stay_within_their_size(rows: list[bytes], most: int) -> None:
    content = b"\n".join(json.dumps({"x": row.hex()}).encode() for row in rows)
    events = list(read_events(io.BytesIO(content)))
    groups = list(batches(events, most_bytes=most))
    assert [event for group in groups for event in group] == events
    assert all(len(group) == 1 or sum(len(e.text) + 1 for e in group) <= most for group in groups)


def test_options_make_an_event_whose_data_is_as_written() -> None:
    message = build_event(
        {"type": "com.example.a", "source": "/s", "traceid": "é"}, b'{"n": 1e2, "m": 0.10000000000000000001}'
    )
    assert message.body == b'{"n": 1e2, "m": 0.10000000000000000001}'
    assert message.headers["ce-traceid"] == "%C3%A9"
    assert message.headers["content-type"] == "application/json"
    assert message.headers["ce-id"]
    text = build_event({"type": "a", "source": "/s"}, b"hello")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"


def test_options_that_make_no_event_are_refused() -> None:
    with pytest.raises(InvalidInput, match="source"):
        build_event({"type": "a"}, None)
    with pytest.raises(InvalidInput, match="Bad-Name"):
        build_event({"type": "a", "source": "/s", "Bad-Name": "1"}, None)
