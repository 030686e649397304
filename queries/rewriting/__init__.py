"""Statements of people, answered from promoted columns, indexes and roll-ups where these give the same."""

from queries.rewriting.rewrite import Rewritten, rewrite

__all__ = ["Rewritten", "rewrite"]
