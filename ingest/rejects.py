"""What was refused → lines of a REJECTS block."""

import base64

import msgspec

from ingest.validation import Reject

_SHOWN_ERROR = 2000
_LONGEST_CONTENT_TYPE = 255
_encode = msgspec.json.Encoder().encode


def reject_line(reject: Reject, content_type: str) -> bytes:
    """The line of one refused event."""
    return (
        _encode(
            {
                "reason": "invalid",
                "error": reject.error[:_SHOWN_ERROR],
                "bytes": base64.b64encode(reject.data).decode(),
                "content_type": content_type[:_LONGEST_CONTENT_TYPE],
                "index": reject.index,
            }
        )
        + b"\n"
    )
