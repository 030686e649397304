"""The real product to measure, with what every measurement asks it."""

import http.client
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.support.product import WAITING, Product, wait_until

_PATIENCE_S = 600.0
_LEAST_RATE = 5_000
"""Events a second that any archive must load and settle, or the measurement ends."""
_LOOK_S = 0.5
_RESTING = 0.2
"""Share of a processor below which the server does nothing but look for work."""
_REST_S = 13.0
"""Longer than the pause after which the server settles what it was loading last."""
BEHIND = "eventcenter_settling_behind_seconds"
STEPS = "eventcenter_settling_steps_total"


class Stand(Product):
    """Ingest and server in processes of their own, with a writer and a viewer of tenant `default`."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        folder.mkdir()
        super().__init__(folder, **settings)
        self.writer, self.viewer = self.token("writer"), self.token("viewer")

    def __enter__(self) -> Self:
        self.start("ingest", "server")
        return self

    @property
    def pids(self) -> Mapping[str, int]:
        """Of both processes."""
        return {name: self.pid(name) for name in ("ingest", "server")}

    def events(self) -> int:
        """How many are archived."""
        status, answer = self.api("GET", "/v1/status", self.viewer)
        assert status == 200, answer
        return int(answer["events"])

    def wait_archived(self, events: int) -> None:
        """Wait until the tenant's archive holds so many."""

        def archived() -> bool:
            time.sleep(0.08)
            found = self.events()
            assert found <= events, f"{found:,} events are archived, {events:,} were sent"
            return found == events

        wait_until(
            archived,
            _PATIENCE_S + events / _LEAST_RATE,
            lambda: f"{self.events():,} of {events:,} events are archived; {self.log('server')}",
        )

    def wait_settled(self) -> int:
        """Wait until nothing is settled any more and the server rests; how many segments it has made."""
        rest_since = time.monotonic()
        steps = used_s = 0.0

        def settled() -> bool:
            nonlocal steps, used_s, rest_since
            time.sleep(_LOOK_S)
            gauges = self.gauges()
            steps_now, used_now_s = gauges.get(STEPS, 0.0), processor_s(self.pid("server"))
            resting = (used_now_s - used_s) / _LOOK_S < _RESTING and not gauges.get(WAITING)
            if not resting or steps_now != steps:
                rest_since = time.monotonic()
            steps, used_s = steps_now, used_now_s
            return time.monotonic() - rest_since > _REST_S

        wait_until(settled, _PATIENCE_S + self.events() / _LEAST_RATE, "settling does not come to an end")
        return int(steps)


class Client:
    """Asks the API over one kept connection."""

    def __init__(self, stand: Stand) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", stand.settings.api_port, timeout=120)
        self._headers = {"authorization": f"Bearer {stand.viewer}", "content-type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of the answer, parsed. Fails unless it is 200."""
        return msgspec.json.decode(self.read(method, path, body))

    def read(self, method: str, path: str, body: Any = None) -> bytes:
        """The answer. Fails unless it is 200."""
        sent = None if body is None else msgspec.json.encode(body)
        try:
            self._connection.request(method, path, body=sent, headers=self._headers)
            answer = self._connection.getresponse()
        except ConnectionError:
            # The server closes connections that rest for some seconds.
            self._connection.close()
            self._connection.request(method, path, body=sent, headers=self._headers)
            answer = self._connection.getresponse()
        found = answer.read()
        assert answer.status == 200, f"{method} {path}: {answer.status} {found[:1000]!r}"
        return found

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def processor_s(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
