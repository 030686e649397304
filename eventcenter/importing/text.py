"""NDJSON as parts: cut at line ends in big pieces, without a look at the events."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from eventcenter.errors import InvalidInput
from eventcenter.importing.files import Kind, Source
from eventcenter.importing.part import PART_BYTES, Part, Place

LONGEST_LINE = 16 << 20
"""Bytes; a longer line is no event for any service, and may not fill the memory."""

_PIECE = 256 << 10
_BOM = b"\xef\xbb\xbf"


class TextReader:
    """Reads NDJSON, plain, gzip (of any number of members) or zstd (of any number of frames)."""

    unit = "line"

    def __init__(self, source: Source, *, bus: str, part_bytes: int = PART_BYTES) -> None:
        self._source = source
        self._bus = bus
        self._part_bytes = part_bytes

    def parts(self, start: Place) -> Iterator[Part]:
        """The parts from `start` on; packed text is unpacked again up to there.

        Raises InvalidInput where the packing is broken or a line is too long, after the parts before it.
        """
        path = self._source.path
        with path.open("rb") as file:
            stream = _unpacked(file, self._source.kind)
            offset, lines = start.offset, start.lines
            broken = self._skip(stream, file, offset)
            rest = b""
            while broken is None:
                fresh, broken = self._read(stream, self._part_bytes - len(rest))
                text = rest + fresh
                end = len(text) if not fresh and broken is None else text.rfind(b"\n") + 1
                if fresh and not end:
                    # One event is larger than a part.
                    fresh, broken = self._read_line(stream)
                    text += fresh
                    end = text.rfind(b"\n") + 1 or (0 if broken else len(text))
                    if len(text) > LONGEST_LINE:
                        raise self._too_long(lines + 1)
                body, rest = text[:end], text[end:]
                if not body:
                    break
                first, count = lines + 1, body.count(b"\n")
                whole = offset + end
                lines += count if body.endswith(b"\n") else count + 1
                yield Part(
                    bus=self._bus,
                    body=body.removeprefix(_BOM) if offset == 0 else body,
                    first=first,
                    place=Place(offset=whole, lines=lines),
                    read=min(file.tell(), self._source.size),
                )
                offset = whole
            if broken is not None:
                raise self._broken(broken, offset, lines)

    def _skip(self, stream: Any, file: BinaryIO, offset: int) -> OSError | None:
        if self._source.kind is Kind.TEXT:
            file.seek(offset)
            return None
        while offset:
            piece, broken = self._read(stream, min(offset, self._part_bytes))
            if broken is not None:
                return broken
            if not piece:
                return None
            offset -= len(piece)
        return None

    def _read(self, stream: Any, size: int) -> tuple[bytes, OSError | None]:
        """Up to `size` bytes, fewer only at the end, and what is wrong with the packing behind them."""
        if self._source.kind is Kind.TEXT:
            return stream.read(size), None
        pieces: list[bytes] = []
        try:
            # In pieces, because where the packing is broken the whole last piece is lost.
            while size > 0 and (piece := stream.read(min(size, _PIECE))):
                pieces.append(piece)
                size -= len(piece)
        except OSError as error:
            return b"".join(pieces), error
        return b"".join(pieces), None

    def _read_line(self, stream: Any) -> tuple[bytes, OSError | None]:
        pieces: list[bytes] = []
        size = 0
        while size <= LONGEST_LINE:
            piece, broken = self._read(stream, self._part_bytes)
            pieces.append(piece)
            size += len(piece)
            if broken is not None or not piece or b"\n" in piece:
                return b"".join(pieces), broken
        return b"".join(pieces), None

    def _too_long(self, line: int) -> InvalidInput:
        return InvalidInput(
            f"line {line} is longer than {LONGEST_LINE >> 20} MiB",
            value=self._source.path,
            rule="NDJSON holds one event a line",
            remedy="write one event a line, for example by `jq -c .`",
        )

    def _broken(self, error: OSError, offset: int, lines: int) -> InvalidInput:
        return InvalidInput(
            f"the file is broken {self._source.kind.value} ({error})",
            value=self._source.path,
            rule=f"all before line {lines + 1} (byte {offset} unpacked) was read",
            remedy="get the file again from where it comes from",
        )


def _unpacked(file: BinaryIO, kind: Kind) -> Any:
    if kind is Kind.TEXT:
        return file
    return pa.input_stream(pa.PythonFile(file, mode="r"), compression=kind.value)
