"""A happening as a CloudEvent, built by the CloudEvents SDK as any sender would."""

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from eventcenter.demo.cluster import Happening

_FORMAT = JSONFormat()


def to_line(happening: Happening) -> bytes:
    """The event as one line of JSON, with `cluster` and `severity` as extension attributes."""
    event = CloudEvent(
        attributes={
            "id": happening.id,
            "source": happening.source,
            "type": happening.type,
            "subject": happening.subject,
            "time": happening.at,
            "datacontenttype": "application/json",
            "cluster": "demo",
            "severity": happening.severity,
        },
        data=happening.data,
    )
    return _FORMAT.write(event)
