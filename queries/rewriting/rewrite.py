"""A statement as it was written → one that gives the same answer from what the archive keeps for it.

Promoted columns in the place of payload paths, indexes for ids and subjects, roll-ups for counts, keys before
rows for the newest. Where anything is not as plain as these need it, the statement stays as it was.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec

from eventcenter.archive.archive import Reader
from eventcenter.archive.manifest import Fresh, Layout
from eventcenter.archive.relation import COLUMNS, PathColumn, events, is_row
from eventcenter.archive.syntax import Tree
from eventcenter.archive.untrusted import peek
from eventcenter.clock import to_micros
from queries import parts
from queries.picked import Picked
from queries.request import EventFilter
from queries.rewriting import counts, lookups, newest, paths, tree
from queries.rewriting.newest import Part, Rows, Wanted
from queries.rewriting.tree import From

_EVENTS_PER_ROW: Final = 20_000
"""A row by its number costs about as much as so many rows in a scan."""
_MOST_FRESH: Final = 50_000
"""So many fresh events are looked through together with the rows that indexes pick."""
_MOST_MORE: Final = 64
"""So many rows more than are asked for are read at once."""
_SECRET: Final = secrets.token_bytes(32)


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """What to run in the place of a statement."""

    sql: str | None
    """None: the statement as it was written."""
    paths: tuple[str, ...] = ()
    """JSON pointers of the payload paths that it uses."""


def rewrite(statement: Tree, parameters: Sequence[Any] | Mapping[str, Any], reader: Reader) -> Rewritten:
    """The statement for this reader's snapshot, with the same parameters. `statement` stays as it is.

    Raises NotRun where a condition fails on its events, Unavailable where time runs out.
    """
    given = _by_name(parameters)
    changed = tree.copied(statement)
    both = list(zip(tree.selects(statement["node"]), tree.selects(changed["node"]), strict=True))
    work = _Work(reader, given, _prefix(statement), ordered=tree.is_ordered(statement))
    root = changed["node"]
    for _, select in both:
        for source in tree.sources(select):
            work.look(select, source, first=select is root)
    if not work.relations:
        return Rewritten(sql=None, paths=tuple(work.paths))
    for former, select in both:
        _keep_names(former, select)
    text = tree.written(changed)
    if text is not None:
        for token, relation in work.relations.items():
            text = text.replace(token, f"({relation})", 1)
    return Rewritten(sql=text, paths=tuple(work.paths))


def _keep_names(former: Tree, select: Tree) -> None:
    """Let the columns of an answer have the names that they would have had."""
    for was, each in zip(former["select_list"], select["select_list"], strict=True):
        if not each["alias"] and each["class"] != "STAR" and tree.bare(was) != tree.bare(each):
            each["alias"] = tree.named(was)


def _prefix(statement: Tree) -> str:
    """A beginning of names that nobody knows, the same for the same statement, so that texts can be kept."""
    return "ec" + hmac.digest(_SECRET, msgspec.json.encode(statement), "sha256").hex()[:16]


class _Work:
    """One statement's changes."""

    def __init__(self, reader: Reader, parameters: Mapping[str, Any], prefix: str, *, ordered: bool) -> None:
        self._reader = reader
        self._ordered = ordered
        self._parameters = parameters
        self._prefix = prefix
        self.relations: dict[str, str] = {}
        """What stands for a name in the text."""
        self.paths: dict[str, None] = {}

    def look(self, select: Tree, source: From, *, first: bool) -> None:
        """Change a SELECT and what it selects from, if that pays. `first`: it is the statement itself."""
        layout = parts.filled(self._reader.layout, self._reader.last_seq)
        used = paths.used(select, source)
        self.paths.update(dict.fromkeys(used))
        token = f"{self._prefix}x{len(self.relations)}x"
        cells = (
            None
            if used
            else counts.relation(select, source, self._reader, self._parameters, f"{self._prefix}n")
        )
        if cells is not None:
            self._put(source, token, cells)
            return
        which = lookups.wanted(select, source, self._parameters) if source.alone else None
        columns = paths.columns(select, source, layout, f"{self._prefix}c{len(self.relations)}c")
        names = [each.name for each in columns]
        own = _own(tree.columns(select, source))
        asked = newest.wanted(select, source, self._parameters, names) if first else None
        keys = None if asked is None else tree.written(asked.statement(token))
        few = layout if which is None else self._meeting(layout, which)
        if asked is not None and keys is not None:
            given = self._used(asked.where)
            named = tree.columns({"where": asked.where}, source)
            keyed = _own(None if named is None else [*named, asked.column])

            def first_of(part: Part) -> list[tuple[int, Any]]:
                only = _only(part)
                sql = keys.replace(token, f"({_relation(only, keyed, columns, which, place=True)})", 1)
                return [(row["row"], row["key"]) for row in peek(self._reader, sql, given)]

            taken = None
            if which is not None and lookups.decides(select, source, self._parameters):
                taken = self._foremost(asked, few, which, first_of)
            if taken is None:
                rows = newest.by_part(newest.find(asked, few, first_of))
                relation = _of_rows(layout, rows, own, columns)
            else:
                any_part = () if len(taken[0]) else self._reader.layout.fresh[-1:]
                relation = _of_taken(taken, few.fresh or any_part, own, columns)
            self._put(source, token, relation)
        elif columns or which is not None:
            self._put(source, token, _relation(few, own, columns, which, ordered=self._ordered))

    def _meeting(self, layout: Layout, which: EventFilter) -> Layout:
        """Without the parts in which no event has the id or subject, as far as known; at least one part."""
        kept = tuple(one for one in layout.segments if len(parts.rows_of(one, which)))
        fresh = parts.fresh_with(self._reader, layout.fresh, which)
        fresh = fresh or (() if kept else self._reader.layout.fresh[-1:])
        return Layout(fresh=fresh, segments=kept)

    def _foremost(
        self,
        asked: Wanted,
        layout: Layout,
        which: EventFilter,
        first_of: Callable[[Part], list[tuple[int, Any]]],
    ) -> tuple[Picked, Rows | None] | None:
        """The settled and fresh rows that may be the asked ones; None where indexes tell too little.

        Of many fresh events the first ones are looked for; few come along as they are, and then their rows
        are None.
        """
        picked = (
            Picked.of(layout, which, asked.column, newest=asked.descending).told(self._reader, which).sure()
        )
        fresh = self._reader.last_seq + 1 - min((one.first_seq for one in layout.fresh), default=0)
        rows: Rows | None = None
        known: list[int] = []
        if layout.fresh and fresh > _MOST_FRESH:
            found = newest.find(asked, Layout(fresh=layout.fresh, segments=()), first_of)
            sign = 1 if asked.descending else -1
            known = [sign * _number(each.key) for each in found if each.key is not None]
            rows = newest.by_part(found)
        taken, _ = picked.foremost(asked.count, known)
        return (taken, rows) if len(taken) <= asked.count + _MOST_MORE else None

    def _put(self, source: From, token: str, relation: str) -> None:
        table = source.table
        table["alias"] = table["alias"] or table["table_name"]
        table["table_name"] = token
        table["qualified_name"] = {"path": [token]}
        self.relations[token] = relation

    def _used(self, where: Tree | None) -> dict[str, Any]:
        names = [each["identifier"] for each in tree.expressions(where) if each["class"] == "PARAMETER"]
        return {name: self._parameters[name] for name in names}


