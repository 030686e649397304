"""Policies and holds: set, read, refused, and what the keeper makes of them."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eventcenter.access import Principal
from eventcenter.archive import removal
from tests.retention.stand import Stand, stand


def test_without_a_policy_everything_is_kept(there: Stand) -> None:
    there.add(["a", "b"])
    there.pass_days(10_000)
    assert there.keeper.retain()
    assert there.subjects() == ["a", "b"]
    answer = there.as_("viewer").get("/v1/retention")
    assert (answer["policy"], answer["hold"], answer["events"]) == (None, None, 2)
    assert [bus["name"] for bus in answer["buses"]] == ["default", "orders"]
    assert (answer["buses"][0]["events"], answer["buses"][1]["oldest_received_at"]) == (2, None)
    assert answer["buses"][0]["bytes"] == answer["bytes"] > 0
    assert answer["oldest_received_at"] == "2026-11-01T00:00:00Z"


def test_old_events_and_rejects_go_by_the_policy_of_their_bus(there: Stand) -> None:
    admin = there.as_("admin")
    there.add(["old"])
    there.add(["old"], bus="orders")
    there.add(["old"], tenant="other")
    there.reject(b"{}")
    there.pass_days(5)
    there.add(["new"])
    there.add(["new"], bus="orders")
    there.pass_days(6)
    changed = admin.put("/v1/retention", {"max_age_days": 10})
    assert (changed["policy"]["max_age_days"], changed["policy"]["updated_by"]) == (10, "token:admin")
    assert changed["going"] == {"events": 2, "rejects": 1}
    admin.put("/v1/buses/orders/retention", {"max_age_days": 100})
    assert there.keeper.retain()
    assert there.subjects() == ["new"]
    assert there.subjects("orders") == ["old", "new"]
    assert there.subjects(tenant="other") == ["old"]
    assert there.archive().query("SELECT count(*) AS n FROM rejects") == [{"n": 0}]
    assert there.keeper.removed_events == 1
    admin.delete("/v1/buses/orders/retention")
    there.keeper.retain()
    assert there.subjects("orders") == ["new"]
    assert there.actions() == [
        ("retention.set", "tenant"),
        ("retention.set", "bus:orders"),
        ("retention.reset", "bus:orders"),
    ]


def test_a_dry_run_tells_what_would_go_and_changes_nothing(there: Stand) -> None:
    there.add(["old"] * 3)
    there.add(["old"] * 4, bus="orders")
    there.pass_days(3)
    admin = there.as_("admin")
    whole = admin.put("/v1/retention", {"max_age_days": 1, "dry_run": True})
    assert (whole["dry_run"], whole["policy"], whole["going"]["events"]) == (True, None, 7)
    of_bus = admin.put("/v1/buses/orders/retention", {"max_age_days": 1, "dry_run": True})
    assert of_bus["going"]["events"] == 4
    assert of_bus["buses"][1]["policy"] is None
    there.keeper.retain()
    assert len(there.subjects()) == 3
    assert there.actions() == []


def test_a_hold_keeps_everything_until_it_is_lifted(there: Stand) -> None:
    admin = there.as_("admin")
    there.add(["a"])
    there.add(["a"], bus="orders")
    there.reject(b"{}", bus="orders")
    there.pass_days(3)
    admin.put("/v1/retention", {"max_age_days": 1})
    held = admin.put("/v1/buses/orders/hold", {"reason": "case 12"})
    assert (held["reason"], held["set_by"]) == ("case 12", "token:admin")
    there.keeper.retain()
    assert (there.subjects(), there.subjects("orders")) == ([], ["a"])
    assert there.archive().query("SELECT count(*) AS n FROM rejects") == [{"n": 1}]
    assert there.as_("viewer").get("/v1/retention")["buses"][1]["hold"]["reason"] == "case 12"
    admin.put("/v1/retention/hold", {"reason": "all of it"})
    admin.delete("/v1/buses/orders/hold")
    assert admin.put("/v1/retention", {"max_age_days": 1})["going"] == {"events": 0, "rejects": 0}
    there.keeper.retain()
    assert there.subjects("orders") == ["a"]
    admin.delete("/v1/retention/hold")
    there.keeper.retain()
    assert there.subjects("orders") == []
    assert [action for action in there.actions() if action[0].startswith("hold")] == [
        ("hold.set", "bus:orders"),
        ("hold.set", "tenant"),
        ("hold.lift", "bus:orders"),
        ("hold.lift", "tenant"),
    ]


def test_a_hold_that_is_set_while_events_are_being_removed_counts_at_once(
    there: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.add(["a"] * 5)
    there.pass_days(3)
    there.as_("admin").put("/v1/retention", {"max_age_days": 1})
    real = removal._remove_of
    who = Principal.local(there.world.tenants["default"])

    def held_in_between(*given: Any) -> int:
        there.retention.policies.hold(who, None, "just in time")
        return real(*given)

    monkeypatch.setattr(removal, "_remove_of", held_in_between)
    assert not there.keeper.retain()
    assert there.subjects() == ["a"] * 5


def test_too_much_goes_from_the_oldest_end(there: Stand) -> None:
    noise = [f"{number:0400x}" for number in range(20_000)]
    for start in range(0, len(noise), 2_000):
        there.add(noise[start : start + 2_000])
    before = there.as_("viewer").get("/v1/retention")["bytes"]
    assert before > 1_500_000
    there.as_("admin").put("/v1/retention", {"max_bytes": 1_000_000})
    there.keeper.retain()
    left = there.subjects()
    assert left == noise[-len(left) :]
    assert 900_000 < there.as_("viewer").get("/v1/retention")["bytes"] <= 1_000_000


def test_a_bus_that_is_deleted_takes_its_policy_along_but_not_its_hold(there: Stand) -> None:
    admin = there.as_("admin")
    admin.put("/v1/buses/orders/retention", {"max_age_days": 1})
    admin.put("/v1/buses/orders/hold", {"reason": "case 12"})
    assert there.problem("DELETE", "/v1/buses/orders")["remedy"] == "lift the hold first"
    admin.delete("/v1/buses/orders/hold")
    admin.delete("/v1/buses/orders")
    admin.post("/v1/buses", {"name": "orders"})
    assert admin.get("/v1/retention")["buses"][1]["policy"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"max_age_days": 0},
        {"max_age_days": 1.5},
        {"max_age_days": "7"},
        {"max_age_days": 36_501},
        {"max_age_days": True},
        {"max_bytes": 999_999},
        {"max_bytes": 1 << 60},
        {"max_days": 7},
        [],
    ],
)
def test_wrong_limits_are_refused(there: Stand, body: Mapping[str, Any]) -> None:
    for path in ("/v1/retention", "/v1/buses/orders/retention"):
        problem = there.problem("PUT", path, body)
        assert problem["status"] == 400
        assert problem["rule"]
    assert there.actions() == []


def test_what_is_not_there_is_not_found(there: Stand) -> None:
    for method, path, body in (
        ("PUT", "/v1/buses/none/retention", {"max_age_days": 1}),
        ("DELETE", "/v1/buses/none/retention", None),
        ("DELETE", "/v1/buses/orders/retention", None),
        ("DELETE", "/v1/retention", None),
        ("PUT", "/v1/buses/none/hold", {"reason": "x"}),
        ("DELETE", "/v1/buses/orders/hold", None),
        ("DELETE", "/v1/retention/hold", None),
    ):
        problem = there.problem(method, path, body)
        assert (problem["status"], "remedy" in problem) == (404, True), path


def test_archives_that_slept_sleep_again_and_trouble_of_one_tenant_stays_its_own(
    there: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tenant in ("default", "other"):
        there.add(["a"], tenant=tenant)
        there.as_("admin", tenant).put("/v1/retention", {"max_age_days": 1})
        assert there.archive(tenant).sleep()
    there.pass_days(2)
    real, asked = removal.remove, []

    def first_fails(*given: Any, **named: Any) -> removal.Done:
        asked.append(given)
        if len(asked) == 1:
            raise RuntimeError("a broken disk")
        return real(*given, **named)

    monkeypatch.setattr(removal, "remove", first_fails)
    there.keeper.retain()
    assert there.archives.awake() == {}
    assert sorted([there.subjects(tenant="default"), there.subjects(tenant="other")]) == [[], ["a"]]


def test_the_loop_runs_at_once_and_ends_when_told(tmp_path: Path) -> None:
    with stand(tmp_path) as there:
        there.add(["a"])
        there.pass_days(2)
        there.as_("admin").put("/v1/retention", {"max_age_days": 1})
        stop = threading.Event()
        thread = threading.Thread(target=there.keeper.run, args=(stop,))
        thread.start()
        asked = there.as_("admin").post("/v1/deletions", {"subject": "b", "reason": "r"})
        stop.set()
        there.keeper.wake()
        thread.join(20)
        assert not thread.is_alive()
        assert asked["state"] == "done"
        assert there.keeper.removed_events in {0, 1}
