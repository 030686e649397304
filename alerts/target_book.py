"""The targets of a tenant: made, changed, tested, never shown with their secrets."""

import hashlib
from datetime import datetime
from typing import Any, Final

from alerts import shapes
from alerts.delivery import Delivery
from alerts.engine import audience_of
from alerts.health import health_of, remedy_of, words_of
from alerts.message import compose_test
from alerts.rule import check_name
from alerts.targets import TRAITS
from alerts.targets.kind import Kept
from eventcenter.access import Principal, Role
from eventcenter.clock import Clock, rfc3339
from eventcenter.errors import Conflict, NotFound
from eventcenter.event import Event, encode_line
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Attempt, OutboxItem, Rule, Target, Tenant, new_id
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import Session, select, update

TARGETS_LIMIT: Final = 200
TEST_WAIT_S: Final = 10.0


class TargetBook:
    """Works for the principal's tenant alone; ids of other tenants do not exist."""

    def __init__(
        self, *, store: Store, secrets: SecretBox, clock: Clock, settings: Settings, delivery: Delivery
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._settings = settings
        self._delivery = delivery

    def all(self, who: Principal) -> list[shapes.TargetAnswer]:
        """The tenant's targets by name."""
        ask = select(Target).where(Target.tenant_id == who.require(Role.VIEWER)).order_by(Target.name)
        return [_answer(target) for target in self._store.read(lambda session: session.scalars(ask).all())]

    def broken(self, tenant_id: str) -> list[dict[str, Any]]:
        """Targets that do not deliver: {id, name, health, text, remedy}, in the tenant's language."""

        def ask(session: Session) -> list[dict[str, Any]]:
            tenant = session.get(Tenant, tenant_id)
            language = "zh" if tenant is not None and tenant.language.startswith("zh") else "en"
            sick = select(Target).where(
                Target.tenant_id == tenant_id,
                Target.enabled,
                Target.health.in_(("broken", "throttled")),
            )
            found: list[dict[str, Any]] = []
            for target in session.scalars(sick.order_by(Target.name)):
                state = health_of(target)
                found.append(
                    {
                        "id": target.id,
                        "name": target.name,
                        "health": state.state,
                        "text": state.text[language],
                        "remedy": None if state.remedy is None else state.remedy[language],
                    }
                )
            return found

        return self._store.read(ask)

    def create(self, who: Principal, body: shapes.NewTarget) -> shapes.TargetAnswer:
        """A new target. Raises InvalidInput, Conflict for a name that is taken, Forbidden for `base_url`."""
        tenant_id = who.require(Role.ADMIN)
        name = check_name(body.name)
        target_id = new_id()
        made = self._delivery.kinds[body.kind].set_up(who, body, None)
        assert made is not None  # noqa: S101 a new target has settings
        now = self._clock.now()
        target = Target(
            id=target_id,
            tenant_id=tenant_id,
            name=name,
            kind=body.kind,
            robot_hash=made.way or _own_way(target_id),
            config=dict(made.config),
            secrets=self._secrets.encrypt(made.secrets or b""),
            enabled=body.enabled,
            health="unknown",
            health_detail={},
            created_at=now,
            updated_at=now,
        )

        def apply(session: Session) -> shapes.TargetAnswer:
            names = set(session.scalars(select(Target.name).where(Target.tenant_id == tenant_id)))
            _free(name, names)
            if len(names) >= TARGETS_LIMIT:
                raise Conflict(
                    "The tenant has as many targets as it may have.",
                    value=len(names),
                    rule=f"at most {TARGETS_LIMIT} targets",
                    remedy="delete targets that no rule uses",
                )
            session.add(target)
            audit(session, who, "target.create", f"target:{name}", {"kind": body.kind, **made.told})
            return _answer(target)

        return self._store.write(apply)

    def change(self, who: Principal, target_id: str, body: shapes.ChangeTarget) -> shapes.TargetAnswer:
        """Change what is given. A changed robot is tried at once. Raises as `create` does, and NotFound."""
        tenant_id = who.require(Role.ADMIN)
        name = check_name(body.name) if body.name is not None else None

        def apply(session: Session) -> shapes.TargetAnswer:
            target = _find(session, tenant_id, target_id)
            now = self._clock.now()
            if name is not None and name != target.name:
                taken = session.scalars(select(Target.name).where(Target.tenant_id == tenant_id))
                _free(name, set(taken))
                target.name = name
            kept = Kept(
                config=target.config,
                opened=lambda: self._secrets.decrypt(target.secrets),
            )
            made = self._delivery.kinds[target.kind].set_up(who, body, kept)
            if made is not None:
                target.config = dict(made.config)
                if made.secrets is not None:
                    target.secrets = self._secrets.encrypt(made.secrets)
                    target.robot_hash = made.way or _own_way(target.id)
                target.health, target.health_detail = "unknown", {}
            if body.enabled is not None:
                target.enabled = body.enabled
            target.updated_at = now
            audit(
                session,
                who,
                "target.change",
                f"target:{target.name}",
                {"changed": sorted(body.model_fields_set)},
            )
            return _answer(target)

        return self._store.write(apply)

    def delete(self, who: Principal, target_id: str) -> None:
        """Delete it; messages that wait for it are given up. Raises Conflict while rules speak through it."""
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> None:
            target = _find(session, tenant_id, target_id)
            users = session.scalars(select(Rule.name).where(Rule.target_id == target.id).order_by(Rule.name))
            if names := list(users):
                raise Conflict(
                    "Rules speak through this target.",
                    value=", ".join(names[:5]) + (" …" if len(names) > 5 else ""),
                    rule="a target is deleted when no rule uses it",
                    remedy="give these rules another target, or delete them",
                )
            now = self._clock.now()
            session.execute(
                update(OutboxItem)
                .where(OutboxItem.target_id == target.id, OutboxItem.state.in_(("pending", "sending")))
                .values(state="failed", updated_at=now)
                .execution_options(synchronize_session=False)
            )
            session.delete(target)
            audit(session, who, "target.delete", f"target:{target.name}")

        self._store.write(apply)

    def test(self, who: Principal, target_id: str) -> shapes.Sent:
        """Send a test message now and say what came of it. Raises NotFound."""
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> tuple[str, str]:
            target = _find(session, tenant_id, target_id)
            now = self._clock.now()
            if TRAITS[target.kind].forwards:
                payload: dict[str, Any] = {"line": encode_line(_test_event(target, now)).decode()}
            else:
                audience = audience_of(session.get_one(Tenant, tenant_id), self._settings)
                payload = {"message": compose_test(target_name=target.name, audience=audience).payload()}
            item = item_for_test(target, payload, now)
            session.add(item)
            audit(session, who, "target.test", f"target:{target.name}")
            return item.id, target.robot_hash

        item_id, robot_hash = self._store.write(apply)
        return send_test(self._store, self._delivery, tenant_id, item_id, robot_hash)


def item_for_test(
    target: Target, payload: dict[str, Any], now: datetime, *, rule: Rule | None = None, event: Any = None
) -> OutboxItem:
    """The outbox item of a test; `payload` is what its target's kind brings."""
    return OutboxItem(
        id=new_id(),
        tenant_id=target.tenant_id,
        target_id=target.id,
        rule_id=None if rule is None else rule.id,
        alert_id=None,
        kind="test",
        payload={
            **payload,
            "event": event,
            "rule_name": None if rule is None else rule.name,
        },
        state="pending",
        attempts=0,
        not_before=now,
        created_at=now,
        updated_at=now,
    )


def send_test(store: Store, delivery: Delivery, tenant_id: str, item_id: str, robot_hash: str) -> shapes.Sent:
    """Send a test item at once, or leave it to the loop if the robot may not speak now."""
    delivery.deliver(robot_hash, only=item_id, wait_s=TEST_WAIT_S)

    def ask(session: Session) -> shapes.Sent:
        item = session.get(OutboxItem, item_id)
        if item is None or item.tenant_id != tenant_id:
            raise NotFound("The delivery is gone.", value=item_id)
        newest = select(Attempt).where(Attempt.outbox_id == item_id).order_by(Attempt.started_at.desc())
        last = session.scalars(newest.limit(1)).first()
        return shapes.Sent.model_validate(
            {
                "delivery_id": item_id,
                "state": item.state,
                "outcome": None if last is None else last.outcome,
                "text": None if last is None else words_of(last),
                "remedy": None if last is None else remedy_of(last),
            }
        )

    return store.read(ask)


def _own_way(target_id: str) -> str:
    """The `robot_hash` of a target that shares its pace with no other."""
    return hashlib.sha256(target_id.encode()).hexdigest()


def _test_event(target: Target, now: datetime) -> Event:
    """What the test of a target that gets events brings there."""
    return Event(
        id=new_id(),
        source="/eventcenter/targets",
        type="eventcenter.test",
        subject=target.name,
        time=rfc3339(now),
        datacontenttype="application/json",
        data=b'{"text":"Event Center reaches this topic."}',
        data_kind="json",
    )


def _answer(target: Target) -> shapes.TargetAnswer:
    state = health_of(target)
    return shapes.TargetAnswer.model_validate(
        {
            "id": target.id,
            "name": target.name,
            "kind": target.kind,
            "keyword": target.config.get("keyword"),
            "token_hint": target.config.get("token_hint", ""),
            "has_secret": bool(target.config.get("has_secret")),
            "base_url": target.config.get("base_url"),
            "rocketmq": target.config if target.kind == "rocketmq" else None,
            "enabled": target.enabled,
            "health": state.state,
            "health_text": state.text,
            "remedy": state.remedy,
            "created_at": target.created_at,
            "updated_at": target.updated_at,
        }
    )


def _find(session: Session, tenant_id: str, target_id: str) -> Target:
    target = session.get(Target, target_id)
    if target is None or target.tenant_id != tenant_id:
        raise NotFound(
            "There is no such target.",
            value=target_id,
            rule="the id is that of a target of this tenant",
            remedy="GET /v1/targets lists them",
        )
    return target


def _free(name: str, taken: set[str]) -> None:
    if name in taken:
        raise Conflict(
            "There is such a target already.",
            value=name,
            rule="a target's name is unique in its tenant",
            remedy="choose another name",
        )
