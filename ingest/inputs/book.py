"""The inputs of a tenant: made, changed, paused, deleted; never shown with their secrets."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from eventcenter.access import Principal, Role
from eventcenter.clock import rfc3339
from eventcenter.errors import Conflict, InvalidInput, NotFound
from eventcenter.rocketmq.address import parse_addresses
from eventcenter.rocketmq.remoting import Offsets
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Bus, Input, new_id
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import Session, select
from ingest.inputs import shapes
from ingest.inputs.checking import check, check_service, check_start, config_from, name_of
from ingest.inputs.config import RocketMq, Secrets
from ingest.inputs.connection import config_of, offsets_of, opened, resolved, sealed, stored
from ingest.validation import Limits

INPUTS_LIMIT: Final = 100
_WHERE: Final = ("addresses", "name_servers", "tls", "tls_ca", "tls_name")
"""Who is shown what the secret signed."""
_BESIDE: Final = frozenset({"name", "service", "enabled", "secret_key", "id"})


class Settled(NamedTuple):
    """Settings that can work, and what is to be sealed."""

    config: RocketMq
    held: Secrets


class InputBook:
    """Works for the principal's tenant alone; ids of other tenants do not exist."""

    def __init__(self, *, store: Store, secrets: SecretBox, settings: Settings) -> None:
        self._store = store
        self._secrets = secrets
        self._limits = Limits.of(settings)

    def all(self, who: Principal) -> list[Input]:
        """The tenant's inputs by name."""
        ask = select(Input).where(Input.tenant_id == who.require(Role.VIEWER)).order_by(Input.name)
        return self._store.read(lambda session: list(session.scalars(ask)))

    def get(self, who: Principal, input_id: str) -> Input:
        """One of them. Raises NotFound."""
        tenant_id = who.require(Role.VIEWER)
        return self._store.read(lambda session: find(session, tenant_id, input_id))

    def create(self, who: Principal, body: shapes.NewInput) -> Input:
        """A new input, its group set to its starting position.

        Raises InvalidInput, Conflict for a name or a consumer group that is taken, and what hinders brokers
        from setting the position; then no input is made.
        """
        tenant_id = who.require(Role.ADMIN)
        name = name_of(body.name)
        secret = "" if body.secret_key is None else body.secret_key.get_secret_value().strip()
        config, held = self._settled(tenant_id, dict(body), Secrets(secret_key=secret))
        service = check_service(body.service)
        check_start(body.start.position, body.start.at, config)
        self._store.read(lambda session: _refuse_taken(session, tenant_id, name, config))
        start = _begin(config, held, body.start)
        now = self._store.clock.now()
        row = Input(
            id=new_id(),
            tenant_id=tenant_id,
            name=name,
            kind=body.kind,
            config=stored(config),
            secrets=sealed(held, self._secrets),
            claim=_claim(config),
            enabled=body.enabled,
            service=service,
            start=start,
            created_at=now,
            updated_at=now,
        )

        def apply(session: Session) -> Input:
            _refuse_taken(session, tenant_id, name, config)
            session.add(row)
            audit(
                session,
                who,
                "input.create",
                f"input:{name}",
                {"kind": body.kind, "position": body.start.position},
            )
            return row

        return self._store.write(apply)

    def change(self, who: Principal, input_id: str, body: shapes.ChangeInput) -> Input:
        """Change what is given; what runs follows at once. Raises as `create` does, and NotFound."""
        tenant_id = who.require(Role.ADMIN)
        given = {name for name in body.model_fields_set if name in {"secret_key", "service"}} | {
            name for name in body.model_fields_set if getattr(body, name) is not None
        }
        name = None if body.name is None else name_of(body.name)
        service = check_service(body.service)
        before = self._store.read(lambda session: find(session, tenant_id, input_id))
        settled = (
            self._changed(tenant_id, before, body, given) if given - {"name", "service", "enabled"} else None
        )

        def apply(session: Session) -> Input:
            row = find(session, tenant_id, input_id)
            if row.updated_at != before.updated_at:
                raise Conflict(
                    "Somebody else changed this input at the same time.",
                    value=row.name,
                    rule="a change is made to what was there when it was asked for",
                    remedy="look at the input again, then repeat the change",
                )
            config = config_of(row) if settled is None else settled.config
            _refuse_taken(session, tenant_id, name or row.name, config, row.id)
            was_enabled = row.enabled
            row.name = name or row.name
            if settled is not None:
                row.config, row.claim = stored(settled.config), _claim(settled.config)
                row.secrets = sealed(settled.held, self._secrets)
            if "service" in given:
                row.service = service
            if body.enabled is not None:
                row.enabled = body.enabled
            row.updated_at = max(self._store.clock.now(), row.updated_at)
            action = "input.change"
            if given == {"enabled"} and row.enabled != was_enabled:
                action = "input.resume" if row.enabled else "input.pause"
            audit(session, who, action, f"input:{row.name}", {"changed": sorted(given)})
            return row

        return self._store.write(apply)

    def delete(self, who: Principal, input_id: str) -> None:
        """Delete it; its events and its ledger stay. Raises NotFound."""
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> None:
            row = find(session, tenant_id, input_id)
            session.delete(row)
            audit(session, who, "input.delete", f"input:{row.name}")

        self._store.write(apply)

    def to_try(self, who: Principal, body: shapes.TestInput) -> Settled:
        """The settings that a test is about. Raises InvalidInput, NotFound for an id of another tenant."""
        tenant_id = who.require(Role.ADMIN)
        if body.id is None:
            secret = "" if body.secret_key is None else body.secret_key.get_secret_value().strip()
            values = {**dict(body), "topics": body.topics or []}
            return self._settled(tenant_id, values, Secrets(secret_key=secret))
        before = self.get(who, body.id)
        given = {name for name in body.model_fields_set if name != "id" and getattr(body, name) is not None}
        if "secret_key" in body.model_fields_set:
            given.add("secret_key")
        return self._changed(tenant_id, before, body, given)

    def _changed(self, tenant_id: str, row: Input, body: shapes.ChangeInput, given: set[str]) -> Settled:
        """The row's settings with what is given. Its secret is only shown to servers that knew it before."""
        before = config_of(row)
        values = {name: getattr(before, name) for name in RocketMq.__struct_fields__}
        values |= {name: getattr(body, name) for name in given - _BESIDE}
        if "secret_key" in given:
            held = Secrets(
                secret_key="" if body.secret_key is None else body.secret_key.get_secret_value().strip()
            )
        elif values["access_key"]:
            held = opened(row, self._secrets)
        else:
            held = Secrets()
        settled = self._settled(tenant_id, values, held)
        moved = [name for name in _WHERE if getattr(settled.config, name) != getattr(before, name)]
        if moved and held.secret_key and "secret_key" not in given:
            raise InvalidInput(
                "The secret key is to be given again.",
                value=", ".join(moved),
                rule="a stored secret is used only with the servers that it was given for",
                remedy="enter the secret key together with this change",
            )
        return settled

    def _settled(self, tenant_id: str, values: Mapping[str, Any], held: Secrets) -> Settled:
        ask = select(Bus.name).where(Bus.tenant_id == tenant_id)
        buses = self._store.read(lambda session: set(session.scalars(ask)))
        config = config_from(dict(values))
        check(config, held, buses=buses, limits=self._limits)
        return Settled(config, held)


