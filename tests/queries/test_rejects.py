"""Rejects: newest first, and harmless to look at."""

import pytest

from eventcenter.errors import InvalidInput
from queries.answers import reject as answer
from queries.rejects import visible
from tests.queries.filling import TENANT, Filling


def test_pages_newest_first(filling: Filling) -> None:
    for index in range(5):
        filling.reject(f"r{index}".encode(), index=index, bus="odd" if index % 2 else "even")
    first = filling.queries.rejects(TENANT, limit=3)
    filling.reject(b"later")
    second = filling.queries.rejects(TENANT, limit=3, cursor=first.next)
    assert [each.text for each in (*first.rejects, *second.rejects)] == ["r4", "r3", "r2", "r1", "r0"]
    assert second.next is None
    assert [each.event_index for each in filling.queries.rejects(TENANT, bus="odd").rejects] == [3, 1]
    with pytest.raises(InvalidInput, match="cursor"):
        filling.queries.rejects(TENANT, bus="odd", cursor=first.next)


def test_one_reject_has_all_its_bytes(filling: Filling) -> None:
    raw = bytes(range(256)) * 40
    filling.reject(raw)
    [listed] = filling.queries.rejects(TENANT).rejects
    assert listed.bytes is None
    whole = filling.queries.reject(TENANT, listed.id)
    assert whole.bytes == raw
    assert whole.size == listed.size == len(raw)
    assert whole.text == listed.text == visible(raw[:4096])
    assert set(answer(whole)) == {*answer(listed), "base64"}
    assert answer(listed)["received_at"] == "2026-11-01T00:00:00Z"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"a": 1}\n\tx', '{"a": 1}\n\tx'),
        ("名 é".encode(), "名 é"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"\x00\x1b[31m\r", "\\x00\\x1b[31m\\x0d"),
        ("a\u202eb\u2028\ufeff".encode(), "a\\u202eb\\u2028\\ufeff"),
        ("\U000e0001".encode(), "\\U000e0001"),
        (b"x" * 5000, "x" * 4096),
    ],
)
def test_bytes_are_made_visible(raw: bytes, text: str) -> None:
    assert visible(raw) == text
