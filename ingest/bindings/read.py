"""One door for all modes: a body (and headers) in, journal lines and rejects out."""

from eventcenter.errors import EventCenterError
from ingest.bindings.binary import Headers, line_of_binary, shown_message
from ingest.bindings.mode import Mode
from ingest.validation import Checked, Limits, check_array, check_lines, check_one
from ingest.validation.checked import reject
from ingest.validation.scanned import Body


def read(mode: Mode, headers: Headers, body: Body, limits: Limits) -> Checked:
    """The events of a body; pure. `headers` are those of `headers_of` and matter in binary mode only.

    Refused events are in the result, as is a body that cannot be taken apart (one reject, index 0).
    """
    try:
        if mode is Mode.BINARY:
            return Checked(payload=line_of_binary(headers, bytes(body), limits), count=1)
        if mode is Mode.STRUCTURED:
            return check_one(body, limits)
        if mode is Mode.BATCHED:
            return check_array(body, limits)
        return check_lines(body, limits)
    except EventCenterError as error:
        shown = shown_message(headers, bytes(body)) if mode is Mode.BINARY else bytes(body)
        return Checked(payload=b"", count=0, rejects=(reject(0, error, shown, limits.max_event_bytes),))
