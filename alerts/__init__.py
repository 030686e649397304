"""Rules, their alerts, and the messages that leave the house. The ways in: `Alerts` and `alerts.api`."""

from alerts.service import Alerts

__all__ = ["Alerts"]
