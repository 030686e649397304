"""Checks large bodies in processes of their own, so that all processors work and small posts do not wait."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import msgspec
import structlog

from eventcenter.errors import Unavailable
from ingest.bindings import Mode
from ingest.validation import Checked, Limits, scanner
from ingest.worker import Answer, Request, receive_message, send_message

_log = structlog.get_logger(__name__)
_SOCKET_BUFFER = 1 << 20
_STOP_S = 5.0
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


class _Worker:
    """One process and the socket to it. `check` blocks and is called by one thread at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """The process's id while it is wanted."""
        return None if self._process is None else self._process.pid

    def check(self, request: Request, body: bytes) -> Checked:
        """What the process makes of the body. Starts it again and tries once more where it is gone."""
        try:
            return self._exchange(request, body)
        except (OSError, EOFError):
            _log.warning("a validation worker ended; starting another", pid=self.pid)
            self.stop()
        try:
            return self._exchange(request, body)
        except (OSError, EOFError) as error:
            self.stop()
            raise Unavailable(
                "The body could not be checked: the process for it ended twice.",
                remedy="send it again, in smaller bodies if this lasts",
            ) from error

    def start(self) -> None:
        """Start the process unless it is there."""
        if self._connection is not None:
            return
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ingest.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._connection = ours
        send_message(ours, _encode(self._limits))

    def stop(self) -> None:
        """End the process and wait for its end."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _exchange(self, request: Request, body: bytes) -> Checked:
        self.start()
        if self._connection is None:
            raise EOFError
        send_message(self._connection, _encode(request), body)
        head, payload = receive_message(self._connection)
        answer = _decode(head)
        return Checked(payload=payload, count=answer.count, rejects=answer.rejects)


class Pool:
    """A fixed number of worker processes; a body waits for the next free one.

    Use within one event loop. `count` 0 means one process per processor.
    """

    def __init__(self, limits: Limits, count: int = 0) -> None:
        self._workers = [_Worker(limits) for _ in range(count or os.cpu_count() or 1)]
        self._threads = ThreadPoolExecutor(len(self._workers), thread_name_prefix="validation")
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._workers:
            self._idle.put_nowait(worker)

    def start(self) -> None:
        """Start the processes; without it each starts with its first body."""
        if not scanner.is_possible():
            _log.warning(
                "numba is missing, so events are checked one by one, which takes ten times as long",
                remedy="run it on a Python that numba has a release for",
            )
        for worker in self._workers:
            worker.start()

    def pids(self) -> list[int]:
        """The ids of the processes that run."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    async def check(self, mode: Mode, headers: list[tuple[bytes, bytes]], body: bytes) -> Checked:
        """As `ingest.bindings.read`. Raises Unavailable where a worker ends twice over the same body."""
        worker = await self._idle.get()
        call = asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: worker.check(Request(mode, headers), body)
        )
        # The worker is free when it has answered, also when nobody waits for the answer any more.
        call.add_done_callback(lambda _: self._idle.put_nowait(worker))
        return await asyncio.shield(call)

    def close(self) -> None:
        """End the processes."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.stop()
