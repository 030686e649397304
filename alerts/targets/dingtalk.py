"""DingTalk's custom robot (自定义机器人): webhook, message, signature, and what its answers mean.

All functions are pure; nothing here opens a connection. DingTalk answers HTTP 200 also for errors: only
`errcode` in the body decides, and `CODES` is the one table that says how.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from alerts.message import Message, more
from alerts.targets.kind import REPORT, Answer, Code, Outcome, code, row_of
from alerts.text import escape, visible
from eventcenter.clock import to_micros
from eventcenter.errors import InvalidInput

OFFICIAL_BASE: Final = "https://oapi.dingtalk.com"
PATH: Final = "/robot/send"
BUDGET: Final = 18
"""Requests a minute to one robot; DingTalk throttles above 20 for ten minutes."""
MAX_BYTES: Final = 18_000
"""UTF-8 bytes of the whole JSON; DingTalk refuses above 20,000."""
SHRUNK_BYTES: Final = 4_000
"""What is sent after an answer that even this was too long."""
KEYWORD_LIMIT: Final = 100
MASK: Final = "***"
RESPONSE_LIMIT: Final = 4_000
_MAX_WAIT = 86_400


_SIGN = (
    "Copy the secret (SEC…) from the robot's security settings again and save it in the target.",
    "请从机器人的安全设置重新复制加签密钥（SEC 开头），保存到通知目标。",
)
_TOKEN = (
    "Copy the webhook from the robot's settings in the DingTalk group again, or add a new robot.",
    "请在钉钉群的机器人设置中重新复制 Webhook，或新建机器人。",
)
_PAUSE = (
    "Nothing to do: sending goes on by itself, waiting alerts become one digest. Fewer alerts: cooldown.",
    "无需处理：系统会自动恢复发送，等待中的告警合并为一条。可为规则设置冷却时间以减少告警。",
)
_LATER = ("Nothing to do: it is tried again by itself.", "无需处理：系统会自动重试。")
_CONTENT = (
    "Change the rule's template, or the text of the event, so that DingTalk accepts it.",
    "请修改规则的消息模板或事件内容，使其符合钉钉的要求。",
)
_FAST = ("The robot sends too fast and is throttled.", "机器人发送过快，已被限流。")

CODES: Final[tuple[Code, ...]] = (
    code("ok", 0, Outcome.OK, ("Delivered.", "已送达。"), ("", "")),
    code("busy", -1, Outcome.RETRY, ("DingTalk is busy.", "钉钉系统繁忙。"), _LATER),
    code("too_fast", 130101, Outcome.RATE_LIMITED, _FAST, _PAUSE),
    code("too_fast_limited", 410100, Outcome.RATE_LIMITED, _FAST, _PAUSE),
    code(
        "sign",
        310000,
        Outcome.BROKEN,
        ("The robot's signature check failed.", "机器人加签校验失败。"),
        _SIGN,
        "sign not match",
        "签名",
        "invalid sign",
    ),
    code(
        "timestamp",
        310000,
        Outcome.BROKEN,
        ("The time we signed with is more than an hour off.", "签名时间与钉钉服务器相差超过一小时。"),
        (
            "Correct the clock of the server that Event Center runs on (NTP).",
            "请校准事件中心所在服务器的时钟（NTP）。",
        ),
        "timestamp",
        "时间戳",
    ),
    code(
        "keyword",
        310000,
        Outcome.BROKEN,
        ("The message lacks the robot's keyword.", "消息中不包含机器人的关键词。"),
        (
            "Enter one of the robot's keywords in the target: it is then added to every message.",
            "请在通知目标中填写机器人的一个关键词，系统会把它加到每条消息里。",
        ),
        "keyword",
        "关键词",
    ),
    code(
        "ip",
        310000,
        Outcome.BROKEN,
        ("The robot does not accept messages from our address.", "机器人的 IP 白名单不包含本服务器地址。"),
        (
            "Add the address that the answer names to the robot's IP allow-list.",
            "请把响应中给出的地址加入机器人的 IP 白名单。",
        ),
        "not in whitelist",
        "白名单",
        " ip ",
    ),
    code(
        "security",
        310000,
        Outcome.BROKEN,
        ("The robot's security check failed.", "机器人安全校验失败。"),
        (
            "Compare the robot's security settings (keyword, signature, IP list) with the target.",
            "请核对机器人的安全设置（关键词、加签、IP 白名单）与通知目标是否一致。",
        ),
    ),
    code("token_300001", 300001, Outcome.BROKEN, ("This robot does not exist.", "机器人不存在。"), _TOKEN),
    code("token_300005", 300005, Outcome.BROKEN, ("This robot does not exist.", "机器人不存在。"), _TOKEN),
    code(
        "token_400101",
        400101,
        Outcome.BROKEN,
        ("The access token is wrong.", "access_token 不正确。"),
        _TOKEN,
    ),
    code(
        "group_dissolved",
        400013,
        Outcome.BROKEN,
        ("The robot's group was dissolved.", "机器人所在的群已解散。"),
        (
            "Add a robot to another group and save its webhook in the target.",
            "请在其他群新建机器人，并更新通知目标。",
        ),
    ),
    code(
        "robot_stopped",
        400102,
        Outcome.BROKEN,
        ("The robot was switched off.", "机器人已停用。"),
        ("Switch the robot on in the DingTalk group's settings.", "请在钉钉群设置中启用该机器人。"),
    ),
    code("robot_gone", 400106, Outcome.BROKEN, ("This robot does not exist.", "机器人不存在。"), _TOKEN),
    code("bad_json", 40035, Outcome.BUG, ("A parameter is missing.", "请求参数缺失或格式错误。"), REPORT),
    code("post_required", 43002, Outcome.BUG, ("DingTalk wants a POST.", "需要使用 POST 请求。"), REPORT),
    code("content_type", 43004, Outcome.BUG, ("The content type is wrong.", "Content-Type 不正确。"), REPORT),
    code("msgtype", 400105, Outcome.BUG, ("The message type is unknown.", "不支持的消息类型。"), REPORT),
    code(
        "too_long",
        460101,
        Outcome.TOO_LONG,
        ("The message is too long.", "消息过长。"),
        (
            "Shorten the rule's template, for instance with truncate(200).",
            "请缩短消息模板，例如使用 truncate(200)。",
        ),
    ),
    code(
        "too_long_old",
        101002,
        Outcome.TOO_LONG,
        ("The message is too long.", "消息过长。"),
        (
            "Shorten the rule's template, for instance with truncate(200).",
            "请缩短消息模板，例如使用 truncate(200)。",
        ),
    ),
    code("unsafe_link", 430101, Outcome.REJECTED, ("A link is refused.", "消息含不安全的链接。"), _CONTENT),
    code("unsafe_text", 430102, Outcome.REJECTED, ("The text is refused.", "消息含不合适的文本。"), _CONTENT),
    code(
        "unsafe_image", 430103, Outcome.REJECTED, ("An image is refused.", "消息含不合适的图片。"), _CONTENT
    ),
    code(
        "unsafe_content",
        430104,
        Outcome.REJECTED,
        ("The content is refused.", "消息含不合适的内容。"),
        _CONTENT,
    ),
    code(
        "quota",
        90030,
        Outcome.QUOTA,
        ("The robot's messages of this day are used up.", "机器人今日的消息额度已用完。"),
        (
            "Sending goes on tomorrow (China time). Use another robot, or ask DingTalk for a larger quota.",
            "次日（北京时间）自动恢复。可更换机器人，或向钉钉申请更高额度。",
        ),
    ),
)
"""Several rows of one code: the first whose words are in `errmsg` counts, then the one without words."""

UNKNOWN_FAST: Final = replace(CODES[2], name="unknown_fast", errcode=None)
UNKNOWN: Final = code(
    "unknown",
    None,
    Outcome.RETRY,
    ("DingTalk answered with a code that is not known.", "钉钉返回了未知的错误码。"),
    (
        "It is tried again by itself; read the answer shown with the delivery.",
        "系统会自动重试，请查看投递记录中的响应。",
    ),
)
NO_ANSWER: Final = code(
    "no_answer",
    None,
    Outcome.RETRY,
    ("DingTalk could not be reached or did not answer in time.", "无法连接钉钉，或响应超时。"),
    (
        "It is tried again by itself. If it lasts: may this server reach oapi.dingtalk.com on port 443?",
        "系统会自动重试。若持续出现，请检查服务器能否访问 oapi.dingtalk.com 的 443 端口。",
    ),
)
BAD_ANSWER: Final = code(
    "bad_answer",
    None,
    Outcome.RETRY,
    ("What answered was not DingTalk's robot interface.", "响应不是钉钉机器人接口的格式。"),
    (
        "It is tried again by itself. If it lasts: is there a proxy or a firewall in between?",
        "系统会自动重试。若持续出现，请检查中间是否有代理或防火墙。",
    ),
)
ALL_CODES: Final[Mapping[str, Code]] = {
    row.name: row for row in (*CODES, UNKNOWN_FAST, UNKNOWN, NO_ANSWER, BAD_ANSWER)
}

_FAST_WORDS = ("too fast", "exceed", "too many", "limit", "限流", "频")


def classify(status: int, body: bytes) -> Answer:
    """What an HTTP answer means. Nothing that is unknown is ever a success."""
    text = visible(body[:RESPONSE_LIMIT].decode("utf-8", "replace"))
    if status != 200:
        return Answer(code=BAD_ANSWER, text=f"HTTP {status} {text}".rstrip())
    try:
        held = json.loads(body)
    except (ValueError, RecursionError):
        return Answer(code=BAD_ANSWER, text=text)
    if not isinstance(held, dict):
        return Answer(code=BAD_ANSWER, text=text)
    errcode = _whole(held.get("errcode"))
    if "punish" in held or held.get("source") == "x5":
        return Answer(code=CODES[2], errcode=errcode, text=text, wait_s=_whole(held.get("wait")))
    if errcode is None:
        return Answer(code=BAD_ANSWER, text=text)
    said = str(held.get("errmsg", ""))
    return Answer(
        code=_row(errcode, said.lower()), errcode=errcode, text=text, wait_s=_whole(held.get("wait"))
    )


def no_answer(reason: str) -> Answer:
    """The answer where none came: connection refused, timeout, broken TLS."""
    return Answer(code=NO_ANSWER, text=visible(reason)[:RESPONSE_LIMIT])


def _row(errcode: int, said: str) -> Code:
    row = row_of(CODES, errcode, said)
    if row is not None:
        return row
    return UNKNOWN_FAST if any(word in said for word in _FAST_WORDS) else UNKNOWN


def _whole(value: object) -> int | None:
    # A code may come as a text; true and 0.0 are no codes.
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


WEBHOOK_REMEDY: Final = "copy the webhook from the robot's settings in the DingTalk group and paste it whole"


def parse_webhook(text: str, *, bases: tuple[str, ...]) -> str:
    """The access token of a pasted webhook; `bases` are the base addresses that it may have.

    Raises InvalidInput, which never repeats the token.
    """
    problem = f"{bases[0]}{PATH}?access_token=…"
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    origin = f"{parts.scheme}://{_bracketed(parts.hostname or '')}" + (f":{port}" if port is not None else "")
    base = next((held for held in bases if held.rstrip("/") == origin), None)
    if base is None or parts.path != PATH or parts.username is not None or parts.password is not None:
        raise InvalidInput(
            "This is no webhook of a DingTalk robot.",
            value=f"{origin}{parts.path}" if parts.hostname else None,
            rule=f"it looks like {problem}",
            remedy=WEBHOOK_REMEDY,
        )
    tokens = parse_qs(parts.query).get("access_token", [])
    if len(tokens) != 1 or re.fullmatch(r"[A-Za-z0-9_-]{8,256}", tokens[0]) is None:
        raise InvalidInput(
            "The webhook has no usable access_token.",
            rule=f"one access_token of letters and digits, as in {problem}",
            remedy=WEBHOOK_REMEDY,
        )
    return tokens[0]


def check_base_url(text: str) -> str:
    """Another base address for a robot, normalized. Raises InvalidInput."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.path not in {"", "/"}
        or not plain
    ):
        raise InvalidInput(
            "This is no base address.",
            value=f"{parts.scheme}://{parts.hostname or ''}{parts.path}",
            rule="scheme and host, such as http://127.0.0.1:8702, without a path",
            remedy="leave it out for DingTalk itself",
        )
    return f"{parts.scheme}://{_bracketed(parts.hostname)}" + (f":{port}" if port is not None else "")


