"""Questions about a tenant's events: search, counts over time, most frequent values, rejects."""

from queries.request import EventFilter, SearchRequest, SearchResult
from queries.runner import Queries

__all__ = ["EventFilter", "Queries", "SearchRequest", "SearchResult"]