def find(session: Session, tenant_id: str, input_id: str) -> Input:
    """An input of this tenant. Raises NotFound."""
    row = session.get(Input, input_id)
    if row is None or row.tenant_id != tenant_id:
        raise NotFound(
            "There is no such input.",
            value=input_id,
            rule="the id is that of an input of this tenant",
            remedy="GET /v1/inputs lists them",
        )
    return row


def _claim(config: RocketMq) -> str:
    addresses = sorted(map(str, parse_addresses(config.addresses)))
    return hashlib.sha256(msgspec.json.encode([addresses, config.namespace, config.group])).hexdigest()


def _refuse_taken(
    session: Session, tenant_id: str, name: str, config: RocketMq, own_id: str | None = None
) -> None:
    """Raises Conflict for a name of the tenant, or a consumer group of anybody, that is taken."""
    others = [row for row in session.scalars(select(Input)) if row.id != own_id]
    ours = [row.name for row in others if row.tenant_id == tenant_id]
    if name in ours:
        raise Conflict(
            "There is such an input already.",
            value=name,
            rule="an input's name is unique in its tenant",
            remedy="choose another name",
        )
    if own_id is None and len(ours) >= INPUTS_LIMIT:
        raise Conflict(
            "The tenant has as many inputs as it may have.",
            value=len(ours),
            rule=f"at most {INPUTS_LIMIT} inputs",
            remedy="delete some, or let one input read several topics",
        )
    addresses = set(parse_addresses(config.addresses))
    for row in others:
        other = config_of(row)
        if (other.namespace, other.group) == (config.namespace, config.group) and addresses & set(
            parse_addresses(other.addresses)
        ):
            # Not told whose: it may be another tenant's.
            raise Conflict(
                "This consumer group of that cluster is an input's already.",
                value=config.group,
                rule="a group hands each message to one of its members: two inputs would each get a part",
                remedy="give each input a consumer group of its own",
            )


def _begin(config: RocketMq, held: Secrets, start: shapes.StartBody) -> dict[str, Any]:
    """Set the group's position where one is asked for; what the store keeps of it."""
    kept: dict[str, Any] = {"position": start.position}
    if start.at is not None:
        kept["at"] = rfc3339(start.at)
    if start.position == "group":
        return kept
    with offsets_of(config, held) as offsets:
        topics = list(resolved(config, offsets))
        if not topics:
            raise NotFound(
                "No topic is there whose starting position could be set.",
                value=", ".join(topic.topic for topic in config.topics),
                rule="a position is set for the topics that a pattern means at the moment",
                remedy="check the pattern, or begin where the group stands (`group`)",
            )
        # Before the first is set all are known to be there.
        for topic in topics:
            offsets.queues(topic)
        kept["offsets"] = [place for topic in topics for place in _set(offsets, config.group, topic, start)]
    return kept


def _set(
    offsets: Offsets, group: str, topic: str, start: shapes.StartBody
) -> Sequence[tuple[str, str, int, int]]:
    """Topic, broker, queue, and the first offset that the group gets from now on."""
    if start.at is not None:
        offsets.reset(group, topic, start.at)
        queues = offsets.queues(topic)
        return [(topic, one.broker, one.queue_id, offsets.offset_at(one, start.at)) for one in queues]
    to: Any = start.position
    offsets.reset(group, topic, to)
    return [
        (topic, one.queue.broker, one.queue.queue_id, one.oldest if to == "first" else one.newest)
        for one in offsets.reach(topic)
    ]
