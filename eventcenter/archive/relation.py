"""SQL text of "all events", over whatever parts they lie in.

The columns stay the same, whatever form the events are kept in (docs/sql.md tells people about them). Payload
paths come as further columns when they are asked for: from a promoted column where a part has one, from the
JSON text elsewhere. Nothing that an event holds is part of the text, only paths, quoted in one place.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from eventcenter.archive.manifest import FORM_OF_UUIDS, Fresh, Layout, PromotedPath, Segment

COLUMNS: Final = (
    "seq",
    "bus",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "time_text",
    "datacontenttype",
    "dataschema",
    "extensions",
    "data",
    "data_kind",
    "received_at",
)
_OF_FRESH: Final = ("key", *COLUMNS)
UTC_FORMS: Final = 10
"""`time_form` of a segment: 1 + digits of the fraction where the text ends in Z, 11 + digits for +00:00."""
TIME_TEXT: Final = f"""CASE WHEN time_form IS NULL THEN time_text ELSE
    left(strftime(time AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f'),
        CASE time_form % {UTC_FORMS} WHEN 1 THEN 19 ELSE 20 + (time_form - 1) % {UTC_FORMS} END)
    || CASE WHEN time_form > {UTC_FORMS} THEN '+00:00' ELSE 'Z' END END"""

ID: Final = "coalesce(id, CAST(id_uuid AS VARCHAR))"
MARK_OF_TRACE: Final = "\x01"
"""Stands in `extended` for trace id and parent id of the traceparent: no JSON text holds this character."""
TRACE_MARK: Final = f"chr({ord(MARK_OF_TRACE)})"
TRACE_TEXT: Final = f"""replace(CAST(trace AS VARCHAR), '-', '') || '-' || CASE WHEN span >= {1 << 60}
    THEN lower(to_hex(span)) ELSE lpad(lower(to_hex(span)), 16, '0') END"""
"""What it stands for. To fill up with zeros costs more than all the rest, and is mostly not needed."""
EXTENSIONS: Final = f"""CASE WHEN trace IS NULL THEN extensions
    ELSE replace(extended, {TRACE_MARK}, {TRACE_TEXT}) END"""

_AS_NUMBERS: Final = {"id": ID, "extensions": EXTENSIONS}

Want = Literal["text", "DOUBLE", "BIGINT", "TRY_DOUBLE", "TRY_BIGINT"]
"""What a payload path is asked for: what `data->>path` gives, that text cast, or that text TRY_CAST."""


@dataclass(frozen=True, kw_only=True)
class PathColumn:
    """A payload path as a further column."""

    path: str
    """JSON pointer (RFC 6901) of object keys."""
    want: Want
    name: str
    """The column's name, of letters, digits and underscores."""
    always: bool = False
    """It is read of every event that passes, so that one look at the text may do for several such."""


@dataclass(frozen=True, kw_only=True)
class PathTest:
    """A condition on what lies at a payload path as a further column, BOOLEAN."""

    path: str
    """JSON pointer (RFC 6901) of object keys."""
    name: str
    of: Callable[[PromotedPath | None], str]
    """The condition in the form for how events keep the path; None: as JSON text only."""


def settled(segment: Segment, name: str) -> str:
    """The expression for one of COLUMNS in a segment, from what its form keeps."""
    if name == "time_text":
        return TIME_TEXT
    if segment.form >= FORM_OF_UUIDS:
        return _AS_NUMBERS.get(name, name)
    return name


def events(
    layout: Layout,
    *,
    columns: Sequence[str] = COLUMNS,
    paths: Sequence[PathColumn | PathTest] = (),
    rows: Mapping[int, Sequence[int]] | None = None,
    subject: str | None = None,
    place: bool = False,
    ordered: bool = True,
) -> str:
    """A SELECT of all events with these of COLUMNS, and with `paths` as further columns.

    To name few columns pays even where the engine would read no others: it plans each of every part.
    `rows`: of segments only these (segment number → row numbers), with all of the fresh events.
    `subject`: what all of the segments' `rows` have, so that it need not be read.
    `place`: also the columns `part` (segment number, NULL for fresh) and `row`.
    `ordered`: False where nobody puts ORDER BY, LIMIT or a sample over it, which makes single rows cheaper.
    """
    branches = []
    for segment in layout.segments:
        if rows is not None and not rows.get(segment.number):
            continue
        texts = _texts_in(segment.paths, paths)
        selected = [_column(segment, name, subject) for name in columns]
        selected += [f"{_of_segment(segment, column, texts)} AS {column.name}" for column in paths]
        if place:
            selected += [f"{segment.number}::BIGINT AS part", "rowid AS row"]
        where = ""
        if rows is not None:
            where = f" WHERE {is_row(rows[segment.number], ordered=ordered)}"
        branches.append(f"SELECT {', '.join(selected)} FROM {segment.catalog}.events{where}")  # noqa: S608
    for fresh in layout.fresh:
        texts = _texts_in(fresh.paths, paths)
        selected = [*columns, *(f"{_of_fresh(fresh, column, texts)} AS {column.name}" for column in paths)]
        if place:
            selected += ["NULL::BIGINT AS part", "rowid AS row"]
        branches.append(f"SELECT {', '.join(selected)} FROM main.{fresh.table}")  # noqa: S608
    return " UNION ALL ".join(branches)


def text_of(path: str) -> str:
    """The expression for what `data->>path` gives."""
    return f"json_extract_string(data, {quoted(path)})"


def texts_of(paths: Iterable[str]) -> str:
    """The expression for a list of what `data->>path` gives for each path, in one pass over the text."""
    return f"json_extract_string(data, [{', '.join(map(quoted, paths))}])"


def text_in(fresh: Fresh, path: str) -> str:
    """The expression for what `data->>path` gives in a table of fresh events."""
    return fresh.paths[path].text if path in fresh.paths else text_of(path)


def columns_of(fresh: Fresh) -> list[str]:
    """All columns of a table of fresh events, those of its paths last."""
    return [*_OF_FRESH, *(promoted.text for promoted in fresh.paths.values())]


def quoted(text: str) -> str:
    """`text` as a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def pointer(keys: Iterable[str]) -> str:
    """The JSON pointer of these keys."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def is_row(rows: Sequence[int], *, ordered: bool = True) -> str:
    """The condition for these rows of a part; `ordered` as for `events`."""
    # One row is joined as well: `rowid = 1` below ORDER BY with LIMIT, or a sample of rows, is an internal
    # error of DuckDB 2.0, and that closes the whole archive.
    if len(rows) == 1 and not ordered:
        return f"rowid = {int(rows[0])}"
    # A list written out makes the engine scan; a join with it reads these rows only. As one text, since each
    # number that stands for itself is planned for itself.
    listed = ",".join(str(int(row)) for row in rows)
    return f"rowid IN (SELECT unnest('[{listed}]'::BIGINT[]))"


def _column(segment: Segment, name: str, subject: str | None) -> str:
    if name == "subject" and subject is not None:
        return f"{quoted(subject)} AS subject"
    kept = settled(segment, name)
    return name if kept == name else f"{kept} AS {name}"


def _texts_in(kept: Mapping[str, PromotedPath], paths: Sequence[PathColumn | PathTest]) -> dict[str, str]:
    """By path, the expression for its text in a part that has no column for it.

    Of several that are always read they are items of one list: the engine sees that it is the same one, and
    reads the JSON once.
    """
    lacking = [each for each in paths if isinstance(each, PathColumn) and each.path not in kept]
    together = list(dict.fromkeys(each.path for each in lacking if each.always))
    found = {each.path: text_of(each.path) for each in lacking}
    if len(together) > 1:
        found |= {path: f"{texts_of(together)}[{place}]" for place, path in enumerate(together, 1)}
    return found


def _of_text(column: PathColumn, text: str) -> str:
    if column.want == "text":
        return text
    wanted = column.want.removeprefix("TRY_")
    return f"{'TRY_CAST' if column.want.startswith('TRY_') else 'CAST'}({text} AS {wanted})"


def _of_fresh(fresh: Fresh, column: PathColumn | PathTest, texts: Mapping[str, str]) -> str:
    promoted = fresh.paths.get(column.path)
    if isinstance(column, PathTest):
        return column.of(promoted)
    return _of_text(column, texts[column.path] if promoted is None else promoted.text)


def _of_segment(segment: Segment, column: PathColumn | PathTest, texts: Mapping[str, str]) -> str:
    promoted = segment.paths.get(column.path)
    if isinstance(column, PathTest):
        return column.of(promoted)
    if promoted is None:
        return _of_text(column, texts[column.path])
    if column.want == "text" or promoted.number is None or not _says_all(promoted, column.want):
        return _of_text(column, promoted_text(promoted))
    return f"CAST({promoted.number} AS {column.want.removeprefix('TRY_')})"


def promoted_text(promoted: PromotedPath) -> str:
    """The expression for what `data->>path` gives, from a part's columns."""
    if not promoted.sole:
        return promoted.text
    return f"coalesce({promoted.text}, CAST({promoted.number} AS VARCHAR))"


def _says_all(promoted: PromotedPath, want: Want) -> bool:
    """Whether the number column gives what the cast of the text would, an error included."""
    if promoted.number_type == "DOUBLE":
        # A cast of 2.5 to BIGINT rounds otherwise than that of its text.
        return want == "TRY_DOUBLE" or (want == "DOUBLE" and promoted.clean)
    return promoted.clean
