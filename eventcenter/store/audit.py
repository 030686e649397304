"""The audit: one row for every change that the API makes, in the transaction of the change."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from eventcenter.access import Principal
from eventcenter.store.models import Audit
from eventcenter.store.writer import CLOCK

_CREDENTIAL = re.compile(r"ec[tsl]_[A-Za-z0-9_-]{8,}|access_token=|\bSEC[0-9a-f]{16,}", re.IGNORECASE)
_LONGEST = 300


def audit(
    session: Session,
    principal: Principal | str,
    action: str,
    object: str,  # noqa: A002 the column's name
    detail: Mapping[str, Any] | None = None,
    *,
    at: datetime | None = None,
    tenant_id: str | None = None,
) -> None:
    """Note that `principal` (or an actor's name, such as `cli`) did `action` (`bus.create`) to `object`.

    Call it in `Store.write`, with the session of the change.

    The row belongs to the principal's tenant unless `tenant_id` says otherwise. `detail` says what changed in
    public words. Raises ValueError if it looks like it holds a credential, so that tests find the mistake.
    """
    kept = dict(detail or {})
    if _CREDENTIAL.search(repr(kept)):
        raise ValueError(f"the audit of {action} would keep a secret")
    who = principal if isinstance(principal, str) else principal.actor
    tenant = tenant_id or (None if isinstance(principal, str) else principal.tenant_id)
    row = Audit(
        tenant_id=tenant,
        actor=who[:_LONGEST],
        action=action,
        object=object[:_LONGEST],
        detail=kept,
        at=at or session.info[CLOCK].now(),
    )
    session.add(row)
