"""Rejects as people look at them."""

from dataclasses import dataclass
from datetime import datetime

SHOWN_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Reject:
    """Something that was sent and refused."""

    id: int
    bus: str
    received_at: datetime
    reason: str
    """A word: invalid, id_reused, unreadable, …"""
    error: str
    """What is wrong, in a sentence."""
    content_type: str | None
    event_index: int | None
    """Which one of the request it was, from 0."""
    size: int
    """Bytes that were kept."""
    text: str
    """The first 4 KiB as text, with what cannot be seen written as escapes."""
    bytes: bytes | None
    """All of it; None in lists."""


@dataclass(frozen=True, kw_only=True)
class RejectPage:
    """Newest first."""

    rejects: tuple[Reject, ...]
    next: str | None


def visible(raw: bytes) -> str:
    """Bytes as text that shows all it holds: control characters and direction overrides as escapes."""
    text = raw[:SHOWN_BYTES].decode(errors="backslashreplace")
    return "".join(c if c.isprintable() or c in "\n\t" else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
