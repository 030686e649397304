"""The questions of the query suite, as the product is asked over HTTP and the references in SQL."""

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import pyarrow as pa

from tests.bench.references import Rows, Statement
from tests.bench.stand import Client

NONE: Final = ((), (), (), ())
_MOST_BUCKETS = 3000
_HOUR = 3600
_EVENT = ("id", "source", "type", "subject", "data")

Made = Callable[[], Rows]
"""Makes rows of answers that are there and parsed: nothing that a reference's time holds either."""
Rest = Callable[[Client, Sequence[str]], Made]


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question in all its forms; every form gives rows with the columns `compare`."""

    name: str
    group: str
    """`plain`, or the suite's three on a `promoted` or an `unused` path."""
    compare: Sequence[str]
    duckdb: str
    chdb: str
    sql: str
    """For POST /v1/query; `$p` is the parameter."""
    rest: Rest | None = None
    parameters: Sequence[Sequence[str]] = NONE
    """One list for each round."""
    most: float
    most_ms: float | None = None
    """A time that is good enough whatever the reference takes."""

    def ask(self, client: Client, way: str, parameters: Sequence[str]) -> Made:
        """The product's answer by `rest`, `sql` (JSON) or `arrow`."""
        if way == "rest":
            assert self.rest is not None
            return self.rest(client, parameters)
        asked = {
            "sql": self.sql,
            "parameters": dict(zip(("p",), parameters, strict=bool(parameters))),
            "limit": 100_000,
        }
        if way == "arrow":
            table = pa.ipc.open_stream(client.read("POST", "/v1/query", asked | {"format": way})).read_all()
            return lambda: list(table.to_pylist())
        answer = client.ask("POST", "/v1/query", asked)
        assert not answer["truncated"], self.name
        names = [column["name"] for column in answer["columns"]]
        return lambda: [dict(zip(names, row, strict=True)) for row in answer["rows"]]

    @property
    def ways(self) -> tuple[str, ...]:
        """How the product can be asked."""
        return ("sql", "arrow") if self.rest is None else ("rest", "sql", "arrow")

    def canonical(self, rows: Rows) -> list[tuple[Any, ...]]:
        """Rows of any form, to be compared: sorted, in one notation."""
        return sorted(
            (tuple(_value(name, row[name]) for name in self.compare) for row in rows),
            key=lambda row: tuple((value is not None, str(value)) for value in row),
        )


def _value(name: str, value: Any) -> Any:
    if name == "data":
        return json.dumps(
            json.loads(value) if isinstance(value, str) else value, sort_keys=True, ensure_ascii=False
        )
    if name == "hour":
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
        return int(moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp())
    return float(f"{value:.9g}") if isinstance(value, float) else value


# -- the ways over REST ------------------------------------------------------------------------------


def _get(client: Client, path: str, **parameters: Any) -> Any:
    return client.ask("GET", f"{path}?{urlencode(parameters, doseq=True)}")


def _events(**fixed: Any) -> Rest:
    def ask(client: Client, parameters: Sequence[str]) -> Made:
        given = dict(zip(fixed.get("bound", ()), parameters, strict=True))
        asked = {name: value for name, value in fixed.items() if name != "bound"}
        found = _get(client, "/v1/events", **asked, **given)["events"]
        return lambda: [each["event"] for each in found]

    return ask


def _count_by_type(client: Client, _: Sequence[str]) -> Made:
    items = _get(client, "/v1/events/top", by="type", limit=500)["items"]
    return lambda: [{"type": item["value"], "n": item["count"]} for item in items]


def hourly(from_: dt.datetime, to: dt.datetime) -> Rest:
    """Hourly counts by type of a range, in as many requests as the bound of buckets in an answer needs."""

    def ask(client: Client, _: Sequence[str]) -> Made:
        answers = []
        start = from_
        while start < to:
            end = min(start + dt.timedelta(hours=_MOST_BUCKETS), to)
            asked = {"by": "type", "top": 50, "step": _HOUR, "time_field": "time"}
            found = _get(
                client, "/v1/events/histogram", **asked, **{"from": start.isoformat(), "to": end.isoformat()}
            )
            assert found["step"] == _HOUR
            answers.append(found)
            start = end
        return lambda: [
            {"type": series["name"], "hour": hour, "n": count}
            for found in answers
            for series in found["series"]
            for hour, count in series["points"]
            if count
        ]

    return ask


def _total(pattern: Mapping[str, Any]) -> Rest:
    def ask(client: Client, _: Sequence[str]) -> Made:
        found = _get(client, "/v1/events/histogram", by="none", pattern=json.dumps(pattern))
        return lambda: [{"n": found["total"]}]

    return ask


# -- the suite ---------------------------------------------------------------------------------------


