"""How a target is, in words, and what a person should do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from alerts.targets import TRAITS
from alerts.targets.kind import Code, Outcome, Words, row_of
from eventcenter.clock import rfc3339
from eventcenter.store.models import Attempt, Target

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
    traits = TRAITS[target.kind]
    if detail.get("code") == "sealed":
        return Health(state=target.health, text=_SEALED, remedy=traits.sealed)
    code = traits.codes.get(str(detail.get("code")), traits.codes["unknown"])
    text = filled(code.meaning, target.config)
    if until := detail.get("until"):
        text = {language: words + _UNTIL[language].format(until=until) for language, words in text.items()}
    return Health(state=target.health, text=text, remedy=filled(code.remedy, target.config))


def note(target: Target, *, health: str, code: str, now: datetime, **more: Any) -> None:
    """Set a target's health; `since` stays as long as the health does."""
    before = target.health_detail or {}
    since = before.get("since") if target.health == health else None
    target.health = health
    target.health_detail = {"code": code, "since": since or rfc3339(now), **more}


def words_of(attempt: Attempt) -> Words | None:
    """What came of an attempt, for people; None while it is under way."""
    if attempt.outcome == INTERRUPTED:
        return _INTERRUPTED
    code = _code_of(attempt)
    return None if code is None else filled(code.meaning, _facts(attempt))


def remedy_of(attempt: Attempt) -> Words | None:
    """What a person should do after an attempt; None where nothing is to be done."""
    code = _code_of(attempt)
    if code is None or code.outcome is Outcome.OK:
        return None
    return filled(code.remedy, _facts(attempt))


def filled(words: Words, facts: Mapping[str, Any]) -> dict[str, str]:
    """The words with the topic and the address that they speak of."""
    topic, address = str(facts.get("topic", "")), str(facts.get("addresses", ""))
    return {
        language: text.replace("{topic}", topic).replace("{address}", address)
        for language, text in words.items()
    }


def _facts(attempt: Attempt) -> dict[str, Any]:
    return {"topic": attempt.request.get("topic", ""), "addresses": attempt.request.get("address", "")}


def _code_of(attempt: Attempt) -> Code | None:
    """The row of what came of an attempt; None where nothing has come of it."""
    outcome, errcode = attempt.outcome, attempt.errcode
    if outcome is None or outcome == INTERRUPTED:
        return None
    codes = TRAITS[attempt.request.get("kind", "dingtalk")].codes
    if outcome == Outcome.OK:
        return codes["ok"]
    row = row_of(codes.values(), errcode, attempt.response or "")
    if row is not None:
        return row
    if outcome in {Outcome.RATE_LIMITED, Outcome.QUOTA}:
        return codes["too_fast"]
    if errcode is not None:
        return codes["unknown"]
    return codes["no_answer" if attempt.status is None else "bad_answer"]


INTERRUPTED: Final = "interrupted"
_INTERRUPTED: Final[Words] = {
    "en": "The server stopped before it knew the answer; it is sent again.",
    "zh": "服务器在收到响应前停止，将重新发送。",
}
