"""`python -m ingest.worker FD`: checks bodies that the ingest service sends over the socket FD.

A message is two lengths (u32, little-endian), a head in MessagePack and a body of plain bytes, so that
megabytes are not copied into another form on their way. First the limits, then one request after the other,
each answered before the next. The worker ends when the socket does, so it never outlives the service, however
that ended.
"""

import gc
import signal
import socket
import struct
import sys

import msgspec

from ingest.bindings import Mode, read
from ingest.validation import Limits, Reject

LENGTHS = struct.Struct("<II")
_COLLECT_EVERY = 64


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
    head, body = LENGTHS.unpack(_receive(connection, LENGTHS.size))
    return _receive(connection, head), _receive(connection, body)


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
    decode = msgspec.msgpack.Decoder(Request).decode
    encode = msgspec.msgpack.Encoder().encode
    with socket.socket(fileno=descriptor) as connection:
        limits = msgspec.msgpack.decode(receive_message(connection)[0], type=Limits)
        answered = 0
        while True:
            head, body = receive_message(connection)
            request = decode(head)
            checked = read(request.mode, request.headers, body, limits)
            send_message(connection, encode(Answer(checked.count, checked.rejects)), checked.payload)
            answered += 1
            if answered % _COLLECT_EVERY == 0:
                gc.collect()


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except (EOFError, ConnectionError):
        sys.exit(0)
