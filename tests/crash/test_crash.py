"""kill -9 at random moments under four clients: what was answered is there, once.

Meanwhile events settle all the time, another bus is kept short by its retention, and backups are made, so
that kills hit these too. The seed is printed; EVENTCENTER_SEED replays it. The short form runs in the suite,
100 rounds by `make soak`.
"""

import contextlib
import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eventcenter.archive import Archives, examine
from eventcenter.backup import contents
from eventcenter.testing.robot import Robot, RobotConfig, run_robot
from tests.support.product import WAITING, Product, wait_until

ROBOT = "c" * 64
SECRET = "SEC" + "c" * 61
CLIENTS = 4
SETTLED = 800
"""Events that fill a fresh table here: one is settled every second or so."""
SHORT = "short"
KEPT_BYTES = 1_000_000
MOST_ROWS = 100_000


@dataclass
class Sent:
    """What the clients know."""

    answered: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    short: set[str] = field(default_factory=set)
    """Sent to the bus that is kept short."""
    refused: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def seed_of(fallback: int) -> int:
    seed = int(os.environ.get("EVENTCENTER_SEED", fallback))
    print(f"seed {seed}: EVENTCENTER_SEED={seed} replays it")
    return seed


def client(  # noqa: PLR0917 a thread's target
    product: Product, token: str, number: int, seed: int, stop: threading.Event, sent: Sent
) -> None:
    """Posts small batches, now and then the same again, until it is told to stop."""
    rnd = random.Random(f"{seed}/{number}")
    batch = 0
    while not stop.is_set():
        batch += 1
        ids = [f"{number}-{batch}-{index}" for index in range(rnd.randrange(1, 40))]
        lines = [
            json.dumps(
                {
                    "specversion": "1.0",
                    "id": event_id,
                    "source": f"/client/{number}",
                    "type": "com.example.alarm" if rnd.random() < 0.002 else "com.example.plain",
                    "data": {"batch": batch},
                }
            )
            for event_id in ids
        ]
        body = "\n".join(lines).encode()
        bus = SHORT if number == 0 else "default"
        with sent.lock:
            (sent.short if bus == SHORT else sent.sent).update(ids)
        for _ in range(2 if rnd.random() < 0.1 else 1):
            try:
                status, answer = product.post(bus, body, token, "application/x-ndjson")
            except (OSError, http.client.HTTPException):
                # Killed before or within its answer.
                time.sleep(0.02)
                continue
            with sent.lock:
                if status == 200:
                    assert answer["accepted"] == len(ids), answer
                    sent.answered.update(ids if bus == "default" else ())
                else:
                    sent.refused[status] += 1


def rounds(
    folder: Path, seed: int, count: int, victims: list[tuple[str, ...]], *, ready_s: float = 60.0
) -> None:
    rnd = random.Random(seed)
    robot = Robot({ROBOT: RobotConfig(secret=SECRET)}, per_minute=None)
    with (
        run_robot(robot) as stand_in,
        Product(
            folder, dingtalk_base_url=stand_in.url, fresh_events=SETTLED, retention_every_s=0.5
        ) as product,
    ):
        product.start("ingest", "server")
        writer, admin, reader = product.token("writer"), product.token("admin"), product.token("viewer")
        operator = product.token("operator")
        _make_rule(product, admin, stand_in.url)
        _keep_short(product, admin)
        stop, sent = threading.Event(), Sent()
        clients = [
            threading.Thread(target=client, args=(product, writer, number, seed, stop, sent))
            for number in range(CLIENTS)
        ]
        for thread in clients:
            thread.start()
        kills = 0
        slowest = 0.0
        try:
            for _ in range(count):
                time.sleep(rnd.uniform(0.1, 1.5))
                if rnd.random() < 0.3:
                    with contextlib.suppress(OSError, http.client.HTTPException):
                        product.api("POST", "/v1/backups", operator, {"name": f"b{kills}"})
                    time.sleep(rnd.uniform(0, 0.3))
                down = rnd.choice(victims)
                for name in down:
                    product.kill(name)
                kills += 1
                time.sleep(rnd.uniform(0, 0.3))
                if down == ("server",):
                    status, _ = product.post("default", b"[]", writer, "application/cloudevents-batch+json")
                    assert status == 200, "with only the server killed, every post still answers 200"
                begun = time.monotonic()
                product.start(*down)
                ready = time.monotonic() - begun
                slowest = max(slowest, ready)
                print(f"round {kills}: {' and '.join(down)} killed, ready after {ready:.1f} s", flush=True)
        finally:
            stop.set()
            for thread in clients:
                thread.join()
        assert not sent.refused, sent.refused
        assert len(sent.answered) > 100, product.log("ingest")
        print(f"{kills} kills; ready after {slowest:.1f} s at most")
        _check_events(product, reader, sent)
        _check_parts(product, kills)
        _check_deliveries(product, reader, robot, kills)
        # Last: what was lost matters more than what was late.
        assert slowest < ready_s


def _make_rule(product: Product, admin: str, base_url: str) -> None:
    status, target = product.api(
        "POST",
        "/v1/targets",
        admin,
        {
            "name": "robot",
            "kind": "dingtalk",
            "webhook": f"{base_url}/robot/send?access_token={ROBOT}",
            "secret": SECRET,
        },
    )
    assert status in {200, 201}, target
    status, rule = product.api(
        "POST",
        "/v1/rules",
        admin,
        {
            "name": "alarms",
            "buses": ["default"],
            "pattern": {"type": ["com.example.alarm"]},
            "template": {"title": "alarm", "text": "alarm ${id}"},
            "cooldown_s": 0,
            "target_id": target["id"],
            "enabled": True,
        },
    )
    assert status in {200, 201}, rule


