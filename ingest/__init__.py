"""Ingest: events over HTTP, checked, journalled, answered. `service.run` is the door to the process."""