def _number(key: int | datetime) -> int:
    """A seq, or a time in microseconds since 1970."""
    return key if isinstance(key, int) else to_micros(key)


def _own(names: Sequence[str] | None) -> Sequence[str]:
    """Those of an event's columns, at least one."""
    if names is None:
        return COLUMNS
    return [name for name in COLUMNS if name in names] or COLUMNS[:1]


def _only(part: Part) -> Layout:
    if isinstance(part, Fresh):
        return Layout(fresh=(part,), segments=())
    return Layout(fresh=(), segments=(part,))


def _relation(
    layout: Layout,
    own: Sequence[str],
    columns: Sequence[PathColumn],
    which: EventFilter | None,
    *,
    place: bool = False,
    ordered: bool = True,
) -> str:
    """The events of these parts; of segments those rows that may pass `which`."""
    select = partial(events, columns=own, paths=columns, place=place, ordered=ordered)
    if which is None:
        return select(layout)
    found = [(one, parts.rows_of(one, which)) for one in layout.segments]
    many = tuple(one for one, rows in found if len(rows) * _EVENTS_PER_ROW > one.events)
    few = [(one, rows) for one, rows in found if len(rows) * _EVENTS_PER_ROW <= one.events]
    branches = []
    if layout.fresh or many:
        branches.append(select(Layout(fresh=layout.fresh, segments=many)))
    if few:
        rows_by_number = {one.number: rows.tolist() for one, rows in few}
        chosen = Layout(fresh=(), segments=tuple(one for one, _ in few))
        branches.append(select(chosen, rows=rows_by_number))
    return " UNION ALL ".join(branches)


def _of_rows(layout: Layout, rows: Rows, own: Sequence[str], columns: Sequence[PathColumn]) -> str:
    """These rows of these parts."""
    select = partial(events, columns=own, paths=columns)
    branches = []
    for one in layout.segments:
        taken = rows.get((False, one.number))
        if taken:
            branches.append(select(Layout(fresh=(), segments=(one,)), rows={one.number: taken}))
    for part in layout.fresh:
        taken = rows.get((True, part.number))
        if taken:
            relation = select(Layout(fresh=(part,), segments=()))
            branches.append(f"{relation} WHERE {is_row(taken)}")
    any_part = Layout(fresh=layout.fresh[:1], segments=() if layout.fresh else layout.segments[:1])
    return " UNION ALL ".join(branches or [f"{select(any_part)} WHERE false"])


def _of_taken(
    taken: tuple[Picked, Rows | None],
    fresh: tuple[Fresh, ...],
    own: Sequence[str],
    columns: Sequence[PathColumn],
) -> str:
    """What `_foremost` told."""
    picked, rows = taken
    if rows is None:
        return picked.source(fresh, columns=own, paths=columns, place=False)
    of_fresh = _of_rows(Layout(fresh=fresh, segments=()), rows, own, columns)
    of_segments = picked.source(columns=own, paths=columns, place=False)
    return f"{of_segments} UNION ALL {of_fresh}" if of_segments else of_fresh


def _by_name(parameters: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(parameters, Mapping):
        return dict(parameters)
    return {str(place): value for place, value in enumerate(parameters, 1)}
