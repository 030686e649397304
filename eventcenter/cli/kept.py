"""What the retention commands need of the store; imported only by them, for it takes a second to load."""

from collections.abc import Iterator
from contextlib import contextmanager

from eventcenter.archive import Archives
from eventcenter.retention import book
from eventcenter.retention.deletions import DeletionBook
from eventcenter.retention.looks import Looks
from eventcenter.retention.policies import PolicyBook
from eventcenter.retention.shapes import Limits, NewDeletion, NewHold
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import Session

__all__ = ["Limits", "NewDeletion", "NewHold", "PolicyBook", "deletions", "policies"]


@contextmanager
def deletions(chosen: Settings, store: Store) -> Iterator[DeletionBook]:
    """The deletions of the store; the archives themselves are the server's."""
    archives = Archives(chosen.tenants_dir)
    try:
        yield DeletionBook(store, Looks(archives, store.clock), secrets=SecretBox(chosen), settings=chosen)
    finally:
        archives.close()


def policies(store: Store, tenant_id: str) -> list[tuple[str, str, str, str]]:
    """Bus, days, bytes and hold's reason; first those of the tenant, whose bus is `*`."""

    def ask(session: Session) -> list[tuple[str, str, str, str]]:
        rows, holds = book.rows(session, tenant_id), book.holds(session, tenant_id)
        found = []
        for bus in (book.WHOLE, *book.bus_names(session, tenant_id)):
            policy, hold = rows.get(bus), holds.get(bus)
            unset = "without end" if policy is not None or bus == book.WHOLE else "as the tenant"
            days, most = (policy.max_age_days, policy.max_bytes) if policy is not None else (None, None)
            found.append((bus or "*", str(days or unset), str(most or unset), hold.reason if hold else ""))
        return found

    return store.read(ask)
