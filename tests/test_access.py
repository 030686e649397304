"""Roles and credentials."""

import pytest

from eventcenter.access import (
    MEMBER_ROLES,
    TOKEN_ROLES,
    Principal,
    Role,
    credential_hash,
    new_credential,
    parse_role,
    shown_prefix,
)
from eventcenter.errors import Forbidden, InvalidInput

ALLOWED = {
    "writer": {"writer"},
    "viewer": {"viewer"},
    "editor": {"writer", "viewer", "editor"},
    "admin": {"writer", "viewer", "editor", "admin"},
}


def who(role: str | None, *, tenant_id: str | None = "t" * 32, operator: bool = False) -> Principal:
    return Principal(kind="token", tenant_id=tenant_id, role=role, operator=operator, actor="token:x")


@pytest.mark.parametrize("role", TOKEN_ROLES)
@pytest.mark.parametrize("needed", TOKEN_ROLES)
def test_what_a_role_includes(role: str, needed: str) -> None:
    principal = who(role)
    assert principal.may(needed) == (needed in ALLOWED[role])
    if needed in ALLOWED[role]:
        assert principal.require(needed) == "t" * 32
    else:
        with pytest.raises(Forbidden) as caught:
            principal.require(needed)
        assert caught.value.remedy


@pytest.mark.parametrize("needed", TOKEN_ROLES)
def test_an_operator_without_membership_may_nothing_in_a_tenant(needed: str) -> None:
    for principal in (who(None, tenant_id=None, operator=True), who("admin", tenant_id=None, operator=True)):
        assert not principal.may(needed)
        with pytest.raises(Forbidden, match="no tenant"):
            principal.require(needed)
        with pytest.raises(Forbidden, match="no tenant"):
            _ = principal.tenant
        principal.require_operator()


def test_only_operators_administer_tenants() -> None:
    with pytest.raises(Forbidden):
        who("admin").require_operator()
    Principal.local().require_operator()
    assert Principal.local("t").require(Role.ADMIN) == "t"


def test_unknown_roles_include_nothing_and_are_refused() -> None:
    assert not who("root").may("viewer")
    with pytest.raises(InvalidInput):
        parse_role("root")
    with pytest.raises(InvalidInput):
        parse_role("writer", MEMBER_ROLES)
    assert parse_role("viewer") == "viewer"


def test_credentials_are_long_random_and_kept_as_hash() -> None:
    made = {new_credential("ect_") for _ in range(100)}
    assert len(made) == 100
    for credential in made:
        assert len(credential) == 4 + 43
        assert len(credential_hash(credential)) == 64
        assert credential[8:] not in shown_prefix(credential)
