"""The two walls before the engine: what is refused, what passes, and what a refusal says."""

import pytest

from eventcenter.archive.syntax import NotParsed, parse
from eventcenter.errors import InvalidInput
from queries.guard import DEEPEST, MOST_BYTES, check, depth
from queries.walk import Walk
from tests.queries.attacks import ALLOWED, ATTACKS, LONG

REFUSED = [(kind, sql) for kind, statements in ATTACKS.items() for sql in statements]


def shortened(sql: str) -> str:
    return sql if len(sql) < 90 else f"{sql[:60]}…{len(sql)}"


def test_the_tables_are_long() -> None:
    assert len({sql for _, sql in REFUSED}) >= 250
    assert len(set(ALLOWED)) >= 60


@pytest.mark.parametrize(("kind", "sql"), REFUSED, ids=[f"{kind}: {shortened(sql)}" for kind, sql in REFUSED])
def test_attacks_are_refused(kind: str, sql: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(sql)
    assert refused.value.rule
    assert refused.value.remedy


@pytest.mark.parametrize("sql", ALLOWED + LONG, ids=shortened)
def test_questions_pass(sql: str) -> None:
    assert check(sql).sql == sql


@pytest.mark.parametrize(
    "kind", ["files", "network", "writes", "settings", "catalogue", "names", "recursion"]
)
def test_the_second_wall_alone(kind: str) -> None:
    """Without the first one: whatever the engine can read is refused by its tree."""
    for sql in ATTACKS[kind]:
        try:
            [statement] = parse(sql)
        except NotParsed:
            continue
        with pytest.raises(InvalidInput):
            Walk(sql, {}).statement(statement)


@pytest.mark.parametrize(
    ("sql", "deep"),
    [
        ("SELECT ((1))", 2),
        ("SELECT '((((' || \"((((\"", 0),
        ("SELECT 1 -- ((((\n, (1)", 1),
        ("SELECT /* (((( */ [1]", 1),
        ("SELECT $$((((\n$$, $x$(( $$ ((($x$, {'a': 1}", 1),
        (r"SELECT e'\'((((', (1)", 1),
        (r"SELECT date'\', (1)", 1),
        ("SELECT 'a''((((', (1)", 1),
        ("SELECT '((((", 0),
        ("SELECT $1, $2, (1)", 1),
    ],
)
def test_depth_is_counted_outside_of_texts(sql: str, deep: int) -> None:
    assert depth(sql) == deep


def test_what_is_just_small_enough_passes() -> None:
    check("SELECT " + "(" * DEEPEST + "1" + ")" * DEEPEST)
    check("SELECT '" + "x" * (MOST_BYTES - 9) + "'")
    check("SELECT " + ", ".join("(1)" for _ in range(900)))


def test_a_refusal_names_what_and_where() -> None:
    with pytest.raises(InvalidInput) as refused:
        check("SELECT 'é', x FROM events,\n  read_csv('/etc/passwd')")
    assert "read_csv" in refused.value.detail
    assert refused.value.value == "character 30: read_csv('/etc/passwd')"
    assert "range" in (refused.value.rule or "")
    with pytest.raises(InvalidInput) as refused:
        check("SELECT * FROM fresh_1")
    assert "events, rejects, origins, deliveries" in (refused.value.rule or "")
    with pytest.raises(InvalidInput) as refused:
        check("SELECT date_tru('hour', time) FROM events")
    assert "date_trunc" in (refused.value.remedy or "")
    with pytest.raises(InvalidInput) as refused:
        check("SELECT é FROM FROM events")
    assert refused.value.value == "character 15: FROM events"


def test_tables_are_told() -> None:
    assert check("SELECT 1").tables == frozenset()
    assert check("WITH rejects AS (SELECT 1) SELECT * FROM rejects, Events").tables == {"events"}
    assert check("SELECT (SELECT max(id) FROM deliveries)").tables == {"deliveries"}


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ?", []),
        ("SELECT ?", [1, 2]),
        ("SELECT $a", {"b": 1}),
        ("SELECT $a", [1]),
        ("SELECT 1", {"a": 1}),
        ("SELECT $a", {"a": {"b": 1}}),
        ("SELECT $a", {"a": [[1]]}),
        ("SELECT $a", {"a": ["x"] * 10_001}),
        ("SELECT $a", {"a": "x" * 300_000}),
        ("SELECT $a || $a", {"a": "x" * 60_000}),
        ("SELECT repeat('x', $a)", {"a": 2_000_000_000}),
        ("SELECT lpad('x', $a, 'x')", {"a": 2_000_000_000}),
        ("SELECT regexp_matches(id, $a) FROM events", {"a": "(a{1000}){1000}"}),
        ("SELECT replace(data, $a, $b) FROM events", {"a": "a", "b": "b" * 100}),
        ("SELECT range($a)", {"a": 10**12}),
    ],
)
def test_wrong_parameters_are_refused(sql: str, parameters: object) -> None:
    with pytest.raises(InvalidInput):
        check(sql, parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ?, ?", [1, None]),
        ("SELECT $1, $2, $1", ["a", 1.5]),
        ("SELECT * FROM events WHERE id IN (SELECT unnest($ids)) AND seq > $seq", {"ids": ["a"], "seq": 1}),
        ("SELECT * FROM events WHERE list_contains($ids, id)", {"ids": ["a", "b"]}),
        ("SELECT repeat('x', $n)", {"n": 10}),
        ("SELECT regexp_matches(id, $p) FROM events", {"p": "^a+$"}),
    ],
)
def test_parameters_pass(sql: str, parameters: object) -> None:
    check(sql, parameters)  # type: ignore[arg-type]
