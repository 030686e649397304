"""The secret box: encrypts what the store must keep but nobody may read."""

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from eventcenter.errors import InvalidInput, Unavailable
from eventcenter.settings import Settings

_RULE = "the key is 32 random bytes as 44 characters of URL-safe base64"
_KEY_MODE = 0o600


class SecretBox:
    """Encrypts and decrypts with the installation's key (Fernet: AES-128-CBC and HMAC-SHA-256).

    The key is the setting `secret_key`, or the key file beside the data folder, made on first use with mode
    0600. Raises InvalidInput for a key that is none.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.secret_key is not None:
            self._where = "the setting EVENTCENTER_SECRET_KEY"
            key = settings.secret_key.encode()
        else:
            path = settings.secret_key_path
            self._where = f"the key file {path}"
            key = _read_or_make(path)
        self._key = key.strip()
        try:
            self._fernet = Fernet(self._key)
        except ValueError:
            raise InvalidInput(
                f"The key in {self._where} is not one.",
                rule=_RULE,
                remedy="restore the key from your backup; without it stored secrets must be entered again",
            ) from None

    def encrypt(self, plain: bytes) -> bytes:
        """`plain` sealed; the same bytes give another result each time."""
        return self._fernet.encrypt(plain)

    def decrypt(self, sealed: bytes) -> bytes:
        """What was sealed. Raises Unavailable if another key sealed it."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise Unavailable(
                f"The stored secrets were sealed with another key than the one in {self._where}.",
                rule="the store opens only with the key that it was made with",
                remedy="restore the key from your backup, or enter the secrets again",
            ) from None

    def fingerprint(self, plain: bytes) -> str:
        """64 hex digits, the same for the same bytes; without the key nobody can try out guesses."""
        return hmac.digest(self._key, plain, hashlib.sha256).hex()


def _read_or_make(path: Path) -> bytes:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and linked into place, so that another process never reads half a key.
        aside = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        if not path.exists():
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _KEY_MODE)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(Fernet.generate_key())
                    file.flush()
                    os.fsync(file.fileno())
                _link(aside, path)
            finally:
                aside.unlink(missing_ok=True)
        return path.read_bytes()
    except OSError as error:
        raise Unavailable(
            "The key file cannot be read or made.",
            value=f"{path}: {error.strerror}",
            rule="the key file lies outside the data folder and is readable by the server alone",
            remedy="correct its owner or its place (EVENTCENTER_KEY_FILE), or set EVENTCENTER_SECRET_KEY",
        ) from error


def _link(aside: Path, path: Path) -> None:
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        return
