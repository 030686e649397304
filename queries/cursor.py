"""Cursors: opaque, signed, good for one tenant and one question.

A cursor is base64url of a JSON body behind 16 bytes of HMAC-SHA256 over body, tenant and question. Nobody can
make or bend one without the key, and one of another tenant or of other filters is refused like a forged one.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

import msgspec

from eventcenter.errors import InvalidInput

_MAC_BYTES = 16
_LONGEST = 512


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended."""

    last: int
    """seq of the last event, or id of the last reject."""
    bound: int = 0
    """The newest seq when the first page was asked for: what comes later is in no page."""
    micros: int | None = None
    """The last event's time in microseconds since 1970, where pages are ordered by time."""


_decode = msgspec.json.Decoder(Place).decode


class Cursors:
    """Writes and reads cursors under one key (random without one: then a restart ends all paging)."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def write(self, tenant_id: str, question: str, place: Place) -> str:
        """The cursor that goes on after `place`."""
        body = msgspec.json.encode(place)
        mac = self._mac(tenant_id, question, body)
        return base64.urlsafe_b64encode(mac + body).rstrip(b"=").decode()

    def read(self, tenant_id: str, question: str, cursor: str) -> Place:
        """Where to go on. Raises InvalidInput for anything but a cursor of this tenant and question."""
        try:
            if len(cursor) > _LONGEST:
                raise _refused(cursor)
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if not hmac.compare_digest(mac, self._mac(tenant_id, question, body)):
                raise _refused(cursor)
            return _decode(body)
        except (binascii.Error, ValueError, msgspec.DecodeError) as error:
            raise _refused(cursor) from error

    def _mac(self, tenant_id: str, question: str, body: bytes) -> bytes:
        signed = b"".join(
            len(part).to_bytes(8, "big") + part for part in (tenant_id.encode(), question.encode(), body)
        )
        return hmac.new(self._key, signed, hashlib.sha256).digest()[:_MAC_BYTES]


def _refused(cursor: str) -> InvalidInput:
    return InvalidInput(
        "The cursor is not one of these pages.",
        value=cursor,
        rule="a cursor is `next` of the page before, with the same filters and order, unchanged",
        remedy="leave the cursor out to start again at the first page",
    )
