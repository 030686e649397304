import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from eventcenter.errors import EventCenterError, Forbidden, InvalidInput, NotFound, Unavailable
from eventcenter.rocketmq.remoting import Offsets, Queue, Reach, parse_json
from eventcenter.rocketmq.server import Credentials
from tests.rocketmq.standin_remoting import Remoting, Reply


def broker_reply(offset: Callable[[dict[str, str]], int]) -> Callable[[dict[str, str]], Reply]:
    return lambda fields: (0, {"offset": str(offset(fields))}, b"")


@pytest.fixture
def broker() -> Iterator[Remoting]:
    replies = {
        29: broker_reply(lambda fields: int(fields["timestamp"]) // 1000),
        30: broker_reply(lambda fields: 100 + int(fields["queueId"])),
        31: broker_reply(lambda fields: int(fields["queueId"])),
    }
    with Remoting(replies) as standin:
        yield standin


@pytest.fixture
def name_server(broker: Remoting) -> Iterator[Remoting]:
    # As fastjson writes it: the numbers of brokers are no strings.
    route = (
        '{"brokerDatas":[{"brokerAddrs":{0:"%s",1:"10.0.0.9:1"},"brokerName":"b-1","cluster":"{0:1,2:3}"},'
        '{"brokerAddrs":{1:"10.0.0.8:1"},"brokerName":"b-2"}],"queueDatas":['
        '{"brokerName":"b-2","perm":6,"readQueueNums":4},{"brokerName":"b-1","perm":6,"readQueueNums":2}]}'
    )
    replies: dict[int, Callable[[dict[str, str]], Reply]] = {
        105: lambda fields: (
            (0, {}, (route % broker.address).encode())
            if fields["topic"].endswith("events")
            else (17, {}, b"")
        ),
        206: lambda _: (0, {}, b'{"topicList":["b","a","space%c"]}'),
    }
    with Remoting(replies) as standin:
        yield standin


def test_how_far_queues_reach(name_server: Remoting, broker: Remoting) -> None:
    with Offsets(str(name_server.address)) as offsets:
        queues = [
            Queue(topic="events", broker="b-1", queue_id=number, address=broker.address) for number in (0, 1)
        ]
        assert offsets.reach("events") == [
            Reach(queue=queues[0], oldest=0, newest=100),
            Reach(queue=queues[1], oldest=1, newest=101),
        ]
        assert offsets.offset_at(queues[0], datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC)) == 7
    assert broker.asked[-1] == (
        29,
        {"topic": "events", "queueId": "0", "bname": "b-1", "timestamp": "7000"},
    )
    assert broker.connections == name_server.connections == 1


def test_topics(name_server: Remoting) -> None:
    with Offsets([name_server.address]) as offsets:
        assert offsets.topics() == ["a", "b", "space%c"]
    with Offsets([name_server.address], namespace="space") as offsets:
        assert offsets.topics() == ["c"]


def test_a_namespace_is_part_of_the_name(name_server: Remoting) -> None:
    with Offsets([name_server.address], namespace="space") as offsets:
        assert [queue.topic for queue in offsets.queues("events")] == ["events", "events"]
    assert name_server.asked[0][1]["topic"] == "space%events"


def test_a_missing_topic(name_server: Remoting) -> None:
    with Offsets([name_server.address]) as offsets, pytest.raises(NotFound) as caught:
        offsets.reach("other")
    assert "mqadmin updateTopic" in str(caught.value)
    assert "-t other " in str(caught.value)


def test_questions_are_signed(name_server: Remoting) -> None:
    credentials = Credentials(access_key="key", secret_key="secret")
    with Offsets([name_server.address], credentials=credentials) as offsets:
        offsets.queues("events")
    ((_, fields),) = name_server.asked
    # The values in the order of their names.
    digest = hmac.new(b"secret", b"keytrueevents", hashlib.sha1).digest()
    assert fields["Signature"] == base64.b64encode(digest).decode()


def test_a_connection_that_broke_is_made_anew(name_server: Remoting) -> None:
    with Offsets([name_server.address]) as offsets:
        offsets.topics()
        name_server.broken = 1
        offsets.topics()
    assert name_server.connections == 2


def test_the_next_name_server_is_asked(name_server: Remoting) -> None:
    name_server.broken = 0
    with Remoting({}) as gone:
        gone.broken = 99
        with Offsets([gone.address, name_server.address]) as offsets:
            assert offsets.topics()


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        ((3, {}, b""), InvalidInput, "no name server"),
        ((16, {}, b""), Forbidden, "mqadmin createAcl"),
        ((1, {}, b""), Unavailable, "cannot answer"),
    ],
)
def test_what_is_refused(reply: Reply, error: type[EventCenterError], words: str) -> None:
    with (
        Remoting({206: lambda _: reply}) as standin,
        Offsets([standin.address]) as offsets,
        pytest.raises(error) as caught,
    ):
        offsets.topics()
    assert words in str(caught.value)


def test_nobody_answers() -> None:
    with Remoting({}) as standin:
        address = standin.address
    with Offsets([address]) as offsets, pytest.raises(Unavailable) as caught:
        offsets.topics()
    assert "9876" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":{0:"x:1",-1:{2:3}}}', {"a": {"0": "x:1", "-1": {"2": 3}}}),
        ('{"a":"{0:1,\\"2:3"}', {"a": '{0:1,"2:3'}),
        ('{1:"{0:1"}', {"1": "{0:1"}),
        ('{ 1 : [1,2], 2:"\\\\"}', {"1": [1, 2], "2": "\\"}),
    ],
)
def test_json_with_numbers_for_names(text: str, value: Any) -> None:
    assert parse_json(text.encode()) == value


@pytest.mark.parametrize("text", ["", "[]", "{", "{{}:1}"])
def test_what_is_no_json_object(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text.encode())
