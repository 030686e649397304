"""Bindings: pure functions between what arrives on the wire and checked events."""

from ingest.bindings.binary import headers_of, quick_line
from ingest.bindings.mode import Mode, mode_of
from ingest.bindings.read import read

__all__ = ["Mode", "headers_of", "mode_of", "quick_line", "read"]
