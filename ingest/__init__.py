"""Ingest: events over HTTP, checked, journalled, answered. `api.py` is the door."""
