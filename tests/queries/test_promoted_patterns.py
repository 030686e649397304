"""Patterns over columns of promoted paths find what `EventPattern.match` says, whatever lies at the path."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from eventcenter.archive import settle
from eventcenter.archive.manifest import Layout
from eventcenter.archive.promotion import Plan
from eventcenter.archive.segment import Scratch
from eventcenter.event import Event
from eventcenter.pattern import EventPattern, InvalidPattern
from queries.request import EventFilter, SearchRequest
from tests.properties.about import Dice
from tests.properties.json_texts import NUMBERS, TEXTS, escaped
from tests.queries.filling import TENANT, Filling
from tests.support.seeds import seeds

STRINGS = [
    escaped(text, ascii_only=half) for text in [*TEXTS, "404", "[1]", "9" * 30] for half in (False, True)
]
WHOLE = ["0", "-1", "404", "405", str(2**53 + 1), str(2**63 - 1), str(-(2**63))]
SCALARS = [*STRINGS, *NUMBERS, "404", "true", "false", "null"]
ODD = [*SCALARS, "{}", '{"a":1}', "[]", "[404]", '["404",[1],{"a":404}]', "[null]", '[["a"]]']
NUMBER_PLANS: list[tuple[Plan, ...]] = [
    (Plan(path="/a", number_type=None), Plan(path="/b/a", number_type=None)),
    (Plan(path="/a", number_type="BIGINT"), Plan(path="/b/a", number_type="DOUBLE")),
    (Plan(path="/a", number_type="BIGINT", sole=True), Plan(path="/b/a", number_type="BIGINT", sole=True)),
    (Plan(path="/b/a", number_type="DOUBLE"), Plan(path="/a", number_type="DOUBLE")),
]
AT_A: dict[str, Sequence[str]] = {
    "strings": STRINGS,
    "numbers": NUMBERS,
    "whole numbers": WHOLE,
    "strings or null": [*STRINGS, "null"],
    "numbers or null": [*NUMBERS, "null"],
    "booleans": ["true", "false"],
    "nulls": ["null"],
    "scalars": SCALARS,
    "anything": ODD,
}


class Archived:
    """Events in segments with columns for /a and /b/a, and some fresh ones."""

    def __init__(self, filling: Filling, folder: Path) -> None:
        self.filling = filling
        self.events: list[Event] = []
        self._scratch = folder / "scratch"

    def add(self, texts: Sequence[str | None]) -> None:
        self.add_events([self.filling.event(text) for text in texts])

    def add_events(self, events: Sequence[Event]) -> None:
        events = [replace(event, id=f"x{len(self.events) + place}") for place, event in enumerate(events)]
        self.filling.add(events)
        self.events += events

    def settle(self, plans: tuple[Plan, ...]) -> None:
        """The fresh events become a segment."""
        archive = self.filling.archives.tenant(TENANT)
        archive.rotate()
        self._do(Layout(fresh=archive.layout().fresh[:-1], segments=()), plans)

    def begin_table(self) -> None:
        """What is added from here on is fresh and has columns for the paths of the newest segment."""
        archive = self.filling.archives.tenant(TENANT)
        archive.rotate()
        assert archive.layout().current.paths.keys() == archive.layout().segments[-1].paths.keys()

    def merge(self, plans: tuple[Plan, ...]) -> None:
        """All segments become one."""
        archive = self.filling.archives.tenant(TENANT)
        self._do(Layout(fresh=(), segments=archive.layout().segments), plans)

    def check(self, text: str) -> None:
        pattern = EventPattern.parse(text)
        expected = [place for place, event in enumerate(self.events, 1) if pattern.match(event)]
        queries = self.filling.queries
        page = queries.search(TENANT, SearchRequest(pattern=pattern, limit=500, order="oldest"))
        differing = {each.seq for each in page.events} ^ set(expected)
        assert not differing, (text, [self.events[seq - 1].data for seq in sorted(differing)])
        assert queries.count(TENANT, pattern=pattern) == len(expected), text

    def _do(self, parts: Layout, plans: tuple[Plan, ...]) -> None:
        archive = self.filling.archives.tenant(TENANT)
        with archive.upkeep():
            settle.do(
                archive,
                lambda: Scratch(self._scratch, memory_bytes=256 << 20),
                settle.Work(parts=parts, plans=plans),
            )


@pytest.fixture
def archived(filling: Filling, tmp_path: Path) -> Archived:
    return Archived(filling, tmp_path)


def conditions_of(values: Sequence[str]) -> Iterator[str]:
    """Conditions that some of these values pass."""
    for value in dict.fromkeys(values):
        yield from (f"[{value}]", f'[{{"anything-but":{value}}}]')
        read = json.loads(value)
        if isinstance(read, str) and read:
            for operator, part in (("prefix", read[:1]), ("suffix", read[-1:]), ("contains", read[-2:])):
                yield f'[{{"{operator}":{json.dumps(part)}}}]'
            yield f'[{{"anything-but":{{"prefix":{json.dumps(read[:1])}}}}}]'
        elif isinstance(read, int | float) and not isinstance(read, bool):
            yield from (f'[{{"numeric":["{operator}",{value}]}}]' for operator in (">", "<=", "!="))
    yield from ('[{"exists":true}]', '[{"exists":false}]', '["404",404]', '[{"contains":"0"},405,null]')


def is_valid(text: str) -> bool:
    try:
        EventPattern.parse(text)
    except InvalidPattern:
        return False
    return True


@pytest.mark.parametrize(
    "plans",
    [
        pytest.param(NUMBER_PLANS[0], id="texts", marks=pytest.mark.long),
        pytest.param(NUMBER_PLANS[1], id="whole and double"),
        pytest.param(NUMBER_PLANS[2], id="sole"),
        pytest.param(NUMBER_PLANS[3], id="double", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("name", AT_A)
def test_one_kind_of_values(archived: Archived, name: str, plans: tuple[Plan, ...]) -> None:
    values = AT_A[name]
    archived.add([f'{{"a":{value},"b":{{"a":{value}}}}}' for value in values] + [None, "{}", '{"b":1}'])
    archived.settle(plans)
    archived.add(['{"a":"404"}', '{"a":404}', '{"a":[404]}'])
    archived.begin_table()
    archived.add([f'{{"b":{{"a":{value}}},"a":{value}}}' for value in values] + [None, "[1]", '{"a":[404]}'])
    chance = random.Random(f"{name} {plans}")
    tests = [*conditions_of(values), *chance.sample([*conditions_of(SCALARS)], 12)]
    for test in chance.sample(tests, min(len(tests), 20)):
        text = chance.choice([f'{{"data":{{"a":{test}}}}}', f'{{"data":{{"b":{{"a":{test}}}}}}}'])
        if is_valid(text):
            archived.check(text)


def test_columns_of_fresh_events_are_asked_first(archived: Archived) -> None:
    """Where the text tells enough: a column that says something else than the data is believed."""
    archived.add(['{"a":1}'])
    archived.settle(NUMBER_PLANS[0])
    archived.begin_table()
    archived.add(['{"a":"x"}', '{"a":7}', '{"a":"\\u0037"}', "{}", '{"z":[]}'])
    archive = archived.filling.archives.tenant(TENANT)
    fresh = archive.layout().current
    column = fresh.paths["/a"].text

    def change(connection: duckdb.DuckDBPyConnection) -> None:
        for old, new in (("x", "other"), ("7", "8")):
            connection.execute(f"UPDATE {fresh.table} SET {column} = ? WHERE {column} = ?", [new, old])

    archive.write(change)

    def count(test: str) -> int:
        pattern = EventPattern.parse(f'{{"data":{{"a":[{test}]}}}}')
        return archived.filling.queries.count(TENANT, pattern=pattern)

    assert [count(test) for test in ('"x"', '"other"', "7", "8")] == [0, 1, 0, 1]
    # What stands in the data with an escape may be a string: there the data itself is asked.
    assert count('"7"') == 0
    assert count('{"numeric":["=",8]}') == 1


def test_arrays_above_and_at_the_path(archived: Archived) -> None:
    plans = NUMBER_PLANS[1]
    archived.add(['{"a":404,"b":{"a":404}}', '{"a":405,"b":{"a":405}}'])
    archived.settle(plans)
    archived.add(
        ['[{"a":404,"b":{"a":404}}]', ' [ {"a":[404]} ]', '{"b":[{"a":404},{"a":[1,404]},[{"a":404}]]}']
    )
    archived.settle(plans)
    archived.add(['{"a":[404,"404"],"b":{"a":["x"]}}', '{"a":"[404]"}', '{"a":[[404]]}'])
    for _ in range(2):
        for test in (
            "404",
            '"404"',
            '{"numeric":[">",400]}',
            '{"contains":"4"}',
            '{"anything-but":404}',
            "null",
        ):
            archived.check(f'{{"data":{{"a":[{test}]}}}}')
            archived.check(f'{{"data":{{"b":{{"a":[{test}]}}}}}}')
            archived.check(f'{{"data":{{"$or":[{{"a":[{test}]}},{{"b":{{"a":[{test},"x"]}}}}]}}}}')
        for there in ("true", "false"):
            archived.check(f'{{"data":{{"a":[{{"exists":{there}}}]}}}}')
            archived.check(f'{{"data":{{"b.a":[{{"exists":{there}}}]}}}}')
        archived.merge(plans)


def test_what_lies_at_paths_is_known_after_each_merge(archived: Archived, filling: Filling) -> None:
    plans = NUMBER_PLANS[0]

    def kinds() -> list[object]:
        return [one.paths["/b/a"].kinds for one in filling.archives.tenant(TENANT).layout().segments]

    archived.add(['{"b":{"a":"x"}}', "{}", '{"b":{"a":1.5}}'])
    archived.settle(plans)
    archived.add(['{"b":{"a":null}}', '{"b":[1]}', '{"b":{"a":[1]}}'])
    archived.settle(plans)
    archived.add(['{"b":{"a":{}}}', '{"b":{"a":true}}', '{"b":"a"}', None])
    archived.settle(plans)
    assert kinds() == [{"string", "number"}, {"null", "array", "above"}, {"object", "boolean"}]
    archived.merge(plans)
    assert kinds() == [{"string", "number", "null", "array", "above", "object", "boolean"}]


@pytest.mark.parametrize("seed", seeds(3))
def test_any_events_and_patterns_about_them(archived: Archived, seed: int) -> None:
    dice = Dice(seed)
    chance = random.Random(seed)
    for _ in range(3):
        archived.add_events([dice.event() for _ in range(40)])
        archived.settle((*chance.choice(NUMBER_PLANS), Plan(path="/a/b", number_type=None)))
    archived.add_events([dice.event() for _ in range(20)])
    archived.begin_table()
    archived.add_events([dice.event() for _ in range(20)])
    for merged in (False, True):
        if merged:
            archived.merge(NUMBER_PLANS[0])
        for _ in range(15):
            archived.check(dice.pattern(archived.events).text)


def test_paths_that_patterns_ask_for_often_are_promoted(archived: Archived, tmp_path: Path) -> None:
    archived.add(['{"a":{"b":1}}', *['{"c":["x"]}'] * 4])
    archived.settle(())
    archive = archived.filling.archives.tenant(TENANT)
    pattern = EventPattern.parse('{"data":{"a":{"b":[1]}}}')
    queries = archived.filling.queries
    for _ in range(3):
        queries.matches(TENANT, pattern=pattern, after_seq=0, up_to_seq=9, limit=1)
        queries.count(TENANT, pattern=EventPattern.parse('{"type":["test.made"]}'))

    def promoted() -> set[str]:
        settle.step(archive, lambda: Scratch(tmp_path / "other", memory_bytes=256 << 20), idle=False)
        return set(archive.layout().segments[0].paths)

    assert promoted() == set()
    queries.count(TENANT, pattern=pattern)
    queries.search(TENANT, SearchRequest(pattern=pattern))
    queries.histogram(TENANT, EventFilter(pattern=pattern))
    assert "/a/b" in promoted()
    assert queries.count(TENANT, pattern=pattern) == 1
