"""POST /v1/query over HTTP: answers in each format, limits, refusals, roles, tenants."""

import csv
import io
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from queries.query_api import router
from queries.sql import Question, Sql
from tests.queries.filling import Filling
from tests.support.api import Api, World, world

EXACT = '{"n":[1e2,18446744073709551617],"a":{"b":"x"},"f":-1.50}'
DELIVERY: dict[str, Any] = {
    "id": "d1",
    "kind": "event",
    "state": "delivered",
    "reason": None,
    "rule_id": "r1",
    "rule": "a rule",
    "target_id": "t1",
    "target": None,
    "event_seq": 1,
    "attempts": 1,
    "outcome": "ok",
    "errcode": 0,
    "latency_ms": 12,
    "digest_id": None,
}


@dataclass(frozen=True)
class Place:
    """An API over archives in which tenant `default` has three events and a reject, `other` nothing."""

    world: World
    filling: Filling
    sql: Sql

    @property
    def viewer(self) -> Api:
        return self.world.as_("viewer")

    def ask(self, sql: str, *, accept: str | None = None, **members: Any) -> httpx.Response:
        headers = {} if accept is None else {"Accept": accept}
        return self.viewer.ask("POST", "/v1/query", {"sql": sql, **members}, headers=headers)

    def rows(self, sql: str, **members: Any) -> list[list[Any]]:
        answer = self.ask(sql, **members)
        assert answer.status_code == 200, answer.text
        found: list[list[Any]] = answer.json()["rows"]
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("sql")
    filling = Filling(folder / "archives")
    moment = filling.clock.now()
    mine: list[str] = []

    def deliveries(tenant_id: str, limit: int) -> list[dict[str, Any]]:
        rows = [DELIVERY | {"created_at": moment, "updated_at": moment}] if tenant_id in mine else []
        return rows[:limit]

    sql = Sql(filling.archives, timeout_s=5, most_rows=2_000, most_bytes=1 << 20, deliveries=deliveries)
    with world(folder, routers=[router(sql)]) as made:
        mine.append(made.tenants["default"])
        filling.add([filling.event(EXACT, id="first", type="a")], tenant=mine[0])
        filling.clock.advance(60)
        filling.add([filling.event("{}", type="b", subject="s")], tenant=mine[0])
        filling.add([filling.event(type="b", time="2026-11-01T00:00:00.5+08:00")], tenant=mine[0], bus="two")
        filling.reject(b"bad", tenant=mine[0])
        yield Place(made, filling, sql)
        sql.close()
        filling.archives.close()


def test_an_answer_as_json(place: Place) -> None:
    answer = place.ask(
        "SELECT seq, type, data, data->'$.n' AS n, received_at, time, subject FROM events ORDER BY 1 LIMIT 1"
    )
    assert answer.headers["content-type"] == "application/json"
    assert b"[1e2,18446744073709551617]" in answer.content
    body = answer.json()
    assert body["columns"] == [
        {"name": "seq", "type": "BIGINT"},
        {"name": "type", "type": "VARCHAR"},
        {"name": "data", "type": "VARCHAR"},
        {"name": "n", "type": "JSON"},
        {"name": "received_at", "type": "TIMESTAMP WITH TIME ZONE"},
        {"name": "time", "type": "TIMESTAMP WITH TIME ZONE"},
        {"name": "subject", "type": "VARCHAR"},
    ]
    assert body["rows"][0][:3] == [1, "a", EXACT]
    assert body["rows"][0][4:] == ["2026-11-01T00:00:00Z", None, None]
    assert body["truncated"] is False
    assert body["elapsed_ms"] > 0
    assert answer.headers["x-truncated"] == "false"


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("9007199254740993", "9007199254740993"),
        ("170141183460469231731687303715884105726::HUGEINT", "170141183460469231731687303715884105726"),
        ("18446744073709551615::UBIGINT", "18446744073709551615"),
        ("1.10::DECIMAL(10, 2)", "1.10"),
        ("0.1::DOUBLE", "0.1"),
        ("'NaN'::DOUBLE", '"NaN"'),
        ("'-infinity'::DOUBLE", '"-Infinity"'),
        ("true", "true"),
        ("NULL", "null"),
        ("'ü\"\\'", '"ü\\"\\\\"'),
        ("X'00ff'", '"AP8="'),
        ("DATE '2026-11-01'", '"2026-11-01"'),
        ("DATE '20000-01-01'", '"20000-01-01"'),
        ("DATE 'infinity'", '"infinity"'),
        ("TIME '10:00:00.5'", '"10:00:00.500000"'),
        ("TIMESTAMP '2026-11-01 10:00:00'", '"2026-11-01T10:00:00"'),
        ("TIMESTAMPTZ '2026-11-01 10:00:00+08'", '"2026-11-01T02:00:00Z"'),
        ("TIMESTAMPTZ 'infinity'", '"infinity"'),
        ("TIMESTAMP_NS '2026-11-01 10:00:00.123456789'", '"2026-11-01T10:00:00.123456789"'),
        ("INTERVAL '14 months 3 days 1.5 seconds'", '"P14M3DT1.5S"'),
        ("INTERVAL 0 DAY", '"PT0S"'),
        ("'1b4e28ba-2fa1-11d2-883f-b9a761bde3fb'::UUID", '"1b4e28ba-2fa1-11d2-883f-b9a761bde3fb"'),
        ("[1.5, NULL, 'inf'::DOUBLE]", '[1.5,null,"Infinity"]'),
        ("{'a': [DATE '2026-11-01'], 'b': 1.20::DECIMAL(5, 2)}", '{"a":["2026-11-01"],"b":1.20}'),
        ("MAP {'a': 1, 'b': NULL}", '{"a":1,"b":null}'),
        ("MAP {1: TIMESTAMPTZ '2026-11-01 00:00:00Z'}", '{"1":"2026-11-01T00:00:00Z"}'),
        ('\'{"a": 1.0, "b": 1e2}\'::JSON', '{"a": 1.0, "b": 1e2}'),
    ],
)
def test_values_are_exact(place: Place, sql: str, text: str) -> None:
    answer = place.ask(f"SELECT {sql} AS x")
    assert answer.status_code == 200, answer.text
    assert f'"rows":[[{text}]]' in answer.text


