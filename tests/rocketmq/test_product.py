"""RocketMQ → ingest → journal → archive, with everything real: complete, once, and the ledger says so.

Runs print their seeds; EVENTCENTER_SEED replays one. EVENTCENTER_MESSAGES and _ROUNDS ask for more of them.
"""

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from eventcenter.archive import Archives, examine
from eventcenter.rocketmq.remoting import Offsets
from ingest.inputs import status
from tests.rocketmq import layouts
from tests.rocketmq.product import (
    Flow,
    add_fetch,
    add_input,
    archived,
    begun,
    binary,
    change_input,
    pause,
    rows,
    wait_all,
    wait_archived,
)
from tests.rocketmq.sending import Sender, send_officially, send_with_java
from tests.support.product import Product, wait_until
from tests.support.rocketmq import Broker

pytestmark = [pytest.mark.rocketmq, pytest.mark.long, pytest.mark.timeout(0)]

MESSAGES = int(os.environ.get("EVENTCENTER_MESSAGES", "3000"))
ROUNDS = int(os.environ.get("EVENTCENTER_ROUNDS", "3"))
SEED = int(os.environ.get("EVENTCENTER_SEED") or random.SystemRandom().randrange(2**31))


def rounds(many: int) -> pytest.MarkDecorator:
    """The suite's number of rounds, and that of `make soak`."""
    return pytest.mark.parametrize(
        "rounds", [ROUNDS, pytest.param(many, marks=pytest.mark.soak)], ids=["short", "soak"]
    )


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with Product(tmp_path) as made:
        made.start("server", "ingest")
        yield made


def made(broker: Broker, name: str, *topics: str) -> None:
    for topic in topics or (name,):
        broker.create_topic(topic)
    broker.create_group(name)


def is_complete(broker: Broker, product: Product, token: str, input_id: str, topic: str) -> bool:
    """Whether what was received is every offset of every queue, once."""
    found = rows(
        product,
        token,
        "SELECT queue_id, queue_offset, count(*) FROM origins WHERE input = $input AND topic = $topic"
        " AND queue_offset IS NOT NULL AND outcome <> 'empty' GROUP BY ALL",
        input=input_id,
        topic=topic,
    )
    with Offsets(broker.nameserver) as offsets:
        wanted = {
            (each.queue.queue_id, offset)
            for each in offsets.reach(topic)
            for offset in range(each.oldest, each.newest)
        }
    return {(queue, offset) for queue, offset, _ in found} == wanted


@pytest.mark.parametrize(
    "count", [MESSAGES, pytest.param(100_000, marks=pytest.mark.soak)], ids=["short", "soak"]
)
def test_all_layouts_arrive_complete_and_exact(
    rocketmq: Broker, product: Product, jars: Path, tmp_path: Path, count: int
) -> None:
    # The batching sender sends most: the official ones take a call for each message.
    of_python, of_java = count // 20, count // 10
    print(f"seed {SEED}, {count} events, {of_python} by the official producer, {of_java} by that for Java")
    topic, plain = f"layouts-{count}", f"layouts-plain-{count}"
    made(rocketmq, topic, topic, plain)
    token = product.token("viewer")
    input_id = add_input(
        product,
        rocketmq,
        topic,
        [
            {"topic": topic, "bus": "default"},
            {"topic": plain, "bus": "default", "wrap_type": "plain.message"},
        ],
    )
    begun(product, token, rocketmq, topic)
    expected: dict[tuple[str, str], tuple[Any, ...]] = {}
    by_topic: dict[str, list[Any]] = {topic: [], plain: []}
    for sent in layouts.messages(topic, plain, count - of_python - of_java, SEED):
        by_topic[sent.message.topic.name].append(sent.message)
        for name, source, *rest in sent.events:
            expected[str(name), source] = tuple(rest)
    with Sender(rocketmq.endpoint) as sender:
        for messages in by_topic.values():
            for start in range(0, len(messages), 32):
                assert sender.send(messages[start : start + 32])
    officially = [layouts.official(number) for number in range(of_python)]
    send_officially(rocketmq.endpoint, topic, officially, tmp_path)
    for number in range(of_python):
        expected[f"official-{number}", layouts.SOURCE] = ("order.paid", None, f'{{"n":{number}.0}}', {})
    lines = [layouts.with_java(number) for number in range(of_java)]
    send_with_java(rocketmq.endpoint, topic, jars, [line for line, _ in lines], tmp_path)
    for number, (line, extensions) in enumerate(lines):
        expected[line["id"], layouts.SOURCE] = (
            "order.paid",
            line["subject"],
            f'{{"n":{number}.10}}',
            extensions,
        )
    wait_archived(product, token, len(expected), 120 + count / 500)
    assert archived(product, token) == len(expected)
    found: dict[tuple[str, str], tuple[Any, ...]] = {}
    last = 0
    while page := rows(
        product,
        token,
        "SELECT seq, id, source, type, subject, data, extensions FROM events WHERE seq > $last"
        " ORDER BY seq LIMIT 20000",
        last=last,
    ):
        last = page[-1][0]
        for _, name, source, kind, subject, data, extensions in page:
            if name.startswith("first-"):
                continue
            shown = "rocketmq://*/" + source.rpartition("/")[2] if source.startswith("rocketmq:") else source
            found[name, shown] = (kind, subject, data, json.loads(extensions or "{}"))
    assert found == expected
    [[twice]] = rows(
        product,
        token,
        "SELECT count(*) FROM (SELECT 1 FROM events GROUP BY bus, source, id HAVING count(*) > 1)",
    )
    assert twice == 0
    for name in (topic, plain):
        complete = partial(is_complete, rocketmq, product, token, input_id, name)
        wait_until(complete, 60, "the ledger has gaps")
    assert rows(product, token, "SELECT DISTINCT outcome FROM origins WHERE input = $i", i=input_id) == [
        ["stored"]
    ]


