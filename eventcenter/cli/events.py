"""Reads the events of a file for `send`, with their text untouched, and makes one from options."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
from cloudevents.core.bindings.http import HTTPMessage, to_binary
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from eventcenter.errors import InvalidInput
from eventcenter.sender import BATCH_BYTES


@dataclass(frozen=True, kw_only=True)
class FileEvent:
    """An event's JSON on one line, its place (line, or place in the array, from 1), and bytes read so far."""

    text: bytes
    place: int
    read: int


def read_events(file: BinaryIO) -> Iterator[FileEvent]:
    """The events of NDJSON, of one JSON array, or of one JSON object over several lines.

    NDJSON is read line by line, so its size does not matter; lines that are no JSON are passed on, and the
    service keeps them as rejects. Raises InvalidInput for an array or object that is broken.
    """
    lines = enumerate(iter(file.readline, b""), start=1)
    read = 0
    for number, line in lines:
        read += len(line)
        text = line.strip().removeprefix(b"\xef\xbb\xbf").strip()
        if not text:
            continue
        if text.startswith(b"[") or not _is_json(text):
            # Not one event a line: the whole is one array or one object (or broken, and then line by line).
            yield from _whole(line, file, number, read)
            return
        yield FileEvent(text=text, place=number, read=read)
        break
    for number, line in lines:
        read += len(line)
        if text := line.strip():
            yield FileEvent(text=text, place=number, read=read)


def _whole(first: bytes, file: BinaryIO, number: int, read: int) -> Iterator[FileEvent]:
    rest = file.read()
    content = (first + rest).removeprefix(b"\xef\xbb\xbf")
    total = read + len(rest)
    try:
        if content.lstrip().startswith(b"["):
            items = msgspec.json.decode(content, type=list[msgspec.Raw])
        else:
            items = [msgspec.json.decode(content, type=msgspec.Raw)]
    except msgspec.DecodeError as error:
        if not content.lstrip().startswith((b"[", b"{")):
            raise InvalidInput(
                "this is no JSON",
                value=first[:80].decode("utf-8", "replace").strip(),
                rule="a file for send holds CloudEvents as NDJSON (one a line), a JSON array, or one object",
                remedy="to send other data as one event, use --type, --source and --data @FILE",
            ) from error
        if content.lstrip().startswith(b"["):
            raise InvalidInput(
                f"the JSON array is broken: {error}",
                rule="a file that begins with [ is one JSON array of CloudEvents",
                remedy="repair it, or write one event a line",
            ) from error
        for offset, line in enumerate(content.split(b"\n")):
            if text := line.strip():
                yield FileEvent(text=text, place=number + offset, read=total)
        return
    for place, item in enumerate(items, start=1):
        # Line feeds stand only between the tokens of JSON, never within a string.
        text = bytes(item).replace(b"\n", b" ").replace(b"\r", b" ").strip()
        yield FileEvent(text=text, place=place, read=total)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def batches(events: Iterable[FileEvent], *, most_bytes: int = BATCH_BYTES) -> Iterator[list[FileEvent]]:
    """The events in groups of at most `most_bytes`; a larger one goes alone."""
    batch: list[FileEvent] = []
    size = 0
    for event in events:
        if batch and size + len(event.text) + 1 > most_bytes:
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += len(event.text) + 1
    if batch:
        yield batch


def build_event(attributes: Mapping[str, str], data: bytes | None) -> HTTPMessage:
    """One event in binary mode, built by the CloudEvents SDK, which gives it an id and a time unless told.

    Binary mode takes `data` as it is, so that its numbers and keys arrive as written. Raises InvalidInput.
    """
    chosen: dict[str, object] = dict(attributes)
    if data is not None:
        chosen.setdefault("datacontenttype", _content_type(data))
    try:
        return to_binary(CloudEvent(attributes=chosen, data=data), JSONFormat())
    except CloudEventValidationError as error:
        reasons = "; ".join(str(reason) for group in error.errors.values() for reason in group)
        raise InvalidInput(
            f"this makes no CloudEvent: {reasons}",
            rule="type and source are required; names of extensions are lower-case letters and digits",
            remedy="correct the options; `eventcenter send --help` lists them",
        ) from error


def _content_type(data: bytes) -> str:
    try:
        json.loads(data)
    except ValueError:
        return "text/plain; charset=utf-8"
    return "application/json"
