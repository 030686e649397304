"""Hashes that events are found by, as SQL over the events' columns and the same in Python.

Most are parts of MD5: the same in every version of DuckDB, which its own hash() is not. They only narrow a
search: whoever uses them compares what was found in full.

A key has 64 bits. The upper 28 tell the id alone, the lower 36 bus, source and id. A segment's index keeps
the upper 40 of them; all 64 go into the Bloom filters, so that ids which many sources use (counters) do not
crowd there.
"""

import hashlib
import re
from typing import Final

import numpy as np
import numpy.typing as npt

ID_BITS: Final = 28
_SHARED_BITS: Final = 64 - ID_BITS
_SHARED: Final = (1 << _SHARED_BITS) - 1
_SHORT: Final = (1 << 32) - 1
_PARENT: Final = "json_extract_string(extensions, '$.traceparent')"
_WELL_FORMED: Final = "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
_TRACE_ID: Final = re.compile("[0-9a-f]{32}", re.ASCII)
_NO_TRACE: Final = "0" * 32

ID_HASH: Final = "md5_number_lower(id)"
PAIR_HASH: Final = "md5_number_lower(bus || chr(31) || source)"
KEY: Final = f"xor({ID_HASH}, {PAIR_HASH} & {_SHARED})"
"""UBIGINT, of the columns bus, source and id."""
SUBJECT: Final = f"CAST(md5_number_lower(subject) & {_SHORT} AS UINTEGER)"
"""UINTEGER, of the column subject; NULL without."""
TRACE: Final = (
    f"CASE WHEN regexp_full_match({_PARENT}, '{_WELL_FORMED}')"
    f" AND substr({_PARENT}, 4, 32) <> '{_NO_TRACE}'"
    f" THEN CAST('0x' || substr({_PARENT}, 28, 8) AS UINTEGER) END"
)
"""UINTEGER, of the W3C trace id in the column extensions; NULL without, or where it is malformed."""

Keys = npt.NDArray[np.uint64]


def key_of(bus: str, source: str, event_id: str) -> int:
    """The key of one event."""
    return id_hash(event_id) ^ pair_hash(bus, source)


def id_hash(event_id: str) -> int:
    """What ID_HASH gives: 64 bits."""
    return _md5(event_id)


def pair_hash(bus: str, source: str) -> int:
    """The part of a key that bus and source make: 36 bits."""
    return _md5(f"{bus}\x1f{source}") & _SHARED


def join(id_hashes: Keys, pair_hashes: Keys) -> Keys:
    """Keys from id_hash and pair_hash of each event."""
    return id_hashes ^ pair_hashes


def id_prefix(event_id: str) -> int:
    """The upper 28 bits of all keys with this id."""
    return id_hash(event_id) >> _SHARED_BITS


def subject_hash(subject: str) -> int:
    """32 bits."""
    return _md5(subject) & _SHORT


def trace_hash(trace_id: str) -> int | None:
    """32 bits of a W3C trace id, whose last digits are random; None where it is malformed."""
    if not _TRACE_ID.fullmatch(trace_id) or trace_id == _NO_TRACE:
        return None
    return int(trace_id[-8:], 16)


def _md5(text: str) -> int:
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[8:], "little")