def _keep_short(product: Product, admin: str) -> None:
    status, answer = product.api("POST", "/v1/buses", admin, {"name": SHORT, "description": ""})
    assert status in {200, 201}, answer
    status, answer = product.api("PUT", f"/v1/buses/{SHORT}/retention", admin, {"max_bytes": KEPT_BYTES})
    assert status == 200, answer


def pages(product: Product, path: str, name: str, token: str) -> Iterator[Any]:
    """All of a listing, page by page."""
    cursor: str | None = None
    while True:
        status, answer = product.api("GET", path + (f"&cursor={cursor}" if cursor else ""), token)
        assert status == 200, answer
        yield from answer[name]
        cursor = answer["next"]
        if cursor is None:
            return


def _check_events(product: Product, reader: str, sent: Sent) -> None:
    def settled() -> bool:
        status, answer = product.api("GET", "/v1/status", reader)
        held = sum(bus["events"] for name, bus in answer["buses"].items() if name == "default")
        return status == 200 and held >= len(sent.answered) and answer["loader_lag_s"] == 0

    wait_until(
        settled, 60, lambda: f"{product.api('GET', '/v1/status', reader)}, {len(sent.answered)} answered"
    )
    stored = Counter(_ids(product, reader, "default"))
    lost = sent.answered - set(stored)
    assert not lost, f"{len(lost)} acknowledged events are lost: {sorted(lost)[:5]}"
    twice = [event_id for event_id, times in stored.items() if times > 1]
    assert not twice, f"{len(twice)} events are there twice: {twice[:5]}"
    assert set(stored) <= sent.sent
    listed = _ids(product, reader, SHORT)
    assert len(set(listed)) == len(listed), "an event of the short bus is there twice"
    assert set(listed) <= sent.short


def _ids(product: Product, reader: str, bus: str) -> list[str]:
    """The ids of all events of a bus, as often as they are there."""
    last = product.api("GET", "/v1/status", reader)[1]["last_seq"]
    found: list[str] = []
    for after in range(0, last, MOST_ROWS):
        asked = {
            "sql": "SELECT id FROM events WHERE bus = $bus AND seq > $after AND seq <= $last",
            "parameters": {"bus": bus, "after": after, "last": after + MOST_ROWS},
            "limit": MOST_ROWS,
        }
        status, answer = product.api("POST", "/v1/query", reader, asked)
        assert status == 200, answer
        assert not answer["truncated"]
        found += [row[0] for row in answer["rows"]]
    return found


def _check_parts(product: Product, kills: int) -> None:
    """Counts, roll-ups, segments and indexes agree, settling took place, and finished backups are whole."""

    def settled() -> bool:
        written = any(product.settings.tenants_dir.glob("*/segments/*.index"))
        return written and product.gauges().get(WAITING) == 0

    # Under the clients' load it may not have had its turn yet.
    wait_until(settled, 120, lambda: f"nothing is settled: {product.gauges()}")
    product.stop("server")
    archives = Archives(product.settings.tenants_dir, fresh_events=SETTLED)
    try:
        for tenant in product.settings.tenants_dir.iterdir():
            archive = archives.tenant(tenant.name)
            assert list(examine(archive)) == []
            assert archive.layout().segments, "nothing was settled"
    finally:
        archives.close()
    for made in product.settings.backups_folder.glob("b*"):
        if not made.name.endswith(".partial"):
            found = contents.read(made)
            assert all(contents.digest(made / name) == entry for name, entry in found.files.items())
    product.start("server")
    assert kills


def _check_deliveries(product: Product, reader: str, robot: Robot, kills: int) -> None:
    alarms = {
        e["event"]["id"]
        for e in pages(product, "/v1/events?limit=500&bus=default&type=com.example.alarm", "events", reader)
    }

    def deliveries() -> list[Any]:
        return list(pages(product, "/v1/deliveries?limit=100", "deliveries", reader))

    def done() -> bool:
        found = [each for each in deliveries() if each["kind"] == "event"]
        return len(found) >= len(alarms) and all(
            each["state"] in {"delivered", "merged"} or each["state"] == "pending" for each in found
        )

    wait_until(done, 60, "the rule did not see every match")
    matched = Counter(each["event"]["id"] for each in deliveries() if each["kind"] == "event")
    assert matched == Counter(dict.fromkeys(alarms, 1)), "each match has exactly one delivery"
    assert all(message.signature == "right" for message in robot.received())
    received = Counter(message.delivery for message in robot.messages())
    repeats = sum(times - 1 for times in received.values())
    assert repeats <= kills, f"{repeats} requests were repeated by {kills} kills"


@pytest.mark.long
@pytest.mark.timeout(180)
def test_killed_at_random_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    rounds(tmp_path, seed_of(20261123), 4, [("ingest",), ("server",), ("ingest", "server")])


@pytest.mark.soak
def test_a_hundred_kills(tmp_path: Path) -> None:
    seed = seed_of(random.randrange(10**9))
    victims = [("ingest",), ("server",), ("server",), ("ingest", "server")]
    rounds(tmp_path, seed, 100, victims, ready_s=5.0)


@pytest.mark.timeout(120)
def test_with_the_server_down_every_post_is_answered(tmp_path: Path) -> None:
    with Product(tmp_path) as product:
        product.start("ingest", "server")
        writer, reader = product.token("writer"), product.token("viewer")
        product.kill("server")
        for number in range(50):
            event = {"specversion": "1.0", "id": str(number), "source": "/s", "type": "t"}
            status, answer = product.post(
                "default", json.dumps(event).encode(), writer, "application/cloudevents+json"
            )
            assert (status, answer["accepted"]) == (200, 1)
        product.start("server")
        wait_until(lambda: product.api("GET", "/v1/status", reader)[1]["events"] == 50, 30)
