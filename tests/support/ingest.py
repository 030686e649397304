"""A real ingest service in a thread: real store, real journal, real sockets, on a free port."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from eventcenter.access import OPERATOR, TOKEN_PREFIX, TOKEN_ROLES, credential_hash, new_credential
from eventcenter.clock import SystemClock
from eventcenter.connections import KEPT
from eventcenter.event import Event, decode_line
from eventcenter.journal import BlockKind, JournalReader, ReadBlock
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.bootstrap import bootstrap
from eventcenter.store.models import Bus, Tenant, Token
from eventcenter.store.sql import Session, select
from ingest.service import Service

PATIENCE_S = 20.0
OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """Posts to the service and reads what it journalled."""

    settings: Settings
    service: Service
    url: str
    tenants: Mapping[str, str]
    """Ids by name: `default` (buses default and orders) and `other` (buses default and secret)."""
    tokens: Mapping[tuple[str, str], str]
    """By tenant's name and role; the operator's is ("", "operator")."""
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=PATIENCE_S, limits=KEPT))

    def post(
        self,
        body: bytes,
        content_type: str | None = "application/cloudevents+json",
        *,
        bus: str = "default",
        token: str | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Post a body to a bus; without a token as the writer of `default`."""
        sent = {"Authorization": f"Bearer {token or self.tokens['default', 'writer']}"}
        if content_type is not None:
            sent["Content-Type"] = content_type
        sent.update(headers or {})
        return self.client.post(f"{self.url}/v1/buses/{bus}/events{query}", content=body, headers=sent)

    def blocks(self) -> list[ReadBlock]:
        """All blocks of the journal."""
        blocks, damages = JournalReader(self.settings.journal_dir / "main").read(256 << 20)
        assert not damages
        return blocks

    def events(self, bus: str | None = None) -> list[Event]:
        """All events of the journal, perhaps of one bus."""
        return [
            decode_line(line)
            for read in self.blocks()
            if read.block.kind is BlockKind.EVENTS and bus in {None, read.block.bus}
            for line in read.block.payload.splitlines()
        ]

    def rejects(self) -> list[dict[str, Any]]:
        """All rejects of the journal."""
        return [
            json.loads(line)
            for read in self.blocks()
            if read.block.kind is BlockKind.REJECTS
            for line in read.block.payload.splitlines()
        ]


@contextlib.contextmanager
def running(folder: Path, **given: Any) -> Iterator[Ingest]:
    """A service over a store in `folder`; `given` are settings."""
    settings = replace(Settings(data_dir=folder / "data", validation_workers=1, disk_floor_bytes=1), **given)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with Store.open(settings) as store:
        bootstrap(store)
        tenants, tokens = store.write(_populate)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        service = Service(settings)
        failures: list[BaseException] = []
        thread = threading.Thread(target=_run, args=(service, listening, failures), name="ingest-under-test")
        thread.start()
        try:
            until(lambda: service.started.is_set() or bool(failures), "the service answers")
            assert not failures, failures
            port = listening.getsockname()[1]
            ingest = Ingest(
                settings=settings,
                service=service,
                url=f"http://127.0.0.1:{port}",
                tenants=tenants,
                tokens=tokens,
            )
            with ingest.client:
                yield ingest
        finally:
            service.stop()
            thread.join(PATIENCE_S)
        assert not thread.is_alive()
        assert not failures, failures


def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until the condition holds; fails with `what` after the patience."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, f"waited {patience_s} s until {what}"
        time.sleep(0.005)


def event_json(**members: Any) -> bytes:
    """A good event in structured mode; members given replace or add, None removes."""
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"n": 1}} | members
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def _run(service: Service, listening: socket.socket, failures: list[BaseException]) -> None:
    try:
        service.run([listening])
    except BaseException as error:  # noqa: BLE001 told to the test
        failures.append(error)


def _populate(session: Session) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    now = SystemClock().now()
    default = session.scalars(select(Tenant).where(Tenant.name == "default")).one()
    other = Tenant(name=OTHER, title="Other", created_at=now)
    session.add(other)
    session.flush()
    for tenant, bus in ((default, "orders"), (other, "default"), (other, "secret")):
        session.add(Bus(tenant_id=tenant.id, name=bus, description="", created_at=now))
    tokens: dict[tuple[str, str], str] = {}
    for tenant in (default, other):
        for role in TOKEN_ROLES:
            tokens[tenant.name, role] = _token(session, tenant.id, role)
    tokens["", OPERATOR] = _token(session, None, OPERATOR)
    return {"default": default.id, OTHER: other.id}, tokens


def _token(session: Session, tenant_id: str | None, role: str) -> str:
    text = new_credential(TOKEN_PREFIX)
    session.add(
        Token(
            tenant_id=tenant_id,
            name=role,
            role=role,
            hash=credential_hash(text),
            prefix=text[:8],
            created_at=SystemClock().now(),
        )
    )
    return text
