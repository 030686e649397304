"""An API in memory: a store in a temporary folder, a clock that the test moves, a client without network."""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI

from eventcenter.access import MEMBER_ROLES, OPERATOR, TOKEN_ROLES, Principal
from eventcenter.accounts import Accounts
from eventcenter.accounts import api as accounts_api
from eventcenter.accounts.buses import BusStatistics, no_statistics
from eventcenter.clock import ManualClock
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.bootstrap import bootstrap
from eventcenter.store.models import Tenant
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import select
from eventcenter.web.application import create_application


@dataclass(frozen=True, kw_only=True)
class Api:
    """Asks an ASGI application as one credential; `as_` gives the same as another."""

    app: FastAPI
    credential: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raise_defects: bool = True

    def as_(self, credential: str | None) -> "Api":
        return replace(self, credential=credential)

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        headers = dict(self.headers) | options.pop("headers", {})
        if self.credential is not None:
            headers.setdefault("Authorization", f"Bearer {self.credential}")
        if body is not None:
            options["json"] = body

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(
                self.app,
                raise_app_exceptions=self.raise_defects,
                client=options.pop("client", ("127.0.0.1", 50_000)),
            )
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(send())

    def get(self, path: str, **options: Any) -> Any:
        return _body(self.ask("GET", path, **options))

    def post(self, path: str, body: Any = None) -> Any:
        return _body(self.ask("POST", path, body if body is not None else {}))

    def put(self, path: str, body: Any) -> Any:
        return _body(self.ask("PUT", path, body))

    def patch(self, path: str, body: Any) -> Any:
        return _body(self.ask("PATCH", path, body))

    def delete(self, path: str) -> Any:
        return _body(self.ask("DELETE", path))


def _body(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


@dataclass(frozen=True, kw_only=True)
class World:
    """Two tenants, `default` and `other`, each with a token of every role; an operator's token."""

    settings: Settings
    store: Store
    clock: ManualClock
    accounts: Accounts
    api: Api
    tenants: Mapping[str, str]
    """Ids by name."""
    tokens: Mapping[tuple[str, str], str]
    """By tenant's name and role; the operator's is ("", "operator")."""

    def as_(self, role: str, tenant: str = "default") -> Api:
        return self.api.as_(self.tokens["" if role == OPERATOR else tenant, role])


@contextmanager
def world(
    folder: Path,
    *,
    routers: Sequence[APIRouter] = (),
    bus_statistics: BusStatistics = no_statistics,
    **given: Any,
) -> Iterator[World]:
    """A world in `folder`; `given` are settings."""
    settings = Settings(data_dir=folder / "data", **given)
    clock = ManualClock()
    beginning = _beginning()
    settings.data_dir.mkdir(parents=True, mode=0o700)
    for name, content in beginning.files.items():
        file = settings.data_dir / name
        file.touch(mode=0o600)
        file.write_bytes(content)
    with Store.open(settings, clock=clock) as store:
        accounts = Accounts(store, settings, bus_statistics=bus_statistics)
        app = create_application(
            store=store, clock=clock, settings=settings, routers=[accounts_api.router(accounts), *routers]
        )
        yield World(
            settings=settings,
            store=store,
            clock=clock,
            accounts=accounts,
            api=Api(app=app),
            tenants=beginning.tenants,
            tokens=beginning.tokens,
        )


@dataclass(frozen=True, kw_only=True)
class _Beginning:
    """What every world begins with."""

    files: Mapping[str, bytes]
    """Of the data folder: the store and its key."""
    tenants: Mapping[str, str]
    tokens: Mapping[tuple[str, str], str]


@cache
def _beginning() -> _Beginning:
    """Made once: to make a store takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        with Store.open(settings, clock=ManualClock()) as store:
            bootstrap(store, SecretBox(settings))
            accounts = Accounts(store, settings, bus_statistics=no_statistics)
            accounts.tenants.create(Principal.local(), name="other", title="Other")
            ids = {
                tenant.name: tenant.id
                for tenant in store.read(lambda session: list(session.scalars(select(Tenant))))
            }
            tokens = {
                (name, role): accounts.tokens.create(Principal.local(tenant_id), name=role, role=role).token
                for name, tenant_id in ids.items()
                for role in TOKEN_ROLES
            }
            tokens["", OPERATOR] = accounts.tokens.create_operator(Principal.local(), name=OPERATOR).token
        files = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    return _Beginning(files=files, tenants=ids, tokens=tokens)


__all__ = ["MEMBER_ROLES", "Api", "World", "world"]
