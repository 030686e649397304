"""Targets of kind `dingtalk`: a custom robot, set up by its webhook and spoken to by HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx
import msgspec

from alerts import shapes
from alerts.message import Message
from alerts.sender import send
from alerts.targets import dingtalk
from alerts.targets.kind import Kept, Sent, Setup, Traits
from eventcenter.access import Principal
from eventcenter.errors import Forbidden, InvalidInput
from eventcenter.settings import Settings
from eventcenter.store.models import OutboxItem, Target

TRAITS: Final = Traits(
    name="dingtalk",
    codes=dingtalk.ALL_CODES,
    budget=dingtalk.BUDGET,
    batch=1,
    forwards=False,
    sealed={
        "en": "Restore the installation's key, or paste webhook and secret again.",
        "zh": "请恢复系统密钥，或重新填写 Webhook 与密钥。",
    },
)
_MEMBERS: Final = frozenset({"webhook", "secret", "keyword", "base_url"})


class Credentials(msgspec.Struct, frozen=True):
    """A robot's secrets, as they lie encrypted in the store."""

    token: str
    secret: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Request:
    post: dingtalk.Request
    credentials: Credentials

    @property
    def shown(self) -> Sequence[Any]:
        return (self.post.shown,)


class DingTalk:
    """The kind `dingtalk`."""

    traits = TRAITS

    def __init__(self, http: httpx.BaseTransport, settings: Settings) -> None:
        self._http = http
        self._settings = settings

    def set_up(
        self, who: Principal, body: shapes.NewTarget | shapes.ChangeTarget, kept: Kept | None
    ) -> Setup | None:
        given = body.model_fields_set
        if body.rocketmq is not None:
            raise InvalidInput(
                "A robot has no topic.",
                rule="rocketmq belongs to a target of kind rocketmq",
                remedy="leave it out, or make a target of that kind",
            )
        base_url = self._base_url(who, body.base_url)
        if kept is None:
            if body.webhook is None:
                raise InvalidInput(
                    "The target has no webhook.",
                    rule="a target of kind dingtalk is made from its robot's webhook",
                    remedy=f"give webhook: {dingtalk.WEBHOOK_REMEDY}",
                )
            token = self._token(body.webhook.get_secret_value(), base_url)
            return _setup(Credentials(token=token, secret=_secret(body)), _keyword(body), base_url)
        if not _MEMBERS & given:
            return None
        config = kept.config
        if "base_url" in given:
            if not who.operator:
                raise _operators_only()
        else:
            base_url = config.get("base_url")
        keyword = _keyword(body) if "keyword" in given else config.get("keyword")
        if not {"webhook", "secret"} & given:
            return Setup(config={**config, "keyword": keyword, "base_url": base_url}, secrets=None, way=None)
        if body.webhook is not None:
            token = self._token(body.webhook.get_secret_value(), base_url)
            # Without need the old secrets stay closed: they may be what cannot be opened any more.
            held = None if "secret" in given else _opened(kept.opened()).secret
        else:
            opened = _opened(kept.opened())
            token, held = opened.token, opened.secret
        if "secret" in given:
            held = _secret(body)
        return _setup(Credentials(token=token, secret=held), keyword, base_url)

    def prepare(self, target: Target, items: Sequence[OutboxItem], secrets: bytes, now: datetime) -> _Request:
        [item] = items
        credentials = _opened(secrets)
        post = dingtalk.request(
            _message(item, target),
            base_url=target.config.get("base_url") or self._settings.dingtalk_base_url,
            token=credentials.token,
            secret=credentials.secret,
            delivery_id=item.id,
            now=now,
            limit=dingtalk.SHRUNK_BYTES if item.payload.get("shrunk") else dingtalk.MAX_BYTES,
        )
        return _Request(post=post, credentials=credentials)

    def send(self, request: _Request) -> Sent:
        credentials = request.credentials
        return send(self._http, request.post, credentials.token, credentials.secret)

    def said(self, item: OutboxItem, target: Target | None) -> shapes.Said:
        return said(_message(item, target))

    def close(self) -> None:
        self._http.close()

    def _base_url(self, who: Principal, text: str | None) -> str | None:
        if text is None:
            return None
        if not who.operator:
            raise _operators_only()
        return dingtalk.check_base_url(text)

    def _token(self, webhook: str, base_url: str | None) -> str:
        bases = (dingtalk.OFFICIAL_BASE, self._settings.dingtalk_base_url.rstrip("/"), base_url)
        return dingtalk.parse_webhook(webhook, bases=tuple(base for base in bases if base))


def said(message: Message) -> shapes.Said:
    """The message as the robot gets it."""
    document = dingtalk.document(message)["markdown"]
    return shapes.Said(title=document["title"], text=document["text"])


def _message(item: OutboxItem, target: Target | None) -> Message:
    """The item's message, with the keyword that the target has now."""
    keyword = None if target is None else target.config.get("keyword")
    return Message.from_payload({**item.payload["message"], "keyword": keyword})


def _setup(credentials: Credentials, keyword: str | None, base_url: str | None) -> Setup:
    return Setup(
        config={
            "keyword": keyword,
            "base_url": base_url,
            "token_hint": f"…{credentials.token[-4:]}",
            "has_secret": credentials.secret is not None,
        },
        secrets=msgspec.json.encode(credentials),
        way=dingtalk.robot_hash(credentials.token),
        told={"base_url": base_url},
    )


def _opened(secrets: bytes) -> Credentials:
    return msgspec.json.decode(secrets, type=Credentials)


def _keyword(body: shapes.NewTarget | shapes.ChangeTarget) -> str | None:
    return dingtalk.check_keyword(body.keyword) if body.keyword else None


def _secret(body: shapes.NewTarget | shapes.ChangeTarget) -> str | None:
    text = "" if body.secret is None else body.secret.get_secret_value()
    return dingtalk.check_secret(text) if text.strip() else None


def _operators_only() -> Forbidden:
    return Forbidden(
        "Only an operator sets a target's base address.",
        rule="messages go to DingTalk's own address unless an operator says otherwise",
        remedy="leave base_url out, or ask the operator of this installation",
    )