@rounds(20)
def test_kills_at_random_lose_nothing_and_repeat_nothing(
    rocketmq: Broker, product: Product, rounds: int
) -> None:
    print(f"seed {SEED}, {rounds} rounds")
    chance = random.Random(SEED)
    topic = f"kills-{SEED}-{rounds}"
    made(rocketmq, topic)
    token = product.token("viewer")
    add_input(product, rocketmq, topic, [{"topic": topic, "bus": "default"}])
    begun(product, token, rocketmq, topic)
    slowest = 0.0
    with Flow(rocketmq, topic, seed=SEED) as flow:
        for number in range(rounds):
            pause(chance.uniform(0.3, 3))
            victim = ("proxy", "ingest", "server", "all")[number % 4 if rounds < 8 else chance.randrange(4)]
            for name in ("ingest", "server"):
                if victim in {name, "all"}:
                    product.kill(name)
            if victim in {"proxy", "all"}:
                rocketmq.kill()
                pause(chance.uniform(0, 1))
            # A supervisor brings them back at once, whoever else is down.
            product.start(*(name for name in ("server", "ingest") if victim in {name, "all"}))
            if victim in {"proxy", "all"}:
                rocketmq.start()
            back_at = time.monotonic()
            before, sent = archived(product, token), len(flow.sent)
            wait_until(partial(_is_more, lambda: len(flow.sent), sent), 30, "nothing can be sent")
            wait_until(partial(_is_more, lambda: archived(product, token), before), 60, "nothing arrives")
            slowest = max(slowest, time.monotonic() - back_at)
            print(
                f"round {number + 1}: killed {victim}, first event {time.monotonic() - back_at:.1f} s later"
            )
    wait_all(product, token, flow)
    found = rows(product, token, "SELECT id, data FROM events WHERE NOT starts_with(id, 'first-')")
    assert len(found) == len({name for name, _ in found}), "events are there twice"
    assert all(flow.tried[name] == data for name, data in found)
    assert slowest < 10
    product.stop("server")
    archives = Archives(product.settings.tenants_dir)
    for folder in product.settings.tenants_dir.iterdir():
        assert list(examine(archives.tenant(folder.name))) == []
    archives.close()
    print(f"{len(flow.sent)} events; at most {slowest:.1f} s until events arrived again")


def _is_more(count: Callable[[], int], than: int) -> bool:
    return count() > than


