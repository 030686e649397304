"""`python -m ingest.worker FD`: checks bodies that the ingest service sends over the socket FD.

A message is its length (u32, little-endian) and MessagePack. First the limits, then one request after the
other, each answered before the next. The worker ends when the socket does, so it never outlives the service,
however that ended.
"""

import gc
import signal
import socket
import struct
import sys

import msgspec

from ingest.bindings import Mode, read
from ingest.validation import Limits

LENGTH = struct.Struct("<I")
_COLLECT_EVERY = 64


class Request(msgspec.Struct, array_like=True):
    """A body to check."""

    mode: Mode
    headers: list[tuple[bytes, bytes]]
    body: bytes


def send_message(connection: socket.socket, message: bytes) -> None:
    """Send one message; blocks. Raises OSError."""
    connection.sendall(LENGTH.pack(len(message)))
    connection.sendall(message)


def receive_message(connection: socket.socket) -> bytearray:
    """The next message; blocks. Raises EOFError where the other side is gone, OSError."""
    (length,) = LENGTH.unpack(_receive(connection, LENGTH.size))
    return _receive(connection, length)


def _receive(connection: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        got = connection.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
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
        limits = msgspec.msgpack.decode(receive_message(connection), type=Limits)
        answered = 0
        while True:
            request = decode(receive_message(connection))
            send_message(connection, encode(read(request.mode, request.headers, request.body, limits)))
            answered += 1
            if answered % _COLLECT_EVERY == 0:
                gc.collect()


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except (EOFError, ConnectionError):
        sys.exit(0)
