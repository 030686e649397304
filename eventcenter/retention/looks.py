"""Looks into archives on behalf of retention: what there is, and what would go."""

import threading
from collections.abc import Mapping

from eventcenter.archive import Archives, removal
from eventcenter.archive import retention as limits
from eventcenter.archive.removal import Removed
from eventcenter.archive.retention import Known, Policies, Usage
from eventcenter.archive.subject import of_subject
from eventcenter.clock import Clock


class Looks:
    """Asks a tenant's archive; what is found of a segment, which never changes, is remembered."""

    def __init__(self, archives: Archives, clock: Clock) -> None:
        self._archives = archives
        self._clock = clock
        self._mutex = threading.Lock()
        self._known: dict[str, Known] = {}

    def usage(self, tenant_id: str) -> Mapping[str, Usage]:
        """What each bus takes, of those that hold events."""
        with self._archives.tenant(tenant_id).reader() as reader, self._mutex:
            return limits.usage(reader, self._known.setdefault(tenant_id, {}))

    def going(self, tenant_id: str, policies: Policies) -> Removed:
        """What goes by the policies now."""
        with self._archives.tenant(tenant_id).reader() as reader, self._mutex:
            known = self._known.setdefault(tenant_id, {})
            found = limits.expired(reader, policies, self._clock.now(), known)
            return Removed() if found is None else removal.look(reader, found)

    def let_finish(self, tenant_id: str) -> None:
        """Wait until what is being written at this moment is: a removal that did not know of a hold."""
        archive = self._archives.tenant(tenant_id)
        if archive.is_open:
            archive.write(lambda _: None)

    def of_subject(self, tenant_id: str, subject: str, bus: str | None) -> Removed:
        """What a deletion of the subject would take away."""
        with self._archives.tenant(tenant_id).reader() as reader:
            return removal.look(reader, of_subject(reader, subject, bus=bus, deletion=None))
