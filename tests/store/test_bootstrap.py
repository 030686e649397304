"""The first start."""

from pathlib import Path

import pytest

from eventcenter.clock import ManualClock
from eventcenter.errors import NotFound
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.bootstrap import bootstrap, sign_in_link
from eventcenter.store.models import Audit, Bus, Membership, SignInLink, Tenant, User
from eventcenter.store.sql import select


def test_the_first_start_makes_a_tenant_a_bus_and_an_admin_without_password(tmp_path: Path) -> None:
    with Store.open(Settings(data_dir=tmp_path / "data"), clock=ManualClock()) as store:
        assert bootstrap(store)
        assert not bootstrap(store)
        tenant, bus, user, member = store.read(
            lambda session: (
                session.scalars(select(Tenant)).one(),
                session.scalars(select(Bus)).one(),
                session.scalars(select(User)).one(),
                session.scalars(select(Membership)).one(),
            )
        )
    assert (tenant.name, tenant.language, tenant.time_zone) == ("default", "en", "UTC")
    assert (bus.name, bus.tenant_id) == ("default", tenant.id)
    assert (user.name, user.operator, user.password_hash) == ("admin", True, None)
    assert (member.user_id, member.tenant_id, member.role) == (user.id, tenant.id, "admin")


def test_of_a_link_only_the_hash_is_kept(tmp_path: Path) -> None:
    with Store.open(Settings(data_dir=tmp_path / "data"), clock=ManualClock()) as store:
        bootstrap(store)
        code = sign_in_link(store, "admin")
        link, trail = store.read(
            lambda session: (session.scalars(select(SignInLink)).one(), list(session.scalars(select(Audit))))
        )
        assert code.startswith("ecl_")
        assert code not in f"{vars(link)}"
        assert all(code not in f"{vars(row)}" for row in trail)
        assert trail[-1].action == "link.create"
        with pytest.raises(NotFound):
            sign_in_link(store, "nobody")


@pytest.mark.parametrize(
    "secret",
    [
        "ect_abcdefghijklmnop",
        "ecs_abcdefghijklmnop",
        "https://oapi.dingtalk.com/robot/send?access_token=x",
        "SEC0123456789abcdef0123",
    ],
)
def test_the_audit_refuses_what_looks_like_a_secret(tmp_path: Path, secret: str) -> None:
    with Store.open(Settings(data_dir=tmp_path / "data"), clock=ManualClock()) as store:
        with pytest.raises(ValueError, match="secret"):
            store.write(lambda session: audit(session, "cli", "x", "y", {"deep": [secret]}))
        assert store.read(lambda session: list(session.scalars(select(Audit)))) == []
