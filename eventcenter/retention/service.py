"""The parts of retention, built together."""

import hmac
from collections.abc import Callable

from eventcenter.archive import Archives
from eventcenter.archive.segment import Scratch
from eventcenter.retention.deletions import DeletionBook
from eventcenter.retention.keeper import Keeper
from eventcenter.retention.looks import Looks
from eventcenter.retention.policies import PolicyBook
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.secrets import SecretBox


class Retention:
    """Policies, holds and deletions, which check what a principal may, and the keeper that does the work."""

    def __init__(
        self,
        *,
        store: Store,
        archives: Archives,
        secrets: SecretBox,
        settings: Settings,
        key: bytes,
        make_scratch: Callable[[], Scratch],
    ) -> None:
        """`key` is the installation's, from which those for cursors and hashes are made."""
        looks = Looks(archives, store.clock)
        self.policies = PolicyBook(store, archives, looks)
        self.deletions = DeletionBook(
            store, looks, secrets=secrets, key=hmac.digest(key, b"deletions", "sha256"), settings=settings
        )
        self.keeper = Keeper(
            store=store,
            archives=archives,
            secrets=secrets,
            deletions=self.deletions,
            make_scratch=make_scratch,
            every_s=settings.retention_every_s,
        )
