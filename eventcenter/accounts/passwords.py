"""Passwords: argon2id, checked with the same work whether an account exists or not."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from eventcenter.errors import Busy

_AT_ONCE = 4
_WAITING_AT_MOST = 8
_MEMORY_KIB = 19 * 1024


class Passwords:
    """Hashes and checks (argon2id, 19 MiB, two passes). Few run at once, so memory stays bounded."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=_MEMORY_KIB, parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_hex(16))
        self._running = threading.BoundedSemaphore(_AT_ONCE)
        self._places = threading.BoundedSemaphore(_AT_ONCE + _WAITING_AT_MOST)

    def hash(self, password: str) -> str:
        """What the store keeps of a password. Raises Busy when too many are being checked."""
        with self._place():
            return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is right; without a stored hash it takes as long and says no.

        Raises Busy when too many are being checked.
        """
        with self._place():
            try:
                right = self._hasher.verify(stored or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return False
            return right and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Busy(
                "Too many sign-ins at once.",
                retry_after=2,
                rule=f"{_AT_ONCE} passwords are checked at once and {_WAITING_AT_MOST} wait",
                remedy="try again in two seconds",
            )
        try:
            with self._running:
                yield
        finally:
            self._places.release()
