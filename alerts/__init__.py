"""Rules, their alerts, and the messages that leave the house. The ways in: `alerts.service`, `alerts.api`."""