def test_a_paused_input_receives_nothing_until_it_goes_on(rocketmq: Broker, product: Product) -> None:
    topic = "paused"
    made(rocketmq, topic)
    token = product.token("viewer")
    input_id = add_input(product, rocketmq, topic, [{"topic": topic, "bus": "default"}])
    begun(product, token, rocketmq, topic)
    change_input(product, input_id, enabled=False)
    pause(2)
    _, shown = product.api("GET", f"/v1/inputs/{input_id}", token)
    [there] = shown["topic_states"]
    assert there["complete"]["text"]["en"] == "What the broker has is not asked while it is paused."
    before = archived(product, token)
    with Flow(rocketmq, topic, seed=SEED) as flow:
        pause(2)
        assert archived(product, token) == before
        change_input(product, input_id, enabled=True)
        wait_until(lambda: archived(product, token) > before, 30, "it does not go on")
    wait_all(product, token, flow)


def test_a_range_that_is_fetched_stores_nothing_twice(rocketmq: Broker, product: Product) -> None:
    """What came before the input is there afterwards; what it has already stays as it is."""
    topic = "fetched"
    rocketmq.create_topic(topic, queues=1)
    token = product.token("viewer")
    with Sender(rocketmq.endpoint) as sender:
        for start in range(0, 100, 20):
            batch = [binary(topic, f"old-{start + n}", f'{{"n":{start + n}}}') for n in range(20)]
            assert sender.send(batch)
    with Offsets(rocketmq.nameserver) as offsets:
        [reach] = offsets.reach(topic)
        rocketmq.create_group(topic)
        offsets.reset(topic, topic, "last")
    input_id = add_input(product, rocketmq, topic, [{"topic": topic, "bus": "default"}])
    begun(product, token, rocketmq, topic)
    assert archived(product, token) == 0
    queue = {"topic": topic, "broker": reach.queue.broker, "queue_id": reach.queue.queue_id}
    fetch = add_fetch(product, input_id, [{**queue, "first": 0, "last": reach.newest + 500}])

    def told() -> dict[str, Any]:
        # Of the API: the ingest service's status lets go of what is finished.
        code, answer = product.api("GET", f"/v1/inputs/{input_id}/fetches", token)
        assert code == 200, answer
        [found] = [each for each in answer["fetches"] if each["id"] == fetch]
        return dict(found)

    wait_until(lambda: told()["finished_at"] is not None, 60, lambda: product.log("ingest"))
    wait_archived(product, token, 100)
    assert archived(product, token) == 100
    wait_until(partial(is_complete, rocketmq, product, token, input_id, topic), 30)
    [[twice]] = rows(product, token, "SELECT count(*) - count(DISTINCT queue_offset) FROM origins")
    assert twice == 0
    ended = told()
    assert (ended["state"], ended["problem"]) == ("done", None)
    assert ended["found"] >= 100


@rounds(20)
def test_services_join_leave_and_take_over(rocketmq: Broker, product: Product, rounds: int) -> None:
    """A second ingest service runs the same input, ends and comes again; then the input moves to it."""
    print(f"seed {SEED}, {rounds} rounds")
    chance = random.Random(SEED)
    topic = f"several-{SEED}-{rounds}"
    made(rocketmq, topic)
    token = product.token("viewer")
    input_id = add_input(product, rocketmq, topic, [{"topic": topic, "bus": "default"}])
    begun(product, token, rocketmq, topic)
    with Flow(rocketmq, topic, seed=SEED) as flow:
        for number in range(rounds):
            product.start("ingest-b")
            pause(chance.uniform(1, 3))
            if number % 3 == 2:
                product.kill("ingest-b")
            else:
                assert product.stop("ingest-b") == 0
        product.start("ingest-b")
        for service in ("ingest-b", "main"):
            change_input(product, input_id, service=service)
            pause(3)
            before = archived(product, token)
            wait_until(partial(_is_more, lambda: archived(product, token), before), 30, "nothing arrives")
    wait_all(product, token, flow)
    found = [name for (name,) in rows(product, token, "SELECT id FROM events")]
    assert len(found) == len(set(found))
    writers = rows(product, token, "SELECT DISTINCT input FROM origins")
    assert writers == [[input_id]]
    told = {each.service: each for each in status.read(product.settings.journal_dir)}
    assert told["ingest-b"].inputs == {} or told["ingest-b"].inputs[input_id].state == "stopping"


def test_a_second_service_of_the_same_name_does_not_start(product: Product) -> None:
    again = Product(product.folder)
    again.settings.data_dir.mkdir(exist_ok=True)
    with pytest.raises(AssertionError, match="Another ingest service of this name"):
        again.start("ingest")