def test_an_answer_as_csv(place: Place) -> None:
    answer = place.ask(
        "SELECT * FROM (VALUES (1, 'a,b', NULL), (-2, '', '\"q\"'), (3, '=1+1', '-5'), (4, '@x', '+1'),"
        " (5, E'\\tx', E'line\\nline')) AS t(\"=n\", a, b) ORDER BY 1",
        accept="text/csv",
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content == (
        b'\'=n,a,b\r\n-2,"","""q"""\r\n1,"a,b",\r\n3,\'=1+1,\'-5\r\n4,\'@x,\'+1\r\n5,\'\tx,"line\nline"\r\n'
    )
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert [row[0] for row in rows] == ["'=n", "-2", "1", "3", "4", "5"]


def test_an_answer_as_arrow(place: Place) -> None:
    answer = place.ask("SELECT seq, received_at, data FROM events ORDER BY seq", format="arrow")
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.column("seq").to_pylist() == [1, 2, 3]
    assert table.column("data").to_pylist()[0] == EXACT


def test_formats_are_chosen_by_the_body_or_by_accept(place: Place) -> None:
    for accept, kind in [
        ("*/*", "application/json"),
        ("text/html, text/csv;q=0.5", "text/csv"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
    ]:
        assert place.ask("SELECT 1", accept=accept).headers["content-type"].split(";")[0] == kind
    assert place.ask("SELECT 1", accept="text/csv", format="json").json()["rows"] == [[1]]
    assert place.ask("SELECT 1", accept="text/html").status_code == 400
    assert place.ask("SELECT 1", format="xml").status_code == 400


def test_parameters(place: Place) -> None:
    assert place.rows("SELECT id FROM events WHERE type = $type", parameters={"type": "a"}) == [["first"]]
    assert place.rows("SELECT ?, ?", parameters=[1, None]) == [[1, None]]
    listed = "SELECT id FROM events WHERE id IN (SELECT unnest($ids))"
    assert place.rows(listed, parameters={"ids": ["first", "no"]}) == [["first"]]
    assert place.ask("SELECT $a").status_code == 400
    assert place.ask("SELECT 1", parameters={"a": 1}).status_code == 400
    hostile = "x' OR 1=1 --"
    assert place.rows("SELECT $x AS x", parameters={"x": hostile}) == [[hostile]]


def test_limits_say_when_they_cut(place: Place) -> None:
    whole = place.ask("SELECT * FROM range(2000)", limit=2000).json()
    assert (len(whole["rows"]), whole["truncated"]) == (2000, False)
    cut = place.ask("SELECT * FROM range(2001)", limit=2000)
    assert (len(cut.json()["rows"]), cut.json()["truncated"]) == (2000, True)
    assert cut.headers["x-truncated"] == "true"
    assert place.ask("SELECT * FROM range(10)", limit=3, format="csv").headers["x-truncated"] == "true"
    by_bytes = place.ask("SELECT range, repeat('x', 5000) FROM range(2000)", limit=2000).json()
    assert by_bytes["truncated"] is True
    assert 100 < len(by_bytes["rows"]) < 250
    assert by_bytes["rows"][-1][0] == len(by_bytes["rows"]) - 1
    for wrong in (0, 2001, -1, "x"):
        assert place.ask("SELECT 1", limit=wrong).status_code == 400
    for wrong in (0, 6, -1, "x"):
        assert place.ask("SELECT 1", timeout_s=wrong).status_code == 400


def test_a_long_query_is_stopped(place: Place) -> None:
    began = time.monotonic()
    answer = place.ask("SELECT count(*) FROM range(1000000000000)", timeout_s=0.3)
    assert time.monotonic() - began < 1.3
    assert answer.status_code == 503
    assert "0.3 s" in answer.json()["rule"]
    assert "retry-after" in answer.headers


@pytest.mark.parametrize(
    ("sql", "status", "said"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", 400, "read_csv"),
        ("SELECT * FROM fresh_1", 400, "events, rejects, origins, deliveries"),
        ("DELETE FROM rejects", 400, "SELECT"),
        ("SELECT nope FROM events", 400, "nope"),
        ("SELECT 'x'::INT", 400, "INT"),
        ("SELECT data::INT FROM events", 400, "TRY_CAST"),
        # These fail in the form that they are run in first.
        ("SELECT type, count(*) FROM events WHERE type::INT = 1 GROUP BY type", 400, "TRY_CAST"),
        ("SELECT * FROM events WHERE time = 'zz' ORDER BY seq LIMIT 3", 400, "zz"),
        ("SELECT 1 +", 400, "syntax error"),
    ],
)
def test_refusals_say_why_and_nothing_of_the_inside(place: Place, sql: str, status: int, said: str) -> None:
    answer = place.ask(sql)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["rule"]
    assert body["remedy"]
    assert said in json.dumps(body)
    for inside in (str(place.filling.archives.folder), "fresh_1.", "main.", "duckdb_"):
        assert inside not in answer.text


def test_rejects_and_deliveries_are_tables(place: Place) -> None:
    assert place.rows("SELECT reason, bytes FROM rejects") == [["invalid", "YmFk"]]
    joined = "SELECT d.state, d.errcode, e.id FROM deliveries d JOIN events e ON e.seq = d.event_seq"
    assert place.rows(joined) == [["delivered", 0, "first"]]
    described = place.rows("DESCRIBE deliveries")
    assert [row[0] for row in described][:3] == ["id", "kind", "state"]
    theirs = place.world.as_("viewer", tenant="other")
    body = theirs.post("/v1/query", {"sql": "SELECT count(*) FROM deliveries"})
    assert body["rows"] == [[0]]


def test_slots_of_a_tenant_leave_others_theirs(place: Place) -> None:
    tenant, other = place.world.tenants["default"], place.world.tenants["other"]
    long = Question(sql="SELECT count(*) FROM range(1000000000000)", timeout_s=1.0)
    running = [place.sql.submit(tenant, long) for _ in range(2)]
    answer = place.ask("SELECT 1")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert place.sql.ask(other, Question(sql="SELECT 1")).rows == 1
    for each in running:
        assert each.exception(5) is not None
    assert place.rows("SELECT 1") == [[1]]


def test_many_ask_at_once(place: Place) -> None:
    """Slots are given back, whatever becomes of a query."""
    answers: list[int] = []

    def ask(sql: str) -> None:
        answers.append(place.ask(sql).status_code)

    for sql in ("SELECT 1", "SELECT nope FROM events", "SELECT * FROM events"):
        threads = [threading.Thread(target=ask, args=(sql,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(answers) <= {200, 400, 429}
    assert place.rows("SELECT 1") == [[1]]


def test_roles_and_tenants(place: Place) -> None:
    body = {"sql": "SELECT count(*) FROM events"}
    assert place.world.api.as_(None).ask("POST", "/v1/query", body).status_code == 401
    for role in ("writer", "operator"):
        assert place.world.as_(role).ask("POST", "/v1/query", body).status_code == 403
    for role in ("viewer", "editor", "admin"):
        assert place.world.as_(role).post("/v1/query", body)["rows"] == [[3]]
    assert place.world.as_("admin", tenant="other").post("/v1/query", body)["rows"] == [[0]]


def test_wrong_bodies(place: Place) -> None:
    viewer = place.viewer
    for body in (
        {},
        {"sql": ""},
        {"sql": 1},
        {"sql": "SELECT 1", "x": 1},
        {"sql": "SELECT 1", "parameters": 1},
    ):
        assert viewer.ask("POST", "/v1/query", body).status_code == 400
    assert viewer.ask("GET", "/v1/query").status_code == 405
