"""Imports through a real ingest service, and how Parquet files are made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from eventcenter.errors import InvalidInput
from eventcenter.event import Event
from eventcenter.importing import Import, Listener, Memory, Poster, Progress, Reject, Result, reader, sources
from eventcenter.importing.part import Part
from eventcenter.importing.posting import Posted
from eventcenter.sender import Sender
from tests.support.ingest import Ingest


@dataclass(kw_only=True)
class Heard:
    """What the listener was told."""

    rejects: list[Reject] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    broken: list[InvalidInput] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)

    @property
    def listener(self) -> Listener:
        return Listener(
            progress=self.progress.append,
            reject=self.rejects.append,
            resumed=self.resumed.append,
            broken=self.broken.append,
        )


class Cut(Exception):
    """Ends an import in the middle."""


@dataclass
class CutDoor:
    """A door that lets some parts through and then fails."""

    door: Poster
    parts: int

    def post(self, part: Part) -> Posted:
        self.parts -= 1
        if self.parts < 0:
            raise Cut
        return self.door.post(part)

    def stop(self) -> None:
        self.door.stop()


def bring(
    ingest: Ingest,
    folder: Path,
    *files: Path,
    bus: str | None = None,
    rejects: Path | None = None,
    cut_after: int | None = None,
    restart: bool = False,
    connections: int = 1,
    part_bytes: int = 4096,
) -> tuple[Result, Heard]:
    """Import files; with marks in `folder`."""
    token = ingest.tokens["default", "writer"]
    poster = Poster(
        lambda name, persistence: Sender(ingest.url, bus=name, token=token, persistence=persistence),
        all_refusals=rejects is not None,
    )
    heard = Heard()
    work = Import(
        sources([str(file) for file in files]),
        reader=lambda source: reader(source, bus, part_bytes=part_bytes),
        door=poster if cut_after is None else CutDoor(poster, cut_after),
        memory=Memory(folder / "marks", url=ingest.url, bus=bus, token=token),
        rejects=rejects,
        listener=heard.listener,
        connections=connections,
    )
    try:
        return work.run(restart=restart), heard
    finally:
        poster.close()


EXPORT = pa.schema(
    {
        "seq": pa.int64(),
        "bus": pa.string(),
        "received_at": pa.timestamp("us", "UTC"),
        "id": pa.string(),
        "source": pa.string(),
        "type": pa.string(),
        "subject": pa.string(),
        "time_text": pa.string(),
        "time": pa.timestamp("us", "UTC"),
        "datacontenttype": pa.string(),
        "dataschema": pa.string(),
        "extensions": pa.string(),
        "data_kind": pa.string(),
        "data": pa.string(),
    }
)


def write_export(path: Path, events: Sequence[Event], buses: Sequence[str], **options: Any) -> None:
    """Write events as the export does."""
    rows = [
        {
            "seq": seq,
            "bus": bus,
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "subject": event.subject,
            "time_text": event.time,
            "datacontenttype": event.datacontenttype,
            "dataschema": event.dataschema,
            "extensions": msgspec.json.encode(dict(event.extensions)).decode() if event.extensions else None,
            "data_kind": event.data_kind,
            "data": None if event.data is None else event.data.decode(),
        }
        for seq, (event, bus) in enumerate(zip(events, buses, strict=True), 1)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=EXPORT), path, **options)
