"""Who a session cookie stands for, asked of the API and kept for at most two seconds."""

import hashlib
import threading
import time
from collections import OrderedDict

from eventcenter.client import Client, Me
from eventcenter.errors import Forbidden, NotFound, Unauthenticated

COOKIE = "ec_session"
_KEPT_S = 2.0
_MOST = 2048


class Identities:
    """Answers of GET /v1/me by the hash of the credential; an unknown session is never kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[float, Me]] = OrderedDict()

    def resolve(self, client: Client, credential: str | None) -> Me | None:
        """Who it is, or None if there is no such session. Raises Unavailable."""
        if not credential or not credential.startswith("ecs_") or not credential.isascii():
            return None
        key = hashlib.sha256(credential.encode()).digest()
        with self._lock:
            known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < _KEPT_S:
            return known[1]
        asked = time.monotonic()
        try:
            me = client.with_credential(credential).me()
        except (Unauthenticated, Forbidden, NotFound):
            self.forget(credential)
            return None
        with self._lock:
            self._known[key] = (asked, me)
            self._known.move_to_end(key)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return me

    def forget(self, credential: str) -> None:
        """Ask again next time: after sign-out or a change of tenant."""
        with self._lock:
            self._known.pop(hashlib.sha256(credential.encode()).digest(), None)


IDENTITIES = Identities()