def check_keyword(text: str) -> str:
    """A robot's keyword. Raises InvalidInput."""
    held = text.strip()
    if not held or len(held) > KEYWORD_LIMIT or visible(held) != held:
        raise InvalidInput(
            "This is no usable keyword.",
            value=held,
            rule=f"1 to {KEYWORD_LIMIT} visible characters on one line",
            remedy="enter one of the keywords of the robot's security settings, or leave it empty",
        )
    return held


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def check_secret(secret: str) -> str:
    """The robot's secret. Raises InvalidInput, which never repeats it."""
    held = secret.strip()
    if re.fullmatch(r"SEC[A-Za-z0-9]{8,253}", held) is None:
        raise InvalidInput(
            "This is no secret of a DingTalk robot.",
            rule="it begins with SEC, followed by letters and digits",
            remedy="copy it from the robot's security settings, 加签; leave it empty if the robot has none",
        )
    return held


def robot_hash(token: str) -> str:
    """By what a robot is known without its token: SHA-256 as 64 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def sign(secret: str, timestamp_ms: int) -> str:
    """DingTalk's signature, not yet percent-encoded: base64 of HMAC-SHA256 over timestamp and secret."""
    text = f"{timestamp_ms}\n{secret}"
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


@dataclass(frozen=True, kw_only=True)
class Request:
    """A POST, ready to go: signed, and with what may be shown of it."""

    url: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    shown: Mapping[str, Any]
    """The request for people, its credentials masked."""