def suite(hours: Rest, ids: Sequence[str], subjects: Sequence[str]) -> list[Question]:
    """All questions about the mixed corpus; each id and subject is one round's."""
    return [
        Question(
            name="count by type",
            group="plain",
            compare=("type", "n"),
            duckdb="SELECT type, count(*) AS n FROM t GROUP BY type",
            chdb="SELECT type, count(*) AS n FROM t GROUP BY type",
            sql="SELECT type, count(*) AS n FROM events GROUP BY type",
            rest=_count_by_type,
            most=0.2,
        ),
        Question(
            name="hourly histogram by type",
            group="plain",
            compare=("type", "hour", "n"),
            duckdb="SELECT type, date_trunc('hour', time) AS hour, count(*) AS n FROM t GROUP BY ALL",
            chdb="SELECT type, toStartOfHour(time) AS hour, count(*) AS n FROM t GROUP BY type, hour",
            sql="SELECT type, date_trunc('hour', time) AS hour, count(*) AS n FROM events GROUP BY ALL",
            rest=hours,
            most=0.05,
        ),
        *_three("promoted", "state", "latencyMs", ("com.acme.t1", "status", "404"), ("message", "op 7")),
        *_three("unused", "g14", "a17", ("com.acme.t12", "g14", "v500"), ("g14", "v99")),
        Question(
            name="by id",
            group="plain",
            compare=_EVENT,
            duckdb="SELECT * FROM t WHERE id = ?",
            chdb="SELECT * FROM t WHERE id = ?",
            sql="SELECT * FROM events WHERE id = $p",
            rest=_events(bound=("id",)),
            parameters=[[each] for each in ids],
            most=0.05,
        ),
        Question(
            name="by subject: what happened, newest 100",
            group="plain",
            compare=("id", "type"),
            duckdb="SELECT id, type, time FROM t WHERE subject = ? ORDER BY time DESC LIMIT 100",
            chdb="SELECT id, type, time FROM t WHERE subject = ? ORDER BY time DESC LIMIT 100",
            sql="SELECT id, type, time FROM events WHERE subject = $p ORDER BY time DESC LIMIT 100",
            parameters=[[each] for each in subjects],
            most=1,
        ),
        Question(
            name="by subject: whole events, newest 100",
            group="plain",
            compare=_EVENT,
            duckdb="SELECT * FROM t WHERE subject = ? ORDER BY time DESC LIMIT 100",
            chdb="SELECT * FROM t WHERE subject = ? ORDER BY time DESC LIMIT 100",
            sql="SELECT * FROM events WHERE subject = $p ORDER BY time DESC LIMIT 100",
            rest=_events(bound=("subject",), limit=100),
            parameters=[[each] for each in subjects],
            most=1,
        ),
        Question(
            name="newest 100",
            group="plain",
            compare=_EVENT,
            duckdb="SELECT * FROM t ORDER BY time DESC LIMIT 100",
            chdb="SELECT * FROM t ORDER BY time DESC LIMIT 100",
            sql="SELECT * FROM events ORDER BY seq DESC LIMIT 100",
            rest=_events(limit=100),
            most=2,
            most_ms=10,
        ),
    ]


def _three(
    group: str, key: str, number: str, filtered: tuple[str, str, str], searched: tuple[str, str]
) -> list[Question]:
    """Group by `key` with the average of `number`, filter (type, path, value), text match (path, part)."""
    type_, path, value = filtered
    field, part = searched
    wanted = int(value) if value.isdigit() else value

    def three(sql: str, path_of: Callable[[str], str], number_of: Callable[[str], str]) -> tuple[str, ...]:
        return (
            f"SELECT {path_of(key)} AS k, count(*) AS n, avg({number_of(number)}) AS mean {sql} GROUP BY k",
            f"SELECT count(*) AS n {sql} WHERE type = '{type_}' AND {path_of(path)} = '{value}'",
            f"SELECT count(*) AS n {sql} WHERE {path_of(field)} LIKE '%{part}%'",
        )

    def text(name: str) -> str:
        return f"(data->>'$.{name}')"

    def double(name: str) -> str:
        return f"{text(name)}::DOUBLE"

    duckdb = three("FROM t", text, double)
    product = three("FROM events", text, double)
    chdb = three(
        "FROM t",
        lambda name: f"data.{name}::Nullable(String)",
        lambda name: f"data.{name}::Nullable(Float64)",
    )
    rests: tuple[Rest | None, ...] = (
        None,
        _total({"type": [type_], "data": {path: [wanted]}}),
        _total({"data": {field: [{"contains": part}]}}),
    )
    names = ("group by with an average", "filter with a type", "text match")
    targets = (0.03, 0.02, 0.03)
    return [
        Question(
            name=names[at],
            group=group,
            compare=("k", "n", "mean") if at == 0 else ("n",),
            duckdb=duckdb[at],
            chdb=chdb[at],
            sql=product[at],
            rest=rests[at],
            most=targets[at],
        )
        for at in range(3)
    ]


def statements(questions: Sequence[Question], dialect: str) -> dict[str, Statement]:
    """A reference's statements by question."""
    return {
        label(question): Statement(
            sql=question.duckdb if dialect == "duckdb" else question.chdb, parameters=question.parameters
        )
        for question in questions
    }


def label(question: Question) -> str:
    """A name that no other question has."""
    return question.name if question.group == "plain" else f"{question.name} ({question.group} path)"
