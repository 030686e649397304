"""The parts of retention, built together."""

from collections.abc import Callable

from eventcenter.archive import Archives
from eventcenter.archive.segment import Scratch
from eventcenter.retention.deletions import DeletionBook
from eventcenter.retention.keeper import Keeper
from eventcenter.retention.looks import Looks
from eventcenter.retention.overview import Overview
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
        make_scratch: Callable[[], Scratch],
        cursor_key: bytes | None = None,
    ) -> None:
        """`cursor_key` signs cursors; without one they are good for as long as the process lives."""
        self.looks = Looks(archives, store.clock)
        self.policies = PolicyBook(store)
        self.overview = Overview(store, self.looks)
        self.deletions = DeletionBook(
            store, self.looks, secrets=secrets, settings=settings, cursor_key=cursor_key
        )
        self.keeper = Keeper(
            store=store,
            archives=archives,
            secrets=secrets,
            deletions=self.deletions,
            make_scratch=make_scratch,
            every_s=settings.retention_every_s,
        )
