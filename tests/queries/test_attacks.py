"""The third wall alone, and all walls under bombs: nothing gets out, nothing changes, everybody lives."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventcenter.archive import Archives
from eventcenter.archive.untrusted import select
from eventcenter.errors import EventCenterError, InvalidInput, Unavailable
from queries.sql import Question, Sql
from queries.tabular import arrow_answer
from tests.queries.attacks import ATTACKS, LONG
from tests.queries.filling import OTHER, TENANT, Filling

SECRET = "the-secret-of-another"
LIMIT_S = 1.0
MEMORY = 192 << 20
MIB = 1 << 20

WITHOUT_THE_GUARD = [
    sql
    for kind in ("files", "network", "writes", "settings", "catalogue", "names", "several", "recursion")
    for sql in ATTACKS[kind]
    if "\ud800" not in sql
]
INSIDE = (
    "SELECT content FROM read_text('{root}/secret.txt')",
    "SELECT content FROM read_blob('{root}/secret.txt')",
    "SELECT * FROM read_csv('{root}/secret.txt', header = false)",
    "SELECT * FROM '{root}/secret.csv'",
    "SELECT * FROM glob('{root}/*')",
    "SELECT * FROM glob('{root}/archives/*/*')",
    "SELECT * FROM read_duckdb('{root}/archives/{other}/main.duckdb', table_name = 'fresh_1')",
    "SELECT * FROM read_blob('{root}/archives/{other}/main.duckdb')",
    "SELECT * FROM read_text('{root}/archives/{tenant}/segments/../../../secret.txt')",
    "SELECT * FROM read_text('{root}/archives/{tenant}/segments/../../{other}/main.duckdb')",
    "ATTACH '{root}/archives/{other}/main.duckdb' AS theirs (READ_ONLY)",
    "ATTACH '{root}/archives/{tenant}/segments/new.duckdb' AS made",
    "COPY (SELECT 1) TO '{root}/out.csv'",
    "COPY (SELECT 1) TO '{root}/archives/{tenant}/segments/out.csv'",
    "EXPORT DATABASE '{root}/archives/{tenant}/segments/out'",
    "WITH x AS (DELETE FROM rejects RETURNING 1) SELECT * FROM x",
    "WITH x AS (INSERT INTO state SELECT * FROM state RETURNING 1) SELECT * FROM x",
)
"""What the third wall must hold by itself, with paths that are there."""


@dataclass(frozen=True)
class Place:
    """Two tenants' archives and files beside them; the first one is the attacker's."""

    root: Path
    filling: Filling
    archives: Archives

    def ask(self, sql: str, *, limit_s: float = LIMIT_S, values: bool = False) -> str:
        """Run a statement past the guard; what it answered, as text or as Arrow's bytes."""
        archive = self.archives.tenant(TENANT)
        with archive.reader(timeout_s=limit_s) as reader:
            found = select(
                reader,
                sql,
                most_rows=1000,
                most_bytes=4 * MIB,
                limit_s=limit_s,
                memory_bytes=archive.memory_bytes,
                values=values,
            )
        if isinstance(found.rows, list):
            return repr(found.rows)
        return arrow_answer(found.rows).decode(errors="replace")

    def state(self) -> tuple[object, ...]:
        """What no question may change."""
        settings = "SELECT name, value FROM duckdb_settings() ORDER BY name"
        archive = self.archives.tenant(TENANT)
        return (
            sorted(
                str(path) for path in self.root.rglob("*") if "/tmp/" not in str(path.relative_to(self.root))
            ),
            archive.query("SELECT * FROM events ORDER BY seq"),
            archive.query("SELECT * FROM rejects"),
            archive.query("SELECT * FROM state"),
            archive.query("SELECT table_name FROM duckdb_tables() ORDER BY 1"),
            archive.query("SELECT database_name FROM duckdb_databases() ORDER BY 1"),
            archive.query(settings),
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("attacks")
    (root / "secret.txt").write_text(SECRET)
    (root / "secret.csv").write_text(f"a\n{SECRET}\n")
    filling = Filling(root / "archives")
    filling.archives.close()
    filling.archives = Archives(root / "archives", memory_bytes=MEMORY, most_open=2, timeout_s=30)
    mine = [filling.event(f'{{"n":{n},"text":"eeee eeee"}}', subject=f"s{n}") for n in range(3000)]
    filling.add(mine)
    filling.reject(b"mine")
    filling.add([filling.event(f'{{"text":"{SECRET}"}}')], tenant=OTHER)
    filling.archives.tenant(OTHER).checkpoint()
    yield Place(root, filling, filling.archives)
    filling.archives.close()


@pytest.mark.parametrize("values", [False, True], ids=["arrow", "values"])
def test_the_third_wall_alone_lets_nothing_out(place: Place, values: bool) -> None:
    before = place.state()
    inside = [
        sql.format(root=place.root, tenant=TENANT, other=OTHER) if "{root}" in sql else sql for sql in INSIDE
    ]
    answered = 0
    for sql in [*WITHOUT_THE_GUARD, *inside]:
        began = time.monotonic()
        try:
            said = place.ask(sql, values=values)
            answered += 1
        except EventCenterError as error:
            said = str(error) if SECRET not in sql else ""
        assert SECRET not in said, sql
        assert "root:x" not in said, sql
        assert time.monotonic() - began < LIMIT_S + 1, sql
        assert place.archives.tenant(TENANT).query("SELECT 1 AS one") == [{"one": 1}], sql
    assert place.state() == before
    assert answered, "the third wall lets harmless things pass that the second one refuses"


def test_a_read_only_transaction_cannot_be_left(place: Place) -> None:
    """Each statement of its own kind would be refused; so is one that begins as a SELECT."""
    for sql in ("COMMIT", "ROLLBACK", "SELECT 1; COMMIT", "BEGIN", "SET VARIABLE x = 1", "CHECKPOINT"):
        with pytest.raises(InvalidInput):
            place.ask(sql)


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "sql",
    [*LONG[:6], *(pytest.param(sql, marks=pytest.mark.long) for sql in LONG[6:])],
    ids=lambda sql: sql[:70],
)
def test_what_is_endless_is_stopped(place: Place, sql: str) -> None:
    sql_service = Sql(place.archives, timeout_s=LIMIT_S)
    before = most = resident()
    ended = threading.Event()

    def look() -> None:
        nonlocal most
        while not ended.wait(0.02):
            most = max(most, resident())

    watcher = threading.Thread(target=look)
    watcher.start()
    began = time.monotonic()
    try:
        with pytest.raises(Unavailable) as stopped:
            sql_service.ask(TENANT, Question(sql=sql))
    finally:
        took = time.monotonic() - began
        ended.set()
        watcher.join()
        sql_service.close()
    assert took < LIMIT_S + 1
    assert most - before < MEMORY + 128 * MIB
    assert stopped.value.remedy
    assert place.archives.tenant(TENANT).query("SELECT count(*) AS n FROM events") == [{"n": 3000}]


def test_loading_goes_on_while_a_query_collects_everything(place: Place) -> None:
    """The query is stopped where it takes the memory that loading needs."""
    sql_service = Sql(place.archives, timeout_s=5)
    collected = sql_service.submit(TENANT, Question(sql="SELECT list(range) FROM range(1000000000000)"))
    for _ in range(20):
        place.filling.add([place.filling.event('{"x":1}', type="later") for _ in range(500)])
    with pytest.raises(Unavailable) as stopped:
        collected.result(10)
    sql_service.close()
    assert "memory" in stopped.value.detail
    found = place.archives.tenant(TENANT).query("SELECT count(*) AS n FROM events WHERE type = 'later'")
    assert found == [{"n": 10_000}]


def test_an_attack_never_reaches_another_tenant(place: Place) -> None:
    sql_service = Sql(place.archives, timeout_s=LIMIT_S)
    answer = sql_service.ask(TENANT, Question(sql="SELECT count(*) FROM events WHERE data LIKE '%secret%'"))
    theirs = sql_service.ask(OTHER, Question(sql="SELECT data FROM events"))
    sql_service.close()
    assert b"[[0]]" in answer.body
    assert SECRET.encode() in theirs.body
