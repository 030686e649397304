"""Messages as brokers keep them: read to the byte, and refused where they are not whole."""

import struct
import zlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventcenter.rocketmq.raw import RawMessage, parse_messages

_MAGIC, _MAGIC_2 = -626843481, -626843477


def stored(
    body: bytes,
    *,
    topic: str = "orders",
    properties: str = "UNIQ_KEY\x01m1\x02KEYS\x01k1 k2\x02n\x011\x02",
    flags: int = 0,
    crc: int | None = None,
    magic: int = _MAGIC,
) -> bytes:
    """A message as MessageDecoder of RocketMQ 5 writes it."""
    born = bytes(20 if flags & 1 << 4 else 8)
    store = bytes(20 if flags & 1 << 5 else 8)
    name = topic.encode()
    crc = zlib.crc32(body) & 0x7FFFFFFF if crc is None else crc
    size = struct.pack(">H" if magic == _MAGIC_2 else ">B", len(name))
    rest = b"".join(
        (
            struct.pack(">iIiiqqiq", magic, crc, 3, 0, 4711, 99, flags, 5),
            born,
            struct.pack(">q", 6),
            store,
            struct.pack(">iqi", 2, 0, len(body)),
            body,
            size,
            name,
            struct.pack(">H", len(properties.encode())),
            properties.encode(),
        )
    )
    return struct.pack(">i", 4 + len(rest)) + rest


def only(data: bytes) -> RawMessage:
    [found] = parse_messages(data)
    return found


def test_all_that_stands_in_a_message() -> None:
    found = only(stored("é☃".encode()))
    assert found == RawMessage(
        topic="orders",
        queue_id=3,
        queue_offset=4711,
        born_at=5,
        stored_at=6,
        attempts=2,
        properties={"UNIQ_KEY": "m1", "KEYS": "k1 k2", "n": "1"},
        body="é☃".encode(),
        broken=None,
    )


@pytest.mark.parametrize("flags", [0, 1 << 4, 1 << 5, 1 << 4 | 1 << 5])
@pytest.mark.parametrize("magic", [_MAGIC, _MAGIC_2])
def test_hosts_of_both_lengths_and_long_topics(flags: int, magic: int) -> None:
    topic = "t" * (300 if magic == _MAGIC_2 else 127)
    found = only(stored(b"body", flags=flags, magic=magic, topic=topic))
    assert (found.topic, found.body, found.stored_at) == (topic, b"body", 6)


@pytest.mark.parametrize(
    ("codec", "flags"), [(None, 1 | 0x300), (None, 1), ("lz4", 1 | 0x100), ("zstd", 1 | 0x200)]
)
def test_packed_bodies(codec: str | None, flags: int) -> None:
    plain = b"a body " * 100
    if codec is None:
        packed = zlib.compress(plain)
    else:
        buffer = pa.BufferOutputStream()
        with pa.CompressedOutputStream(buffer, codec) as stream:
            stream.write(plain)
        packed = buffer.getvalue().to_pybytes()
    found = only(stored(packed, flags=flags))
    assert (found.body, found.broken) == (plain, None)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (stored(b"body", crc=1), "checksum"),
        (stored(b"no zlib", flags=1 | 0x300), "cannot be unpacked"),
        (stored(b"no zstd", flags=1 | 0x200), "cannot be unpacked"),
        (stored(zlib.compress(b"x" * 1000)[:-9], flags=1), "too early"),
    ],
)
def test_broken_bodies_are_told_and_kept_as_they_came(data: bytes, why: str) -> None:
    found = only(data)
    assert why in (found.broken or "")
    assert found.body in data


def test_a_broker_that_tells_no_checksum() -> None:
    assert only(stored(b"body", crc=0)).broken is None


def test_messages_stand_one_behind_the_other() -> None:
    assert [one.body for one in parse_messages(stored(b"a") + stored(b"b") + stored(b"c"))] == [
        b"a",
        b"b",
        b"c",
    ]
    assert list(parse_messages(b"")) == []


@pytest.mark.parametrize(
    "data", [stored(b"body")[:-1], b"\x00\x00", stored(b"x", magic=7), b"\x00" * 100, b"\x7f" * 100]
)
def test_other_bytes(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"message|mark"):
        list(parse_messages(data))


@given(st.binary(max_size=200), st.integers(0, 120))
def test_damage_is_told_or_makes_no_difference(noise: bytes, at: int) -> None:
    whole = stored(b"body")
    data = whole[:at] + noise + whole[at + len(noise) :]
    try:
        list(parse_messages(data))
    except ValueError:
        return
