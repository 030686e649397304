"""Cursors: opaque, signed, good for one tenant and one question.

A cursor is base64url of a JSON body behind 16 bytes of HMAC-SHA256 over body, tenant and question. Nobody can
make or bend one without the key, and one of another tenant or of other filters is refused like a forged one.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import TypeVar

import msgspec

from eventcenter.errors import InvalidInput

_MAC_BYTES = 16
_LONGEST = 512

P = TypeVar("P", bound=msgspec.Struct)


class Cursors:
    """Writes and reads cursors under one key (random without one: then a restart ends all paging).

    A question is a text that names the listing and its filters; each listing has a kind of place of its own.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def write(self, tenant_id: str, question: str, place: msgspec.Struct) -> str:
        """The cursor that goes on after `place`."""
        body = msgspec.json.encode(place)
        mac = self._mac(tenant_id, question, body)
        return base64.urlsafe_b64encode(mac + body).rstrip(b"=").decode()

    def read(self, tenant_id: str, question: str, cursor: str, kind: type[P]) -> P:
        """Where to go on. Raises InvalidInput for anything but a cursor of this tenant and question."""
        try:
            if len(cursor) > _LONGEST:
                raise _refused(cursor)
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if not hmac.compare_digest(mac, self._mac(tenant_id, question, body)):
                raise _refused(cursor)
            return msgspec.json.decode(body, type=kind)
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
