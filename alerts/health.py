"""How a target is, in words, and what a person should do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from alerts.targets.dingtalk import ALL_CODES, Outcome
from eventcenter.clock import rfc3339
from eventcenter.store.models import Attempt, Target

Words = Mapping[str, str]

UNREACHABLE_AFTER: Final = 3
"""So many attempts in a row without an answer make a target broken for the eye; retries go on."""

_UNKNOWN: Final[Words] = {
    "en": "Nothing was sent to it yet.",
    "zh": "尚未发送过消息。",
}
_TRY: Final[Words] = {"en": "Send a test message.", "zh": "请发送一条测试消息。"}
_OK: Final[Words] = {"en": "Messages arrive.", "zh": "消息可以送达。"}
_OFF: Final[Words] = {"en": "It is switched off; messages wait.", "zh": "已停用，消息等待中。"}
_SWITCH_ON: Final[Words] = {"en": "Switch it on to send.", "zh": "启用后继续发送。"}
_UNTIL: Final[Words] = {"en": " Sending goes on at {until}.", "zh": "将于 {until} 恢复发送。"}
_SEALED: Final[Words] = {
    "en": "Its stored credentials cannot be opened.",
    "zh": "无法解密已保存的凭据。",
}
_SEALED_REMEDY: Final[Words] = {
    "en": "Restore the installation's key, or paste webhook and secret again.",
    "zh": "请恢复系统密钥，或重新填写 Webhook 与密钥。",
}


@dataclass(frozen=True, kw_only=True)
class Health:
    """The health of a target: a word for programs, a sentence and a remedy for people, by language."""

    state: str
    text: Words
    remedy: Words | None


def health_of(target: Target) -> Health:
    """The health of a target, from what its last attempts said."""
    detail = target.health_detail or {}
    if not target.enabled:
        return Health(state=target.health, text=_OFF, remedy=_SWITCH_ON)
    if target.health == "unknown":
        return Health(state="unknown", text=_UNKNOWN, remedy=_TRY)
    if target.health == "ok":
        return Health(state="ok", text=_OK, remedy=None)
    if detail.get("code") == "sealed":
        return Health(state=target.health, text=_SEALED, remedy=_SEALED_REMEDY)
    code = ALL_CODES.get(str(detail.get("code")), ALL_CODES["unknown"])
    text = dict(code.meaning)
    if until := detail.get("until"):
        text = {language: words + _UNTIL[language].format(until=until) for language, words in text.items()}
    return Health(state=target.health, text=text, remedy=code.remedy)


def note(target: Target, *, health: str, code: str, now: datetime, **more: Any) -> None:
    """Set a target's health; `since` stays as long as the health does."""
    before = target.health_detail or {}
    since = before.get("since") if target.health == health else None
    target.health = health
    target.health_detail = {"code": code, "since": since or rfc3339(now), **more}


def words_of(attempt: Attempt) -> Words | None:
    """What came of an attempt, for people; None while it is under way."""
    outcome, errcode = attempt.outcome, attempt.errcode
    if outcome is None:
        return None
    if outcome == INTERRUPTED:
        return _INTERRUPTED
    if outcome == Outcome.OK:
        return ALL_CODES["ok"].meaning
    said = (attempt.response or "").lower()
    rows = [row for row in ALL_CODES.values() if row.errcode == errcode and errcode is not None]
    for row in rows:
        if any(word in said for word in row.words):
            return row.meaning
    plain = [row for row in rows if not row.words]
    if plain:
        return plain[0].meaning
    if outcome in {Outcome.RATE_LIMITED, Outcome.QUOTA}:
        return ALL_CODES["too_fast"].meaning
    if errcode is not None:
        return ALL_CODES["unknown"].meaning
    return ALL_CODES["no_answer" if attempt.status is None else "bad_answer"].meaning


INTERRUPTED: Final = "interrupted"
_INTERRUPTED: Final[Words] = {
    "en": "The server stopped before it knew the answer; it is sent again.",
    "zh": "服务器在收到响应前停止，将重新发送。",
}
