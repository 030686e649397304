"""Deletion of one subject's events, over HTTP and by the keeper."""

import json
from pathlib import Path
from typing import Any

import pytest

from eventcenter.archive import Archive, removal
from eventcenter.store.models import Deletion
from eventcenter.store.sql import select
from tests.retention.stand import Stand, stand

PERSON = "user/somebody-who-asked"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a keeper that the test steps by itself."""
    monkeypatch.setattr("eventcenter.retention.api._WAIT_S", 0.01)


@pytest.fixture
def there(tmp_path: Path, impatient: None) -> Any:
    with stand(tmp_path) as made:
        made.add([PERSON, "user/2", None, PERSON])
        made.pass_days(1)
        made.add([PERSON, "user/2"], bus="orders")
        made.add([PERSON], tenant="other")
        made.reject(json.dumps({"id": "1", "subject": PERSON}).encode())
        made.reject(json.dumps({"id": "1", "subject": PERSON[:-1]}).encode())
        yield made


def ask(there: Stand, **given: Any) -> Any:
    return there.as_("admin").post("/v1/deletions", {"subject": PERSON, "reason": "request 7", **given})


def test_a_deletion_takes_the_subjects_events_and_tells_of_them(there: Stand) -> None:
    foreseen = ask(there, dry_run=True)
    assert (foreseen["id"], foreseen["state"]) == (None, "dry_run")
    asked = ask(there)
    assert (asked["state"], asked["report"], asked["asked_by"]) == ("waiting", None, "token:admin")
    assert there.keeper.delete() == 1
    done = there.as_("viewer").get(f"/v1/deletions/{asked['id']}")
    assert (done["state"], done["finished_at"]) == ("done", "2026-11-02T00:00:00Z")
    assert done["report"] == foreseen["report"]
    assert done["subject_hash"] == foreseen["subject_hash"]
    assert (done["report"]["events"], done["report"]["rejects"]) == (3, 1)
    assert [(one["bus"], one["type"], one["events"]) for one in done["report"]["by_type"]] == [
        ("default", "t", 2),
        ("orders", "t", 1),
    ]
    assert done["report"]["first_received_at"] == "2026-11-01T00:00:00Z"
    assert done["report"]["last_received_at"] == "2026-11-02T00:00:00Z"
    assert any("backups" in one for one in done["report"]["remains"])
    assert there.subjects() == ["user/2", None]
    assert there.subjects("orders") == ["user/2"]
    assert there.subjects(tenant="other") == [PERSON]
    assert there.actions() == [
        ("deletion.ask", f"deletion:{asked['id']}"),
        ("deletion.end", f"deletion:{asked['id']}"),
    ]
    assert there.archive().query("SELECT count(*) AS n FROM removals") == [{"n": 0}]


def test_the_subject_itself_is_kept_nowhere(there: Stand) -> None:
    ask(there)
    there.keeper.delete()
    there.archives.close()
    tenant = there.world.tenants["default"]
    for path in there.world.settings.data_dir.rglob("*"):
        if path.is_file() and (tenant in path.parts or "tenants" not in path.parts):
            assert PERSON.encode() not in path.read_bytes(), path
    rows = there.world.store.read(lambda session: list(session.scalars(select(Deletion))))
    assert [row.subject for row in rows] == [None]


def test_a_deletion_may_be_of_one_bus(there: Stand) -> None:
    asked = ask(there, bus="orders")
    there.keeper.delete()
    assert there.as_("admin").get(f"/v1/deletions/{asked['id']}")["report"]["events"] == 1
    assert there.subjects() == [PERSON, "user/2", None, PERSON]
    assert there.subjects("orders") == ["user/2"]


def test_a_hold_refuses_a_deletion_with_the_way_out(there: Stand) -> None:
    there.as_("admin").put("/v1/buses/orders/hold", {"reason": "case 12"})
    body = {"subject": PERSON, "reason": "r"}
    for given in (body, body | {"bus": "orders"}, body | {"dry_run": True}):
        problem = there.problem("POST", "/v1/deletions", given)
        assert (problem["status"], problem["value"]) == (409, "bus orders (case 12)")
        assert "lifts the hold" in problem["remedy"]
    ask(there, bus="default")
    assert there.keeper.delete() == 1
    assert (there.subjects(), there.subjects("orders")) == (["user/2", None], [PERSON, "user/2"])
    there.as_("admin").put("/v1/retention/hold", {"reason": "all"})
    assert there.problem("POST", "/v1/deletions", body | {"bus": "default"})["status"] == 409


def test_a_hold_stops_a_deletion_that_runs(there: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(there)
    real = removal._remove_of

    def held_in_between(*given: Any) -> int:
        there.as_("admin").put("/v1/retention/hold", {"reason": "just in time"})
        return real(*given)

    monkeypatch.setattr(removal, "_remove_of", held_in_between)
    assert there.keeper.delete() == 1
    stopped = there.as_("viewer").get(f"/v1/deletions/{asked['id']}")
    assert (stopped["state"], stopped["report"]["events"]) == ("stopped", 0)
    assert there.subjects() == [PERSON, "user/2", None, PERSON]


def test_a_deletion_goes_on_after_a_crash_and_its_report_is_of_all(
    there: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.archive().rotate()
    there.add([PERSON])
    asked = ask(there)
    real, times = removal._remove_of, []

    def failing(*given: Any) -> int:
        times.append(1)
        if len(times) == 2:
            raise RuntimeError("the machine stops")
        return real(*given)

    monkeypatch.setattr(removal, "_remove_of", failing)
    assert there.keeper.delete() == 0
    assert there.subjects().count(PERSON) == 1
    monkeypatch.undo()
    there.keeper._retry_at.clear()
    there.archives.close()
    assert there.keeper.delete() == 1
    assert there.as_("admin").get(f"/v1/deletions/{asked['id']}")["report"]["events"] == 4


def test_a_report_says_where_free_space_could_not_be_cleaned(
    there: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventcenter.retention.keeper._SHRINK_TRIES", 1)
    monkeypatch.setattr(Archive, "shrink", lambda *_, **__: False)
    asked = ask(there)
    there.keeper.delete()
    remains = there.as_("admin").get(f"/v1/deletions/{asked['id']}")["report"]["remains"]
    assert "free space" in remains[0]


def test_deletions_are_listed_page_by_page(there: Stand) -> None:
    made = []
    for number in range(3):
        made.append(ask(there, reason=f"request {number}")["id"])
        there.world.clock.advance(1)
    viewer = there.as_("viewer")
    first = viewer.get("/v1/deletions?limit=2")
    second = viewer.get(f"/v1/deletions?limit=2&cursor={first['next']}")
    assert [one["id"] for one in first["deletions"] + second["deletions"]] == made[::-1]
    assert second["next"] is None
    assert there.as_("viewer", "other").get("/v1/deletions")["deletions"] == []
    foreign = there.as_("viewer", "other").ask("GET", f"/v1/deletions?cursor={first['next']}")
    assert foreign.status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"subject": "", "reason": "r"},
        {"subject": "a\nb", "reason": "r"},
        {"subject": "a\0b", "reason": "r"},
        {"subject": "x", "reason": " "},
        {"subject": "x"},
        {"reason": "r"},
        {"subject": "x", "reason": "r", "buses": ["default"]},
    ],
)
def test_a_wrong_request_is_refused(there: Stand, body: dict[str, Any]) -> None:
    problem = there.problem("POST", "/v1/deletions", body)
    assert (problem["status"], bool(problem["rule"])) == (400, True)


def test_an_unknown_bus_is_not_found(there: Stand) -> None:
    assert (
        there.problem("POST", "/v1/deletions", {"subject": "x", "reason": "r", "bus": "no"})["status"] == 404
    )
    assert there.problem("GET", f"/v1/deletions/{'0' * 32}")["status"] == 404
