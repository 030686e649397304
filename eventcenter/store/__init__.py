"""The relational store: who may do what, rules and targets, and the truth about what we did with events."""

from eventcenter.store.backup import copy_database
from eventcenter.store.store import ReadOnlyStore, Store

__all__ = ["ReadOnlyStore", "Store", "copy_database"]
