"""A stand-in for a name server or broker: answers by a table, in the remoting protocol."""

import json
import socketserver
import struct
import threading
from collections.abc import Callable
from typing import Any, Self

from eventcenter.rocketmq.address import Address

Reply = tuple[int, dict[str, str], bytes]
"""Code, fields, body."""


class Remoting:
    """Serves on a free port of 127.0.0.1 while it is used as a context manager."""

    def __init__(self, replies: dict[int, Callable[[dict[str, str]], Reply]]) -> None:
        self.asked: list[tuple[int, dict[str, str]]] = []
        self.connections = 0
        self.broken = 0
        """So many questions are answered by closing the connection."""
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.connections += 1
                while (head := self.rfile.read(8)) and len(head) == 8:
                    length, size = struct.unpack(">II", head)
                    if length > 1 << 24:
                        return
                    header = json.loads(self.rfile.read(size))
                    self.rfile.read(length - 4 - size)
                    outer.asked.append((header["code"], header["extFields"]))
                    if outer.broken:
                        outer.broken -= 1
                        return
                    reply = replies.get(header["code"])
                    code, fields, body = (3, {}, b"") if reply is None else reply(header["extFields"])
                    self.wfile.write(frame(header["opaque"], code, fields, body))

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = Address(host="127.0.0.1", port=self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def frame(number: int, code: int, fields: dict[str, Any], body: bytes) -> bytes:
    header = json.dumps({"code": code, "opaque": number, "flag": 1, "extFields": fields}).encode()
    return struct.pack(">II", 4 + len(header) + len(body), len(header)) + header + body
