"""Messages that a broker keeps, read by their offsets, as `Message`."""

from collections.abc import Iterator

from eventcenter.errors import NotFound
from eventcenter.rocketmq.raw import RawMessage
from eventcenter.rocketmq.remoting import Offsets, Queue
from ingest.bindings.rocketmq import Message
from ingest.bindings.rocketmq.properties import is_of_the_broker

_MOST = 32


def queue_of(offsets: Offsets, topic: str, broker: str, queue_id: int) -> Queue:
    """The queue, and where its broker is now. Raises NotFound."""
    for queue in offsets.queues(topic):
        if (queue.broker, queue.queue_id) == (broker, queue_id):
            return queue
    raise NotFound(
        f"There is no queue {queue_id} of the topic {topic} at the broker {broker}.",
        value=topic,
        rule="a queue is read from the broker that has it",
        remedy="look at the topic's route: mqadmin topicRoute -n NAMESERVER:9876 -t TOPIC",
    )


def pull(
    offsets: Offsets, queue: Queue, first: int, last: int, *, group: str
) -> Iterator[tuple[int, list[tuple[Message, str | None]]]]:
    """What the broker still has from `first` up to and with `last`, part by part.

    Each part is the offset to go on with, and messages with why their body is broken, if it is. Raises
    EventCenterError.
    """
    at = first
    while at <= last:
        found = offsets.pull(queue, at, group=group, most=min(_MOST, last - at + 1))
        messages = [one for one in found.messages if at <= one.queue_offset <= last]
        if found.next <= at:
            yield last + 1, []
            return
        at = min(found.next, last + 1)
        yield at, [(message_of(one, queue), one.broken) for one in messages]


def message_of(raw: RawMessage, queue: Queue) -> Message:
    """The message as a consumer would get it, but for the attempt."""
    given = raw.properties
    return Message(
        topic=queue.topic,
        body=raw.body,
        properties={name: value for name, value in given.items() if not is_of_the_broker(name)},
        tag=given.get("TAGS"),
        keys=tuple(given.get("KEYS", "").split()),
        message_id=given.get("UNIQ_KEY"),
        broker=queue.broker,
        queue_id=raw.queue_id,
        queue_offset=raw.queue_offset,
        born_at=raw.born_at,
        stored_at=raw.stored_at,
    )
