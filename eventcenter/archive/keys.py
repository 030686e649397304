"""Hashes that events are found by.

They only narrow a search: whoever uses them compares what was found in full.

A key has 64 bits. The upper 28 tell the id alone, the lower 36 bus, source and id. A segment's index keeps
the upper 40 of them; all 64 go into the Bloom filters, so that ids which many sources use (counters) do not
crowd there.
"""

import re
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eventcenter.archive.hashing import hash_text, hash_texts, joined

ID_BITS: Final = 28
_SHARED_BITS: Final = 64 - ID_BITS
_SUBJECT_BITS: Final = 32
_SHARED: Final = np.uint64((1 << _SHARED_BITS) - 1)
_PARENT: Final = "json_extract_string(extensions, '$.traceparent')"
_WELL_FORMED: Final = "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
_TRACE_ID: Final = re.compile("[0-9a-f]{32}", re.ASCII)
_NO_TRACE: Final = "0" * 32

TRACE: Final = (
    f"CASE WHEN regexp_full_match({_PARENT}, '{_WELL_FORMED}')"
    f" AND substr({_PARENT}, 4, 32) <> '{_NO_TRACE}'"
    f" THEN CAST('0x' || substr({_PARENT}, 28, 8) AS UINTEGER) END"
)
"""SQL: UINTEGER, of the W3C trace id in the column extensions; NULL without, or where it is malformed."""
TRACED: Final = (
    f"CASE WHEN length({_PARENT}) >= 55 AND substr({_PARENT}, 4, 32) <> '{_NO_TRACE}'"
    f" THEN substr({_PARENT}, 4, 49) END"
)
"""SQL: trace id, hyphen and parent id in the column extensions; of what is malformed, anything or NULL."""

Keys = npt.NDArray[np.uint64]
Texts: TypeAlias = "pa.Array | pa.ChunkedArray"


def keys_of(bus: Texts, source: Texts, event_id: Texts) -> Keys:
    """The key of each event, from columns of texts, which may be dictionaries."""
    pairs = joined(_hashes(bus), _hashes(source))
    pairs &= _SHARED
    pairs ^= _hashes(event_id)
    return pairs


def key_of(bus: str, source: str, event_id: str) -> int:
    """The key of one event."""
    return int(keys_of(*(pa.array([text], pa.string()) for text in (bus, source, event_id)))[0])


def id_prefix(event_id: str) -> int:
    """The upper 28 bits of all keys with this id."""
    return hash_text(event_id) >> _SHARED_BITS


def subject_hashes(subjects: Texts) -> npt.NDArray[np.uint32]:
    """32 bits of each subject; of a null, any."""
    return _hashes(subjects).astype(np.uint32)


def subject_hash(subject: str) -> int:
    """32 bits."""
    return hash_text(subject) & ((1 << _SUBJECT_BITS) - 1)


def trace_hash(trace_id: str) -> int | None:
    """32 bits of a W3C trace id, whose last digits are random; None where it is malformed."""
    if not _TRACE_ID.fullmatch(trace_id) or trace_id == _NO_TRACE:
        return None
    return int(trace_id[-8:], 16)


def _hashes(texts: Texts) -> Keys:
    if not pa.types.is_dictionary(texts.type):
        return hash_texts(texts)
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    hashes = [hash_texts(one.dictionary).take(np.asarray(one.indices)) for one in chunks]
    return np.concatenate(hashes) if hashes else np.empty(0, np.uint64)
