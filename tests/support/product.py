"""The real product in processes of its own, on free ports and a folder of its own."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eventcenter.access import TOKEN_PREFIX, Principal, credential_hash, new_credential
from eventcenter.accounts import Accounts
from eventcenter.settings import PREFIX, Settings
from eventcenter.store import Store
from eventcenter.store.bootstrap import bootstrap
from eventcenter.store.models import Bus, Tenant, Token
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import select

_READY_S = 60.0
WAITING = "eventcenter_fresh_events"
"""How many events are to be settled, of the archives that the settler has looked at."""


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Product:
    """Processes `ingest`, `server` and `dashboard`, started and killed as a test wants."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        chosen: dict[str, Any] = {"disk_floor_bytes": 1 << 20, **settings}
        self.settings = Settings(
            data_dir=folder / "data",
            ingest_port=free_port(),
            api_port=free_port(),
            dashboard_port=free_port(),
            **chosen,
        )
        self.settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._given = {
            "data_dir",
            "ingest_port",
            "api_port",
            "dashboard_port",
            "disk_floor_bytes",
            *settings,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: dict[str, int] = {}
        """Of further ingest services."""
        with Store.open(self.settings) as store:
            bootstrap(store, SecretBox(self.settings))

    def token(self, role: str, tenant: str = "default") -> str:
        """A new token of a tenant, written straight into the store."""
        credential = new_credential(TOKEN_PREFIX)
        with Store.open(self.settings) as store:

            def add(session: Any) -> None:
                tenant_id = session.scalar(select(Tenant.id).where(Tenant.name == tenant))
                session.add(
                    Token(
                        tenant_id=None if role == "operator" else tenant_id,
                        name=f"test {role}",
                        role=role,
                        hash=credential_hash(credential),
                        prefix=credential[:8],
                        created_at=store.clock.now(),
                    )
                )

            store.write(add)
        return credential

    def add_tenant(self, name: str, *buses: str) -> None:
        """A further tenant with bus `default` and these buses."""
        with Store.open(self.settings) as store:

            def add(session: Any) -> None:
                now = store.clock.now()
                tenant = Tenant(name=name, title=name, created_at=now)
                session.add(tenant)
                session.flush()
                for bus in ("default", *buses):
                    session.add(Bus(tenant_id=tenant.id, name=bus, description="", created_at=now))

            store.write(add)

    def share(self, user: str, tenant: str, role: str) -> None:
        """Make a user of one tenant a member of another too, as the operator does on the machine."""
        with Store.open(self.settings) as store:
            ask = select(Tenant.id).where(Tenant.name == tenant)
            there = Principal.local(store.read(lambda session: session.scalar(ask)))
            Accounts(store, self.settings).users.add(there, name=user, role=role, existing=True)

    def environment(self) -> dict[str, str]:
        """The environment that gives a process these settings."""
        found = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        for name in self._given:
            found[PREFIX + name.upper()] = str(getattr(self.settings, name))
        return found

    def start(self, *names: str) -> None:
        """Start processes and wait until each says that it is ready.

        `ingest-b` is a further ingest service of this name, on a port of its own.
        """
        for name in names:
            log = (self.folder / f"{name}.log").open("ab")
            environment = self.environment()
            if name.startswith("ingest-"):
                self._ports[name] = self._ports.get(name) or free_port()
                environment[f"{PREFIX}INGEST_NAME"] = name
                environment[f"{PREFIX}INGEST_PORT"] = str(self._ports[name])
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "eventcenter.cli.process", name.partition("-")[0]],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
            log.close()
        for name in names:
            self.wait_ready(name)

    def wait_ready(self, name: str) -> None:
        """Wait for a process's readiness; fails with its log."""
        port, path = {
            "ingest": (self._ports.get(name, self.settings.ingest_port), "/readyz"),
            "server": (self.settings.api_port, "/readyz"),
            "dashboard": (self.settings.dashboard_port, "/_stcore/health"),
        }[name.partition("-")[0]]

        def ready() -> bool:
            code = self._processes[name].poll()
            assert code is None, f"{name} ended with {code}:\n{self.log(name)}"
            try:
                return request(port, "GET", path)[0] == 200
            except OSError:
                return False

        wait_until(ready, _READY_S, lambda: f"{name} is not ready:\n{self.log(name)}")

    def kill(self, name: str) -> None:
        """kill -9, and wait until it is gone."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def stop(self, name: str) -> int:
        """Ask it to end; its exit code."""
        process = self._processes.pop(name)
        process.terminate()
        return process.wait(20)

    def pid(self, name: str) -> int:
        """The process's id."""
        return self._processes[name].pid

    def log(self, name: str) -> str:
        """The end of what the process said."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def post(self, bus: str, body: bytes, token: str, content_type: str, query: str = "") -> tuple[int, Any]:
        """Send events; status and answer."""
        return request(
            self.settings.ingest_port,
            "POST",
            f"/v1/buses/{bus}/events{query}",
            body=body,
            headers={"authorization": f"Bearer {token}", "content-type": content_type},
        )

    def api(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        """Ask the API; status and answer."""
        return request(
            self.settings.api_port,
            method,
            path,
            body=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        )

    def gauges(self) -> dict[str, float]:
        """The server's metrics by name, summed over their labels."""
        found: dict[str, float] = {}
        for line in str(request(self.settings.api_port, "GET", "/metrics")[1]).splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                name = name.partition("{")[0]
                found[name] = found.get(name, 0.0) + float(value)
        return found

    def close(self) -> None:
        """Kill what runs."""
        for name in list(self._processes):
            self.kill(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def request(
    port: int, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """One HTTP request to this machine; status and the answer, parsed where it is JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        text = answer.read()
        kind = answer.headers.get("content-type", "")
        return answer.status, json.loads(text) if "json" in kind and text else text.decode(errors="replace")
    finally:
        connection.close()


def wait_until(
    condition: Callable[[], bool], timeout_s: float, message: Callable[[], str] | str = "it did not happen"
) -> None:
    """Look again every 20 ms until the condition holds; fails after `timeout_s` seconds."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(message if isinstance(message, str) else message())
        time.sleep(0.02)
