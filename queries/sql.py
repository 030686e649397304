"""People's SQL over one tenant's archive: guarded, run in its locked instance, answered within bounds."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Literal

import pyarrow as pa

from eventcenter.archive import Archive, Archives
from eventcenter.archive.archive import Reader
from eventcenter.archive.untrusted import Found, NotRun, select
from eventcenter.errors import Busy, InvalidInput
from queries import guard, tabular
from queries.rewriting import rewrite
from queries.threads import Threads

Format = Literal["json", "csv", "arrow"]
DEFAULT_ROWS: Final = 10_000
MOST_DELIVERIES: Final = 100_000
_SLOTS: Final = 16
"""Statements that run at once, of all tenants."""
_LEAST_S: Final = 0.001

DELIVERIES: Final = pa.schema([
    ("id", pa.string()),
    ("kind", pa.string()),
    ("state", pa.string()),
    ("reason", pa.string()),
    ("rule_id", pa.string()),
    ("rule", pa.string()),
    ("target_id", pa.string()),
    ("target", pa.string()),
    ("event_seq", pa.int64()),
    ("attempts", pa.int64()),
    ("outcome", pa.string()),
    ("errcode", pa.int64()),
    ("latency_ms", pa.int64()),
    ("digest_id", pa.string()),
    ("created_at", pa.timestamp("us", tz="UTC")),
    ("updated_at", pa.timestamp("us", tz="UTC")),
])  # fmt: skip
"""Columns of `deliveries`."""
Deliveries = Callable[[str, int], Sequence[Mapping[str, Any]]]
"""A tenant's newest deliveries, at most so many, as rows with DELIVERIES' columns."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One statement and how to answer it."""

    sql: str
    parameters: guard.Parameters = ()
    limit: int | None = None
    """Most rows; None for the usual number."""
    timeout_s: float | None = None
    format: Format = "json"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The bytes in the asked format."""

    body: bytes
    rows: int
    truncated: bool
    elapsed_ms: float


class Sql:
    """Answers people's SELECTs; thread-safe. Each runs in a thread that nothing else needs meanwhile."""

    def __init__(
        self,
        archives: Archives,
        *,
        timeout_s: float = 30.0,
        most_rows: int = 100_000,
        most_bytes: int = 32 << 20,
        slots: int = 2,
        deliveries: Deliveries | None = None,
    ) -> None:
        """`slots`: statements of one tenant at once; the others' are answered 429."""
        self._archives = archives
        self._timeout_s = timeout_s
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._slots = slots
        self._deliveries = deliveries
        self._idle = threading.Condition()
        self._running: Counter[str] = Counter()
        self._threads = Threads("sql")

    def submit(self, tenant_id: str, question: Question) -> Future[Answer]:
        """Begin to answer, without waiting for anything. Raises Busy where all slots are taken."""
        self._take_slot(tenant_id)
        begun: Future[Answer] = Future()

        def run() -> None:
            # The slot is free before the answer is there: who asks again at once gets it.
            if not begun.set_running_or_notify_cancel():
                self._free_slot(tenant_id)
                return
            try:
                answer = self._answer(tenant_id, question)
            except Exception as error:  # noqa: BLE001 told to who asked
                self._free_slot(tenant_id)
                begun.set_exception(error)
            else:
                self._free_slot(tenant_id)
                begun.set_result(answer)

        self._threads.run(run)
        return begun

    def ask(self, tenant_id: str, question: Question) -> Answer:
        """The answer. Raises InvalidInput, Busy or Unavailable."""
        return self.submit(tenant_id, question).result()

    def close(self) -> None:
        """Wait for what runs."""
        with self._idle:
            self._idle.wait_for(lambda: not self._running, timeout=self._timeout_s + 1)
        self._threads.close()

    def _answer(self, tenant_id: str, question: Question) -> Answer:
        statement = guard.check(question.sql, question.parameters)
        rows, limit_s = self._limits(question)
        began = time.perf_counter()
        found = self._found(tenant_id, question, statement, rows, limit_s)
        elapsed_ms = round((time.perf_counter() - began) * 1000, 3)
        try:
            body = _written(found, question.format, elapsed_ms)
        except (OverflowError, ValueError) as error:
            raise InvalidInput(
                "The result holds a value that this format cannot carry.",
                rule="days within the years 1 to 9999 inside of lists and structures",
                remedy="cast it to VARCHAR",
            ) from error
        return Answer(body=body, rows=len(found.rows), truncated=found.truncated, elapsed_ms=elapsed_ms)

    def _found(
        self, tenant_id: str, question: Question, statement: guard.Statement, rows: int, limit_s: float
    ) -> Found:
        archive = self._archives.tenant(tenant_id)
        tables = {}
        if "deliveries" in statement.tables:
            tables["deliveries"] = self._deliveries_of(tenant_id)

        def run(reader: Reader, sql: str) -> Found:
            return select(
                reader,
                sql,
                question.parameters,
                most_rows=rows,
                most_bytes=self._most_bytes,
                limit_s=limit_s,
                memory_bytes=archive.memory_bytes,
                tables=tables,
                values=question.format == "json",
            )

        with archive.reader(timeout_s=limit_s) as reader:
            deadline = reader.deadline
            try:
                other = _other_form(archive, reader, statement, question)
                found = None if other is None else run(reader, other)
            except NotRun:
                # It may fail in another form for a reason of its own: the statement itself decides.
                pass
            else:
                return found or run(reader, statement.sql)
        # Anew, because an error spoils the transaction that it falls into.
        with archive.reader(timeout_s=max(deadline - time.monotonic(), _LEAST_S)) as reader:
            return run(reader, statement.sql)

    def _deliveries_of(self, tenant_id: str) -> pa.Table:
        rows = [] if self._deliveries is None else self._deliveries(tenant_id, MOST_DELIVERIES)
        return pa.Table.from_pylist([dict(row) for row in rows], schema=DELIVERIES)

    def _limits(self, question: Question) -> tuple[int, float]:
        rows = min(DEFAULT_ROWS, self._most_rows) if question.limit is None else question.limit
        if not 1 <= rows <= self._most_rows:
            raise InvalidInput(
                "The limit is out of range.",
                value=rows,
                rule=f"limit is a whole number from 1 to {self._most_rows} (EVENTCENTER_QUERY_MAX_ROWS)",
                remedy="ask for less, or export the events",
            )
        limit_s = self._timeout_s if question.timeout_s is None else question.timeout_s
        if not 0 < limit_s <= self._timeout_s:
            raise InvalidInput(
                "The time limit is out of range.",
                value=limit_s,
                rule=f"more than 0 s and at most {self._timeout_s:g} s (EVENTCENTER_QUERY_TIMEOUT_S)",
                remedy="leave it out for the longest",
            )
        return rows, limit_s

    def _take_slot(self, tenant_id: str) -> None:
        with self._idle:
            full = self._running[tenant_id] >= self._slots
            if full or self._running.total() >= _SLOTS:
                one = f"at most {self._slots} of a tenant at once (EVENTCENTER_QUERY_SLOTS)"
                raise Busy(
                    "Too many queries run at this moment.",
                    retry_after=1,
                    rule=one if full else f"at most {_SLOTS} of all tenants at once",
                    remedy="wait until one has ended",
                )
            self._running[tenant_id] += 1

    def _free_slot(self, tenant_id: str) -> None:
        with self._idle:
            self._running[tenant_id] -= 1
            if not self._running[tenant_id]:
                del self._running[tenant_id]
            self._idle.notify_all()


def _other_form(
    archive: Archive, reader: Reader, statement: guard.Statement, question: Question
) -> str | None:
    """A statement with the same answer that reads less, if there is one. Raises NotRun, Unavailable."""
    if "events" not in statement.tables:
        return None
    other = rewrite(statement.tree, question.parameters, reader)
    archive.note_paths(other.paths)
    return other.sql


def _written(found: Found, format_: Format, elapsed_ms: float) -> bytes:
    if format_ == "json":
        return tabular.json_answer(
            found.names, found.types, found.rows, truncated=found.truncated, elapsed_ms=elapsed_ms
        )
    return tabular.csv_answer(found.rows) if format_ == "csv" else tabular.arrow_answer(found.rows)
