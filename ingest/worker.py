"""`python -m ingest.worker FD`: checks bodies that the ingest service sends over the socket FD.

A message is two lengths (u32, little-endian), a head in MessagePack and a body of plain bytes, so that
megabytes are not copied into another form on their way. First the limits, then one request after the other,
each answered before the next. The worker ends when the socket does, so it never outlives the service, however
that ended.

It answers from the first moment on: the scan that makes it fast is loaded (or, after a change, compiled)
beside it.
"""

import gc
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

import msgspec

from eventcenter.allocator import keep_freed_memory
from ingest.bindings import Mode, read
from ingest.validation import Limits, Reject, scanner

LENGTHS = struct.Struct("<II")
_COLLECT_EVERY = 64
_LAST = 10


class Request(msgspec.Struct, array_like=True):
    """Of the body to check."""

    mode: Mode
    headers: list[tuple[bytes, bytes]]


class Answer(msgspec.Struct, array_like=True):
    """All of `Checked` but the payload, which is the message's body."""

    count: int
    rejects: tuple[Reject, ...]


def send_message(connection: socket.socket, head: bytes, body: bytes = b"") -> None:
    """Send one message; blocks. Raises OSError."""
    connection.sendall(LENGTHS.pack(len(head), len(body)) + head)
    connection.sendall(body)


def receive_message(connection: socket.socket) -> tuple[bytes, bytes]:
    """The next message; blocks. Raises EOFError where the other side is gone, OSError."""
    head, size = _receive_head(connection)
    return head, _receive(connection, size)


def _receive_request(connection: socket.socket) -> tuple[bytes, memoryview]:
    """The next message, its body where the scan wants it; valid until the next one."""
    head, size = _receive_head(connection)
    body = scanner.room(size)
    if connection.recv_into(body, size, socket.MSG_WAITALL) < size:
        raise EOFError
    return head, body


def _receive_head(connection: socket.socket) -> tuple[bytes, int]:
    head, size = LENGTHS.unpack(_receive(connection, LENGTHS.size))
    return _receive(connection, head), size


def _receive(connection: socket.socket, length: int) -> bytes:
    data = connection.recv(length, socket.MSG_WAITALL) if length else b""
    if len(data) < length:
        raise EOFError
    return data


def main(descriptor: int) -> None:
    """Answer until the socket ends."""
    # Ctrl-C goes to the whole group; the service first answers what is in flight.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Batches make many objects and no cycles: collecting while one is checked is time for nothing.
    gc.disable()
    keep_freed_memory()
    threading.Thread(target=_load, name="load", daemon=True).start()
    decode = msgspec.msgpack.Decoder(Request).decode
    encode = msgspec.msgpack.Encoder().encode
    with socket.socket(fileno=descriptor) as connection:
        limits = msgspec.msgpack.decode(receive_message(connection)[0], type=Limits)
        answered = 0
        while True:
            head, body = _receive_request(connection)
            request = decode(head)
            checked = read(request.mode, request.headers, body, limits)
            send_message(connection, encode(Answer(checked.count, checked.rejects)), checked.payload)
            answered += 1
            if answered % _COLLECT_EVERY == 0:
                gc.collect()


def _load() -> None:
    """Load the scan; where it must be compiled, in a process that keeps its memory and lock for itself."""
    if not scanner.is_possible():
        return
    if not scanner.is_compiled():
        compiler = subprocess.Popen(
            [sys.executable, "-m", "ingest.validation.scan"], stdin=subprocess.DEVNULL
        )
        os.setpriority(os.PRIO_PROCESS, compiler.pid, _LAST)
        compiler.wait()
    scanner.load()
    gc.collect()
    # What was loaded stays: later collections need not look at it.
    gc.freeze()


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except (EOFError, ConnectionError):
        sys.exit(0)
