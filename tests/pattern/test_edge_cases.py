"""The edge cases of the event bus dialects, and what we decided: one row each, in Python and in SQL."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventcenter.event import Event
from eventcenter.pattern import EventPattern, InvalidPattern
from queries.request import EventFilter, SearchRequest
from tests.queries.filling import TENANT, Filling

MISSING = "{}"


def k(value: str) -> str:
    """Data whose k is this JSON text."""
    return f'{{"k":{value}}}'


# (conditions on data.k, the event's data, whether it matches)
ON_K: list[tuple[str, str | None, bool]] = [
    ('{"exists":true}', k('{"x":1}'), False),
    ('{"exists":false}', k('{"x":1}'), False),
    ('{"exists":true}', k("null"), True),
    ('{"exists":false}', k("null"), False),
    ('{"exists":true}', k("[]"), False),
    ('{"exists":false}', k("[]"), False),
    ('{"exists":true}', MISSING, False),
    ('{"exists":false}', MISSING, True),
    ('{"exists":false}', None, True),
    ('{"exists":true}', None, False),
    ("true", k('"true"'), False),
    ("true", k("true"), True),
    ("80", k('"80"'), False),
    ('"80"', k("80"), False),
    ("1", k("true"), False),
    ("0", k("false"), False),
    ("300", k("300.0"), True),
    ("300", k("3e2"), True),
    ("300.0", k("300"), True),
    ("3.0e2", k("300"), True),
    ('{"anything-but":"a"}', k('["a","b"]'), True),
    ('{"anything-but":"a"}', k('["a"]'), False),
    ('{"anything-but":"a"}', k("[]"), False),
    ('{"anything-but":"a"}', MISSING, False),
    ('{"anything-but":"a"}', k("null"), True),
    ('{"anything-but":null}', k("null"), False),
    ('{"anything-but":null}', k("0"), True),
    ('{"anything-but":12}', k('"12"'), True),
    ('{"anything-but":12}', k("12.0"), False),
    ('{"anything-but":[1,"a",null]}', k('"1"'), True),
    ('{"anything-but":[1,"a",null]}', k("1"), False),
    ('{"anything-but":{"prefix":"a"}}', k('"ab"'), False),
    ('{"anything-but":{"prefix":"a"}}', k('"ba"'), True),
    ('{"anything-but":{"prefix":"a"}}', k("1"), True),
    ('{"anything-but":{"suffix":"a"}}', k('"ba"'), False),
    ('{"anything-but":"a"}', k('{"x":"b"}'), False),
    ("null", MISSING, False),
    ("null", k("null"), True),
    ("null", k('"null"'), False),
    ('""', MISSING, False),
    ('""', k('""'), True),
    ('""', k("null"), False),
    ('{"numeric":["!=",5]}', k("6"), True),
    ('{"numeric":["!=",5]}', k("5.0"), False),
    ('{"numeric":["!=",5]}', k('"6"'), False),
    ('{"numeric":[">",0,"<=",5]}', k("5"), True),
    ('{"numeric":[">",0,"<=",5]}', k("0"), False),
    ('{"numeric":[">",0,"<=",5]}', k("[9,-1]"), False),
    ('{"numeric":["=",5]}', k('"5"'), False),
    ('{"numeric":["=",5]}', k("true"), False),
    ('{"numeric":[">",1000000001]}', k("1762000000000"), True),
    ('{"contains":"b"}', k('"abc"'), True),
    ('{"contains":"n"}', k('"\\n"'), False),
    ('{"contains":"\\u0041"}', k('"xAx"'), True),
    ('{"contains":"b"}', k('["x","abc"]'), True),
    ('{"contains":"1"}', k("10"), False),
    ('{"prefix":"a"}', k('"ab"'), True),
    ('{"prefix":"A"}', k('"ab"'), False),
    ('{"prefix":"\\\\"}', k('"\\n"'), False),
    ('{"suffix":"\\""}', k('"a\\""'), True),
    ('{"suffix":"\\""}', k('"a"'), False),
    ('"A"', k('"\\u0041"'), True),
    ('"a\\u0000"', k('"a\\u0000"'), True),
    ('"a\\u0000"', k('"a"'), False),
    ("18446744073709551617", k("18446744073709551616"), False),
    ("18446744073709551617", k("18446744073709551617"), True),
    ("1234567890123456789", k("1234567890123456788"), False),
    ("1234567890123456789", k("1234567890123456789"), True),
    ('{"numeric":[">",1234567890123456788]}', k("1234567890123456789"), True),
    ("0.1", k("0.10000000000000000001"), True),
    ("1", k("[1,{}]"), True),
    ("1", k("[[1]]"), False),
    ("1", k('[{"k":1}]'), False),
    ('{"exists":true}', k("[[1]]"), False),
    ("1", "[" + k("1") + "]", True),
    ("1", "5", False),
    ('{"exists":false}', "5", True),
]

# (whole pattern, the event's data, whether it matches)
WHOLE: list[tuple[str, str | None, bool]] = [
    ("{}", k("1"), True),
    ("{}", None, True),
    ('{"data":{"a.b":[1]}}', '{"a":{"b":1}}', True),
    ('{"data":{"a.b":[1]}}', '{"a.b":1}', True),
    ('{"data":{"a":{"b":[1]}}}', '{"a.b":1}', False),
    ('{"data.a.b":[1]}', '{"a":{"b":1}}', True),
    ('{"data":{"a.b":[{"exists":false}]}}', '{"a.b":1}', False),
    ('{"data":{"a.b":[{"exists":false}]}}', '{"a":{"b":1}}', False),
    ('{"data":{"a.b":[{"exists":false}]}}', '{"a":1}', True),
    ('{"data":{"*":[1]}}', '{"a":1}', False),
    ('{"data":{"*":[1]}}', '{"*":1}', True),
    ('{"data":{"l":{"id":["x"]}}}', '{"l":[{"id":"x"}]}', True),
    ('{"data":{"l":{"id":["x"]}}}', '{"l":[{"id":"y"},{"id":["z","x"]}]}', True),
    ('{"data":{"l":{"id":["x"]}}}', '{"l":[[{"id":"x"}]]}', False),
    ('{"data":{"l":{"0":["x"]}}}', '{"l":["x"]}', False),
    ('{"data":{"0":["x"]}}', '["x"]', False),
    ('{"data":["x"]}', '"x"', True),
    ('{"data":["x"]}', '["y","x"]', True),
    ('{"data":[{"exists":false}]}', None, True),
    ('{"data":[null]}', "null", True),
    ('{"data":[null]}', None, False),
    ('{"data":{"":{"":[1]}}}', '{"":{"":1}}', True),
    ('{"data":{"/":[1]}}', '{"/":1}', True),
    ('{"data":{"~1":[1]}}', '{"/":1}', False),
    ('{"data":{"a\\"b\'":[1]}}', '{"a\\"b\'":1}', True),
    ('{"data":{"$.a":[1]}}', '{"a":1}', False),
    ('{"data":{"a":[1],"b":[2]}}', '{"a":1}', False),
    ('{"data":{"a":[1],"b":[2]}}', '{"a":1,"b":2}', True),
    ('{"data":{"$or":[{"a":[1]},{"b":[2]}]}}', '{"b":2}', True),
    ('{"data":{"$or":[{"a":[1]},{"b":[2]}],"c":[3]}}', '{"b":2}', False),
    ('{"$or":[{"data":{"a":[1]}},{"type":["test.made"]}]}', "{}", True),
    ('{"type":["test.made"],"source":[{"prefix":"/"}],"specversion":["1.0"]}', None, True),
    ('{"type":[{"anything-but":{"suffix":"made"}}]}', None, False),
    ('{"subject":[{"exists":false}]}', None, True),
    ('{"subject":[null]}', None, False),
    ('{"subject":[{"anything-but":"x"}]}', None, False),
    ('{"sequence":[7]}', None, True),
    ('{"sequence":["7"]}', None, False),
    ('{"sequence":[{"numeric":[">",5]}]}', None, True),
    ('{"flag":[true]}', None, True),
    ('{"traceparent":[{"prefix":"00-"}]}', None, True),
    ('{"nobody":[{"exists":false}]}', None, True),
    ('{"time":[{"prefix":"2026-11"}]}', None, True),
    ('{"type":[1,null]}', None, False),
]

CASES = [(f'{{"data":{{"k":[{conditions}]}}}}', data, matches) for conditions, data, matches in ON_K] + WHOLE


def event_of(filling: Filling, data: str | None) -> Event:
    return filling.event(
        data,
        time="2026-11-01T00:00:00Z",
        extensions={"sequence": 7, "flag": True, "traceparent": "00-abc"},
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filling]:
    """An archive with the event of each case, in order: the event's seq is the case's number from 1."""
    folder: Path = tmp_path_factory.mktemp("cases")
    made = Filling(folder)
    made.add([event_of(made, data) for _, data, _ in CASES])
    yield made
    made.archives.close()


@pytest.mark.parametrize(
    ("number", "case"), list(enumerate(CASES, 1)), ids=[f"{p} on {d}" for p, d, _ in CASES]
)
def test_edge_case(filled: Filling, number: int, case: tuple[str, str | None, bool]) -> None:
    text, data, matches = case
    pattern = EventPattern.parse(text)
    assert pattern.match(event_of(filled, data)) is matches
    found = filled.queries.matches(TENANT, pattern=pattern, after_seq=number - 1, up_to_seq=number, limit=1)
    assert bool(found) is matches


def test_all_cases_at_once_agree(filled: Filling) -> None:
    """Beside all the other events, too."""
    events = {each.seq: each.event for each in filled.queries.search(TENANT, SearchRequest(limit=500)).events}
    for text, _, _ in CASES:
        pattern = EventPattern.parse(text)
        expected = sum(pattern.match(event) for event in events.values())
        assert filled.queries.count(TENANT, pattern=pattern) == expected, text
        histogram = filled.queries.histogram(TENANT, EventFilter(pattern=pattern))
        assert histogram.total == expected, text


REFUSED = [
    ('{"data":{"k":[{"anything-but":[]}]}}', "data.k", "empty array"),
    ('{"data":{"k":[{"numeric":["<",1,">"]}]}}', "data.k", "numeric"),
    ('{"data":{"k":[{"numeric":[">",1,"<",3,"!=",2]}]}}', "data.k", "numeric"),
    ('{"data":{"k":[{"numeric":[]}]}}', "data.k", "numeric"),
    ('{"data":{"k":[{"numeric":[">","1"]}]}}', "data.k", "number"),
    ('{"data":{"k":[{"numeric":[">",true]}]}}', "data.k", "number"),
    ('{"data":{"k":[{"numeric":["~",1]}]}}', "data.k", "comparison"),
    ('{"data":{"k":[{"numeric":[">",5,"<",1]}]}}', "data.k", "range"),
    ('{"data":{"k":[1e999]}}', "data.k", "1.8e308"),
    ('{"data":{"k":[{"prefix":"a","suffix":"b"}]}}', "data.k", "one operator"),
    ('{"data":{"k":[{}]}}', "data.k", "one operator"),
    ('{"data":{"k":[{"cidr":"10.0.0.0/24"}]}}', "data.k", "operator"),
    ('{"data":{"k":[{"wildcard":"a*"}]}}', "data.k", "operator"),
    ('{"data":{"k":[{"anything_but":"a"}]}}', "data.k", "operator"),
    ('{"data":{"k":[{"anything-but":{"contains":"a"}}]}}', "data.k", "anything-but"),
    ('{"data":{"k":[{"anything-but":[["a"]]}]}}', "data.k", "anything-but"),
    ('{"data":{"k":[{"prefix":""}]}}', "data.k", "not empty"),
    ('{"data":{"k":[{"suffix":""}]}}', "data.k", "not empty"),
    ('{"data":{"k":[{"contains":1}]}}', "data.k", "not empty"),
    ('{"data":{"k":[{"exists":"true"}]}}', "data.k", "exists"),
    ('{"data":{}}', "data", "empty object"),
    ('{"data":{"k":[]}}', "data.k", "empty array"),
    ('{"data":{"k":1}}', "data.k", "array"),
    ('{"data":{"k":[[1]]}}', "data.k", "condition"),
    ('{"data":"x"}', "data", "array"),
    ('{"type":"x"}', "type", "array"),
    ('{"type":{"prefix":"x"}}', "type", "attribute"),
    ('{"type.x":["x"]}', "type.x", "attribute"),
    ('{"Type":["x"]}', "Type", "top-level keys"),
    ('{"data_base64":["x"]}', "data_base64", "top-level keys"),
    ('{"":["x"]}', "", "top-level keys"),
    ('{"$or":[]}', "$or", "$or"),
    ('{"$or":{"type":["a"]}}', "$or", "$or"),
    ('{"$or":[{}]}', "$or[0]", "empty object"),
    ('{"$or":["a"]}', "$or[0]", "object"),
    ('{"type":["a"],"type":["b"]}', "", "stands twice"),
    ('["a"]', "", "JSON object"),
    ("", "", "JSON text"),
    ('{"type":["a"]} x', "", "JSON text"),
    ('{"type":[NaN]}', "", "JSON text"),
    ('{"type":["\\ud800"]}', "", "surrogates"),
    ('{"data":{"a.b":{"a.b":{"a.b":{"a.b":{"a.b":[1]}}}}}}', "data.a.b.a.b.a.b.a.b.a.b", "dots"),
    ('{"data.' + ".".join("a" * 40) + '":[1]}', "data." + ".".join("a" * 40), "32 keys"),
    ('{"type":[' + ",".join(["1"] * 501) + "]}", "type", "500 conditions"),
    ('{"data":{' + ",".join(f'"k{i}":[1]' for i in range(201)) + "}}", "data.k200", "200 keys"),
    ('{"type":["' + "x" * 17_000 + '"]}', "", "16384 bytes"),
    ('{"$or":[' * 20 + '{"type":["a"]}' + "]}" * 20, "$or[0]" + ".$or[0]" * 15, "16 levels"),
    ('{"$or":[' * 1500 + '{"type":["a"]}' + "]}" * 1500, None, "levels"),
]


@pytest.mark.parametrize(("text", "place", "rule"), REFUSED, ids=[text[:60] for text, _, _ in REFUSED])
def test_refused(text: str, place: str | None, rule: str) -> None:
    with pytest.raises(InvalidPattern) as caught:
        EventPattern.parse(text)
    error = caught.value
    assert rule in str(error)
    assert error.status == 400
    assert all(problem.rule and problem.remedy and problem.value for problem in error.problems)
    if place is not None:
        assert place in [problem.path for problem in error.problems]


def test_every_problem_is_listed_at_once() -> None:
    with pytest.raises(InvalidPattern) as caught:
        EventPattern.parse({"Foo": ["x"], "type": "a", "data": {"k": [], "l": [{"prefix": ""}, {"oops": 1}]}})
    problems = caught.value.problems
    assert [problem.path for problem in problems] == ["Foo", "type", "data.k", "data.l[0]", "data.l[1]"]
    listed = caught.value.problem()["problems"]
    assert isinstance(listed, list)
    assert listed[1] == {
        "where": "type",
        "value": '"a"',
        "rule": "conditions stand in an array",
        "remedy": 'write ["a"]',
    }


def test_near_misses_are_named() -> None:
    with pytest.raises(InvalidPattern) as caught:
        EventPattern.parse('{"types":["a"],"Data":{"k":[1]},"id":[{"anything_but":"x"}]}')
    # `types` could be an extension attribute; the others cannot be anything.
    assert [problem.remedy for problem in caught.value.problems] == [
        "did you mean data?",
        "did you mean anything-but?",
    ]


@pytest.mark.parametrize(
    "obj", [None, 1, [], True, {1: ["a"]}, {"type": [object()]}, {"type": [float("nan")]}]
)
def test_objects_that_are_no_json_are_refused(obj: object) -> None:
    with pytest.raises(InvalidPattern):
        EventPattern.parse(obj)


def test_the_text_reads_back_as_the_same_pattern() -> None:
    for text, _, _ in CASES:
        pattern = EventPattern.parse(text)
        assert EventPattern.parse(pattern.text) == pattern
        assert EventPattern.parse(pattern.document) == pattern
        assert EventPattern.parse(text.encode()).text == pattern.text
        json.loads(pattern.text)
