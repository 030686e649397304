"""The targets of a tenant: made, changed, tested, never shown with their secrets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from alerts import shapes
from alerts.delivery import Credentials, Delivery
from alerts.engine import audience_of
from alerts.health import health_of, words_of
from alerts.message import Message, compose_test
from alerts.rule import check_name
from alerts.targets import dingtalk
from alerts.targets.dingtalk import ALL_CODES, Outcome
from eventcenter.access import Principal, Role
from eventcenter.clock import Clock
from eventcenter.errors import Conflict, Forbidden, NotFound
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
        base_url = self._base_url(who, body.base_url)
        token = self._token(body.webhook.get_secret_value(), base_url)
        secret = None if body.secret is None else _secret(body.secret.get_secret_value())
        keyword = dingtalk.check_keyword(body.keyword) if body.keyword else None
        now = self._clock.now()
        target = Target(
            id=new_id(),
            tenant_id=tenant_id,
            name=name,
            kind=body.kind,
            robot_hash=dingtalk.robot_hash(token),
            config=_config(token, secret, keyword, base_url),
            secrets=self._seal(Credentials(token=token, secret=secret)),
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
            audit(session, who, "target.create", f"target:{name}", {"kind": body.kind, "base_url": base_url})
            return _answer(target)

        return self._store.write(apply)

    def change(self, who: Principal, target_id: str, body: shapes.ChangeTarget) -> shapes.TargetAnswer:
        """Change what is given. A changed robot is tried at once. Raises as `create` does, and NotFound."""
        tenant_id = who.require(Role.ADMIN)
        given = body.model_fields_set
        name = check_name(body.name) if body.name is not None else None
        new_base = self._base_url(who, body.base_url) if "base_url" in given else None
        if "base_url" in given and not who.operator:
            raise _operators_only()

        def apply(session: Session) -> shapes.TargetAnswer:
            target = _find(session, tenant_id, target_id)
            now = self._clock.now()
            if name is not None and name != target.name:
                taken = session.scalars(select(Target.name).where(Target.tenant_id == tenant_id))
                _free(name, set(taken))
                target.name = name
            config = dict(target.config)
            if "base_url" in given:
                config["base_url"] = new_base
            if "keyword" in given:
                config["keyword"] = dingtalk.check_keyword(body.keyword) if body.keyword else None
            if {"webhook", "secret"} & given:
                self._exchange(target, config, body, given)
            target.config = config
            if {"webhook", "secret", "keyword", "base_url"} & given:
                target.health, target.health_detail = "unknown", {}
            if body.enabled is not None:
                target.enabled = body.enabled
            target.updated_at = now
            audit(session, who, "target.change", f"target:{target.name}", {"changed": sorted(given)})
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
            tenant = session.get_one(Tenant, tenant_id)
            message = compose_test(target_name=target.name, audience=audience_of(tenant, self._settings))
            item = item_for_test(target, message, self._clock.now())
            session.add(item)
            audit(session, who, "target.test", f"target:{target.name}")
            return item.id, target.robot_hash

        item_id, robot_hash = self._store.write(apply)
        return send_test(self._store, self._delivery, tenant_id, item_id, robot_hash)

    def _exchange(
        self, target: Target, config: dict[str, Any], body: shapes.ChangeTarget, given: set[str]
    ) -> None:
        """Put in a new token or secret; what is not given stays."""
        if body.webhook is not None:
            token = self._token(body.webhook.get_secret_value(), config.get("base_url"))
            # Without need the old secrets stay closed: they may be what cannot be opened any more.
            held = None if "secret" in given else self._open(target).secret
        else:
            opened = self._open(target)
            token, held = opened.token, opened.secret
        if "secret" in given:
            held = None if body.secret is None else _secret(body.secret.get_secret_value())
        target.secrets = self._seal(Credentials(token=token, secret=held))
        target.robot_hash = dingtalk.robot_hash(token)
        config |= _config(token, held, config.get("keyword"), config.get("base_url"))

    def _base_url(self, who: Principal, text: str | None) -> str | None:
        if text is None:
            return None
        if not who.operator:
            raise _operators_only()
        return dingtalk.check_base_url(text)

    def _token(self, webhook: str, base_url: str | None) -> str:
        bases = (dingtalk.OFFICIAL_BASE, self._settings.dingtalk_base_url.rstrip("/"), base_url)
        return dingtalk.parse_webhook(webhook, bases=tuple(base for base in bases if base))

    def _seal(self, credentials: Credentials) -> bytes:
        return self._secrets.encrypt(msgspec.json.encode(credentials))

    def _open(self, target: Target) -> Credentials:
        return msgspec.json.decode(self._secrets.decrypt(target.secrets), type=Credentials)


def item_for_test(
    target: Target, message: Message, now: datetime, *, rule: Rule | None = None, event: Any = None
) -> OutboxItem:
    """The outbox item of a test."""
    return OutboxItem(
        id=new_id(),
        tenant_id=target.tenant_id,
        target_id=target.id,
        rule_id=None if rule is None else rule.id,
        alert_id=None,
        kind="test",
        payload={
            "message": message.payload(),
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
        text = None if last is None else words_of(last)
        return shapes.Sent.model_validate(
            {
                "delivery_id": item_id,
                "state": item.state,
                "outcome": None if last is None else last.outcome,
                "text": text,
                "remedy": None if last is None else _remedy(text, last.outcome),
            }
        )

    return store.read(ask)


def _remedy(meaning: Mapping[str, str] | None, outcome: str | None) -> Mapping[str, str] | None:
    if meaning is None or outcome == Outcome.OK:
        return None
    return next((row.remedy for row in ALL_CODES.values() if row.meaning == meaning), None)


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
            "enabled": target.enabled,
            "health": state.state,
            "health_text": state.text,
            "remedy": state.remedy,
            "created_at": target.created_at,
            "updated_at": target.updated_at,
        }
    )


def _config(token: str, secret: str | None, keyword: str | None, base_url: str | None) -> dict[str, Any]:
    return {
        "keyword": keyword,
        "base_url": base_url,
        "token_hint": f"…{token[-4:]}",
        "has_secret": secret is not None,
    }


def _secret(text: str) -> str | None:
    return dingtalk.check_secret(text) if text.strip() else None


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


def _operators_only() -> Forbidden:
    return Forbidden(
        "Only an operator sets a target's base address.",
        rule="messages go to DingTalk's own address unless an operator says otherwise",
        remedy="leave base_url out, or ask the operator of this installation",
    )
