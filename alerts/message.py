"""A message before it takes a target's form: what the outbox keeps, in words and markdown.

The parts are kept apart so that a target can cut the body to its limit and still show heading and links.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from typing import Any, Final, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from alerts.template import Template
from alerts.text import clip, escape, plain, visible
from alerts.values import EventValues
from eventcenter.event import StoredEvent

Language = Literal["en", "zh"]
TITLE_LIMIT: Final = 200
BODY_LIMIT: Final = 16_000
_SHOWN_RULES = 20

_TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "event": {"en": "Open the event", "zh": "查看事件"},
    "rule": {"en": "Open the rule", "zh": "查看规则"},
    "deliveries": {"en": "Open the deliveries", "zh": "查看投递记录"},
    "suppressed": {
        "en": "{count:,} more matched during the cooldown and were not sent.",
        "zh": "冷却期内另有 {count:,} 个匹配事件未发送。",
    },
    "more": {"en": "… {count:,} more characters", "zh": "…… 还有 {count:,} 个字符"},
    "test": {"en": "Test", "zh": "测试"},
    "test_body": {
        "en": "Event Center reaches this robot. Alerts sent to target **{target}** will arrive here.",
        "zh": "事件中心已连通此机器人，发往目标 **{target}** 的告警会出现在这里。",
    },
    "targets": {"en": "Open the targets", "zh": "查看通知目标"},
    "digest": {"en": "{count:,} alerts in one message", "zh": "{count:,} 条告警合并为一条消息"},
    "digest_why": {
        "en": "They waited because this robot may send {budget} messages a minute.",
        "zh": "该机器人每分钟最多发送 {budget} 条消息，以下告警因此合并。",
    },
    "digest_rule": {"en": "- **{rule}**: {count:,}", "zh": "- **{rule}**：{count:,} 条"},
    "digest_rules": {"en": "- … {count:,} more rules", "zh": "- …… 还有 {count:,} 条规则"},
    "digest_time": {"en": "Received from {first} to {last}", "zh": "接收时间 {first} 至 {last}"},
    "gone": {"en": "a rule that was deleted", "zh": "已删除的规则"},
}


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is to be said. `title` is plain text, `body` and `footer` are markdown."""

    title: str
    body: str
    footer: str
    language: Language
    keyword: str | None = None

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> "Message":
        """The message that `payload()` wrote."""
        return cls(
            title=str(payload["title"]),
            body=str(payload["body"]),
            footer=str(payload["footer"]),
            language="zh" if payload.get("language") == "zh" else "en",
            keyword=payload.get("keyword"),
        )

    def payload(self) -> dict[str, Any]:
        """The message as the outbox keeps it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Audience:
    """For whom a message is written: the tenant's name in links, its language and time zone."""

    tenant: str
    language: Language
    zone: tzinfo
    dashboard_url: str

    @classmethod
    def of(cls, *, tenant: str, language: str, time_zone: str, dashboard_url: str) -> "Audience":
        """From the tenant's settings; an unknown language is English, an unknown zone UTC."""
        try:
            zone = ZoneInfo(time_zone)
        except (KeyError, ValueError, OSError):
            zone = ZoneInfo("UTC")
        return cls(
            tenant=tenant,
            language="zh" if language.lower().startswith("zh") else "en",
            zone=zone,
            dashboard_url=dashboard_url.rstrip("/"),
        )

    def text(self, name: str, **values: object) -> str:
        """A text of the catalogue in the audience's language."""
        return _TEXTS[name][self.language].format(**values)

    def link(self, name: str, page: str, **query: object) -> str:
        """A markdown link to a page of the dashboard, in this tenant."""
        address = f"{self.dashboard_url}/{page}?{urlencode({**query, 'tenant': self.tenant})}"
        return f"[{self.text(name)}]({address})"

    def moment(self, moment: datetime) -> str:
        """`moment` in the tenant's zone, to the second."""
        return moment.astimezone(self.zone).isoformat(sep=" ", timespec="seconds")


def more(language: Language, count: int) -> str:
    """The line that stands where `count` characters were cut."""
    return _TEXTS["more"][language].format(count=count)


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A message, and the paths its template named that the event had nothing for."""

    message: Message
    missing: tuple[str, ...]


def compose(
    *,
    rule_id: str | None,
    rule_name: str,
    title: Template,
    text: Template,
    stored: StoredEvent,
    audience: Audience,
    suppressed: int = 0,
    test: bool = False,
) -> Composed:
    """The message of one event that matched one rule; `suppressed` matches went before it unsent."""
    values = EventValues(stored, rule=rule_name)
    head = title.render(values, escape=plain, limit=TITLE_LIMIT, zone=audience.zone)
    body = text.render(values, escape=escape, limit=BODY_LIMIT, zone=audience.zone)
    shown = visible(head.text) or visible(rule_name)
    links = [audience.link("event", "events", event=stored.seq)]
    if rule_id is not None:
        links.append(audience.link("rule", "rules", rule=rule_id))
    lines = [audience.text("suppressed", count=suppressed)] if suppressed else []
    message = Message(
        title=f"[{audience.text('test')}] {shown}" if test else shown,
        body=_lines(body.text),
        footer="\n\n".join([*lines, " · ".join(links)]),
        language=audience.language,
    )
    return Composed(message=message, missing=tuple(dict.fromkeys(head.missing + body.missing)))


def compose_test(*, target_name: str, audience: Audience) -> Message:
    """The message that a test of a target sends."""
    return Message(
        title=f"[{audience.text('test')}] Event Center",
        body=audience.text("test_body", target=escape(target_name)),
        footer=audience.link("targets", "settings"),
        language=audience.language,
    )


@dataclass(frozen=True, kw_only=True)
class RuleCount:
    """How many merged alerts a rule has in a digest, and when their events were received."""

    name: str | None
    count: int
    first: datetime
    last: datetime


def compose_digest(*, counts: list[RuleCount], target_id: str, budget: int, audience: Audience) -> Message:
    """One message for many alerts: how many, of which rules, from when to when, and where they are."""
    ordered = sorted(counts, key=lambda held: (-held.count, held.name or ""))
    lines = [
        audience.text(
            "digest_rule",
            rule=escape(clip(held.name, TITLE_LIMIT)) if held.name else audience.text("gone"),
            count=held.count,
        )
        for held in ordered[:_SHOWN_RULES]
    ]
    if len(ordered) > _SHOWN_RULES:
        lines.append(audience.text("digest_rules", count=len(ordered) - _SHOWN_RULES))
    time = audience.text(
        "digest_time",
        first=audience.moment(min(held.first for held in counts)),
        last=audience.moment(max(held.last for held in counts)),
    )
    return Message(
        title=audience.text("digest", count=sum(held.count for held in counts)),
        body="\n\n".join([audience.text("digest_why", budget=budget), "\n".join(lines), time]),
        footer=audience.link("deliveries", "deliveries", target=target_id),
        language=audience.language,
    )


def _lines(text: str) -> str:
    """Every line break that was written becomes one that is shown: markdown wants two spaces before it."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    shown: list[str] = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        shown.append(f"{line}  " if line and following else line)
    return "\n".join(shown).strip()
