"""Event patterns: which events a rule, a query or a preview means.

`EventPattern.parse` reads the language (docs/patterns.md) and lists every problem at once; `match` asks one
event in Python; `queries.search` compiles the same tree to SQL, and a property test holds the two together.
"""

from eventcenter.pattern.parse import InvalidPattern, Problem
from eventcenter.pattern.pattern import EventPattern, paths
from eventcenter.pattern.tree import (
    ATTRIBUTES,
    All,
    Any,
    AnythingBut,
    Condition,
    Contains,
    Exact,
    Exists,
    Node,
    Numeric,
    Path,
    Prefix,
    Scalar,
    Suffix,
    Test,
)

__all__ = [
    "ATTRIBUTES",
    "All",
    "Any",
    "AnythingBut",
    "Condition",
    "Contains",
    "EventPattern",
    "Exact",
    "Exists",
    "InvalidPattern",
    "Node",
    "Numeric",
    "Path",
    "Prefix",
    "Problem",
    "Scalar",
    "Suffix",
    "Test",
    "paths",
]
