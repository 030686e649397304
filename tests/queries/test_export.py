"""What the Parquet export holds, and that it comes in pieces."""

import io
from typing import Any

import pyarrow.parquet as pq
import pytest

from queries import export
from queries.request import EventFilter
from tests.queries.filling import TENANT, Filling

EXACT = '{"n":[1e2,1.0,18446744073709551617,0.10000000000000000001]}'


def exported(
    filling: Filling, which: EventFilter | None = None, tenant: str = TENANT
) -> list[dict[str, Any]]:
    data = b"".join(filling.queries.export(tenant, which or EventFilter()))
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return sorted(rows, key=lambda row: row["seq"])


def test_each_event_is_there_as_it_was_sent(filling: Filling) -> None:
    filling.add([filling.event(EXACT, id="first", type="a", time="2026-11-01T00:00:00.50+08:00")])
    filling.add([filling.event(type="b")], bus="two")
    first, second = exported(filling)
    assert list(first) == export.COLUMNS.replace(" ", "").split(",")
    assert (first["id"], first["type"], first["bus"]) == ("first", "a", "default")
    assert (first["data"], first["time_text"]) == (EXACT, "2026-11-01T00:00:00.50+08:00")
    assert (second["bus"], second["data"], second["data_kind"]) == ("two", None, None)


def test_only_what_passes_the_filter_is_there(filling: Filling) -> None:
    filling.add([filling.event(type="a"), filling.event(type="b")])
    assert [row["type"] for row in exported(filling, EventFilter(types=("b",)))] == ["b"]
    assert exported(filling, EventFilter(types=("none",))) == []


def test_another_tenant_gets_its_own(filling: Filling) -> None:
    filling.add([filling.event(type="a")])
    assert exported(filling, tenant="other") == []


def test_a_large_export_comes_in_pieces(filling: Filling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_BATCH_ROWS", 2048)
    monkeypatch.setattr(export, "_GROUP_ROWS", 2048)
    filling.add([filling.event(type="a") for _ in range(10_000)])
    pieces = list(filling.queries.export(TENANT, EventFilter()))
    assert len(pieces) > 3
    assert pq.read_table(io.BytesIO(b"".join(pieces))).num_rows == 10_000
