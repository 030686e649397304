"""The scan of many events in tests: what it is sure of, and how it is without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from ingest.validation import Limits, scanner

LIMITS = Limits()


@contextmanager
def unloaded() -> Iterator[None]:
    """As where numba is missing."""
    with mock.patch.object(scanner._Loaded, "module", None):
        yield


def sure(raw: bytes, limits: Limits = LIMITS) -> bytes | None:
    """The line of the event (in one line), None where the scan is in doubt; alike in all forms of a body."""
    first = scanner.scan(raw, scanner.ONE, limits)
    assert first is not None
    result = None if first.doubts else bytes(first.lines)
    second = scanner.scan(raw, scanner.LINES, limits)
    assert second is not None
    assert result == (None if second.doubts else bytes(second.lines))
    third = scanner.scan(b"[%b]" % raw, scanner.ARRAY, limits)
    if result is not None:
        assert third is not None
        assert result == bytes(third.lines)
    return result
