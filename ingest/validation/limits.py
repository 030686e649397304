"""The limits of one event and one body, as plain numbers that travel to the workers."""

from dataclasses import dataclass

from eventcenter.settings import Settings

MAX_EVENTS_PER_BODY = 100_000
"""Keeps a body of many tiny wrong events from occupying a worker for minutes."""

MAX_REJECTS_TOLD = 1000
"""Rejects named one by one in an answer; the rest is a number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """All lengths of attributes in characters, sizes in bytes, nesting in levels."""

    max_event_bytes: int = 256 << 10
    max_body_bytes: int = 16 << 20
    max_nesting: int = 64
    max_id_length: int = 128
    max_source_length: int = 128
    max_type_length: int = 64
    max_subject_length: int = 512
    max_extension_name_length: int = 64

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits that the settings name."""
        return cls(
            max_event_bytes=settings.max_event_bytes,
            max_body_bytes=settings.max_body_bytes,
            max_nesting=settings.max_nesting,
            max_id_length=settings.max_id_length,
            max_source_length=settings.max_source_length,
            max_type_length=settings.max_type_length,
            max_subject_length=settings.max_subject_length,
            max_extension_name_length=settings.max_extension_name_length,
        )
