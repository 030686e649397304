"""The tree that a pattern is read into: frozen, small, easy to walk.

    Node      = All(nodes) | Any(nodes) | Condition(path, test)
    Test      = Exact | Prefix | Suffix | Contains | AnythingBut | Numeric | Exists

A condition looks at the values found at its path. Arrays on the way are searched, and an array at the end
stands for its elements; an array directly inside an array is not opened, and an object is no value. A
condition holds if any of the values passes the test.

Types are strict: `80` is not `"80"`, `true` is not `"true"`. Numbers compare by value: two whole numbers
written without `.` and `e` exactly (up to 38 digits), any other pair as IEEE doubles, so `300`, `300.0` and
`3e2` are equal.
"""

from dataclasses import dataclass
from itertools import product
from typing import Literal

Scalar = str | int | float | bool | None
Operator = Literal["=", "!=", "<", "<=", ">", ">="]

ATTRIBUTES: tuple[str, ...] = (
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
)
"""The attributes that CloudEvents names. Any other top-level key but `data` is an extension attribute."""

DATA = "data"


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """Where a condition looks: an attribute, an extension attribute, or a place in `data`."""

    field: str
    """Name of the attribute, or `data`."""
    keys: tuple[str, ...] = ()
    """Keys below `data`, as they stand in the pattern; empty for attributes and for the whole of `data`."""

    @property
    def text(self) -> str:
        """For people: `type`, `data.request.status`."""
        return ".".join((self.field, *self.keys))

    @property
    def readings(self) -> tuple[tuple[str, ...], ...]:
        """Every way to go: a key with dots is one key of that name, and also a way through nested objects."""
        ways = [((key,), tuple(key.split("."))) if "." in key else ((key,),) for key in self.keys]
        return tuple(tuple(key for part in way for key in part) for way in product(*ways))


@dataclass(frozen=True, kw_only=True, slots=True)
class Exact:
    """The value is this one, of the same type."""

    value: Scalar


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefix:
    """A string that begins with `text` (not empty, case-sensitive)."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Suffix:
    """A string that ends with `text` (not empty, case-sensitive)."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Contains:
    """A string with `text` somewhere in it (not empty, case-sensitive)."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AnythingBut:
    """A value (null is one too) that passes none of `tests`; a missing value does not pass."""

    tests: tuple[Exact | Prefix | Suffix, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Numeric:
    """A number for which every comparison holds: one, or two for a range."""

    comparisons: tuple[tuple[Operator, int | float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exists:
    """True: there is a value; null is one, an object or an empty array is none. False: nothing is there.

    At an object or an empty array neither holds.
    """

    present: bool


Test = Exact | Prefix | Suffix | Contains | AnythingBut | Numeric | Exists


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """Any value at `path` passes `test`."""

    path: Path
    test: Test


@dataclass(frozen=True, kw_only=True, slots=True)
class All:
    """Every node holds; without nodes: always true."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Any:
    """At least one node holds."""

    nodes: tuple["Node", ...]


Node = All | Any | Condition