def request(
    message: Message,
    *,
    base_url: str,
    token: str,
    secret: str | None,
    delivery_id: str,
    now: datetime,
    limit: int = MAX_BYTES,
) -> Request:
    """The request that brings `message` to the robot, signed for the moment `now`."""
    body = document(message, limit=limit)
    parameters = {"access_token": token}
    masked = f"access_token={MASK}"
    if secret is not None:
        timestamp = to_micros(now) // 1000
        parameters |= {"timestamp": str(timestamp), "sign": sign(secret, timestamp)}
        masked += f"&timestamp={timestamp}&sign={MASK}"
    url = base_url.rstrip("/") + PATH
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Event-Center-Delivery": delivery_id}
    return Request(
        url=url,
        parameters=parameters,
        headers=headers,
        body=encode(body),
        shown={"method": "POST", "url": f"{url}?{masked}", "headers": headers, "body": body},
    )


def document(message: Message, *, limit: int = MAX_BYTES) -> dict[str, Any]:
    """The robot's JSON, its body cut so that the whole is at most `limit` bytes of UTF-8."""
    whole = _document(message, message.body)
    over = len(encode(whole)) - limit
    if over <= 0:
        return whole
    least, most = 0, len(message.body)
    while least < most:
        middle = (least + most + 1) // 2
        if len(encode(_document(message, _cut(message, middle)))) <= limit:
            least = middle
        else:
            most = middle - 1
    return _document(message, _cut(message, least))


def encode(document: Mapping[str, Any]) -> bytes:
    """The JSON of a request, as UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _document(message: Message, body: str) -> dict[str, Any]:
    text = "\n\n".join(part for part in (f"### {escape(message.title)}", body, message.footer) if part)
    if message.keyword and message.keyword not in text:
        # As it is: an admin wrote it, not an event, and DingTalk looks for these very characters.
        text += f"\n\n{message.keyword}"
    return {"msgtype": "markdown", "markdown": {"title": message.title, "text": text}}


def _cut(message: Message, kept: int) -> str:
    body = message.body[:kept]
    # Never between a backslash and what it escapes.
    body = body[: len(body) - (len(body) - len(body.rstrip("\\"))) % 2]
    left = len(message.body) - len(body)
    return f"{body.rstrip()}\n\n{more(message.language, left)}".lstrip()


def masked(text: str, *secrets: str | None) -> str:
    """`text` without the secrets, wherever an answer may have repeated them."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    return text


def wait_of(response: str | None) -> int:
    """Seconds that a kept answer asked to wait, 0 if it asked for none; at most a day."""
    found = re.search(r'"wait"\s*:\s*"?([0-9]{1,6})', response or "")
    return min(int(found[1]), _MAX_WAIT) if found else 0
