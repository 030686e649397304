"""How long events are kept: policies, legal holds, and the deletion of one subject's events."""

from eventcenter.retention.keeper import Keeper
from eventcenter.retention.service import Retention

__all__ = ["Keeper", "Retention"]
