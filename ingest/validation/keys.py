"""Whether a key stands twice in one object of the data of many events, without building objects for it.

Producers send the same keys again and again. A reader made for the data of one type of events wants each key
it knows at least once, on all levels, and no other. Then a key that stands twice makes more keys than the
reader has; and as `":` stands behind every key as long as no space stands before a colon, counting it can say
too many (it may stand in a string as well) but never too few. So the right number means: each key once.

The reader skips over values and finds bad grammar in them. What it does not look at, UTF-8, is looked at for
all texts together; what does not fit goes to the parser that finds all by itself, at four times the cost.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jiter
import msgspec

_MOST_KEYS: Final = 300
_MOST_READERS: Final = 1024
_MOST_COUNTED: Final = 10_000
_LEARN_AT: Final = 16
_LONGEST: Final = 4000
"""In a longer text a number may have more digits than the parser takes."""
_KEY_END: Final = b'":'


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one object of known keys."""

    decode: Callable[[bytes], Any]
    keys: int
    """On all levels."""


_readers: dict[str, _Reader | None] = {}
"""By type of events; None where a reader does not pay."""
_seen: Counter[str] = Counter()


def find_duplicates(array: bytes) -> list[Any]:
    """The array's values. Raises ValueError for duplicate keys and all that is not strict JSON."""
    found: list[Any] = jiter.from_json(
        array, catch_duplicate_keys=True, cache_mode="keys", allow_inf_nan=False
    )
    return found


def check_data(types: Sequence[str], texts: Sequence[bytes], whole: bytes, *, spaced: bool) -> None:
    """Raises ValueError for duplicate keys and all that is not strict JSON in `texts`.

    Each text is JSON but for that, or empty; `types` are those of their events. `whole` is all that are not
    empty, with commas between; `spaced` says that a TAB, LF or CR may stand in it.
    """
    if spaced or b" :" in whole:
        find_duplicates(b"[%b]" % whole)
        return
    whole.decode()
    doubtful: list[bytes] = []
    missed: Counter[str] = Counter()
    for kind, text in zip(types, texts, strict=True):
        if not text:
            continue
        reader = _readers.get(kind) or _learn(kind, text)
        if reader is None or len(text) > _LONGEST:
            doubtful.append(text)
            continue
        try:
            reader.decode(text)
            fits = text.count(_KEY_END) == reader.keys
        except msgspec.MsgspecError:
            fits = False
        if not fits:
            doubtful.append(text)
            missed[kind] += 1
    if doubtful:
        find_duplicates(b"[%b]" % b",".join(doubtful))
    for kind, times in missed.items():
        if times > types.count(kind) // 2:
            _readers[kind] = None


def _learn(kind: str, text: bytes) -> _Reader | None:
    """A reader for data like this, once the type has come often enough; None where there is none."""
    if kind in _readers or len(_readers) >= _MOST_READERS:
        return None
    if len(_seen) >= _MOST_COUNTED:
        _seen.clear()
    _seen[kind] += 1
    if _seen[kind] < _LEARN_AT:
        return None
    [sample] = find_duplicates(b"[%b]" % text)
    reader = None
    if isinstance(sample, dict) and 0 < (keys := _count(sample)) <= _MOST_KEYS:
        reader = _Reader(msgspec.json.Decoder(_object(sample)).decode, keys)
    _readers[kind] = reader
    return reader


def _count(sample: dict[str, Any]) -> int:
    return len(sample) + sum(_count(value) for value in sample.values() if isinstance(value, dict))


def _object(sample: dict[str, Any]) -> type[msgspec.Struct]:
    """A class whose instances have exactly the sample's keys; values other than objects are skipped over."""
    names = {f"f{index}": key for index, key in enumerate(sample)}
    fields = [
        (name, _object(sample[key]) if isinstance(sample[key], dict) else msgspec.Raw)
        for name, key in names.items()
    ]
    return msgspec.defstruct("Data", fields, rename=names, forbid_unknown_fields=True, gc=False)
