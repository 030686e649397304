"""DingTalk's wire: golden payloads, the signature, the table of answers, webhooks."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alerts.message import Audience, Message, RuleCount, compose, compose_digest, compose_test
from alerts.targets import dingtalk
from alerts.targets.dingtalk import CODES, MAX_BYTES, classify, document, encode, parse_webhook, sign
from alerts.targets.kind import Outcome
from alerts.template import Template
from eventcenter.errors import InvalidInput
from eventcenter.event import Event, StoredEvent
from tests.alerts.stand import SECRET, TOKEN, WEBHOOK

GOLDEN = Path(__file__).parents[1] / "golden" / "dingtalk"
NOW = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


def audience(language: str = "en") -> Audience:
    return Audience.of(
        tenant="acme", language=language, time_zone="Asia/Shanghai", dashboard_url="https://ec.example"
    )


def stored(data: Any = None, **given: Any) -> StoredEvent:
    text = None if data is None else json.dumps(data).encode()
    event = Event(
        **{"id": "e-1", "source": "/shop", "type": "order.paid", **given},
        data=text,
        data_kind=None if text is None else "json",
    )
    return StoredEvent(seq=42, bus="default", received_at=NOW, event=event)


HOSTILE = {
    "title": "**bold** [x](https://evil.example) <b>\u202e\n# head",
    "text": "javascript:alert(1) ![i](http://evil.example/i.png) @all <script>alert(1)</script>"
    "\n- a\n> b\x1b[31m",
    "emoji": "😀" * 60_000,
}


def message(name: str, language: str = "en") -> Message:
    plain = {"title": "Order ${id} paid", "text": "Amount **${data.amount}**\nby ${data.who}\n\n- ${type}"}
    hostile = {"title": "Got ${data.title}", "text": "${data.text}\n\n${data.emoji}"}
    template, data = (hostile, HOSTILE) if name == "hostile" else (plain, {"amount": "1.50", "who": "张_三"})
    return compose(
        rule_id="r1",
        rule_name="Paid",
        title=Template.parse(template["title"]),
        text=Template.parse(template["text"]),
        stored=stored(data),
        audience=audience(language),
        suppressed=3 if name == "cooldown" else 0,
        test=name == "test",
    ).message


def digest(language: str) -> Message:
    counts = [
        RuleCount(name=f"Rule *{n}*" if n else None, count=100 - n, first=NOW, last=NOW) for n in range(23)
    ]
    return compose_digest(counts=counts, target_id="t1", budget=18, audience=audience(language))


PAYLOADS = {
    "event-en": lambda: message("event"),
    "event-zh": lambda: message("event", "zh"),
    "cooldown-en": lambda: message("cooldown"),
    "cooldown-zh": lambda: message("cooldown", "zh"),
    "test-zh": lambda: message("test", "zh"),
    "hostile-en": lambda: message("hostile"),
    "digest-en": lambda: digest("en"),
    "digest-zh": lambda: digest("zh"),
    "target-test-en": lambda: compose_test(target_name="On *call*", audience=audience()),
    "target-test-zh": lambda: compose_test(target_name="On *call*", audience=audience("zh")),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_golden_payloads(name: str) -> None:
    shown = json.dumps(document(PAYLOADS[name]()), ensure_ascii=False, indent=1) + "\n"
    file = GOLDEN / f"{name}.json"
    assert shown == file.read_text(), f"{file.name} says otherwise; if the new one is right, write it there"


@pytest.mark.parametrize("size", [10, 5_000, 9_000, 18_000, 60_000])
@pytest.mark.parametrize("unit", ["a", "中", "😀", "*", "\\", '"', "\n", "a\n\n"])
def test_the_whole_json_is_bounded_and_keeps_its_links(size: int, unit: str) -> None:
    body = unit * (size // len(unit))
    made = Message(title="T", body=body, footer="[Open](https://ec.example/x)", language="en", keyword="Kw")
    for limit in (MAX_BYTES, dingtalk.SHRUNK_BYTES):
        held = document(made, limit=limit)
        assert len(encode(held)) <= limit
        text = held["markdown"]["text"]
        assert text.endswith("\n\n[Open](https://ec.example/x)\n\nKw")
        assert ("more characters" in text) == (len(encode(document(made, limit=10**9))) > limit)


def test_a_cut_says_how_much_is_missing() -> None:
    made = Message(title="T", body="x" * 30_000, footer="F", language="zh")
    text = document(made)["markdown"]["text"]
    kept = text.count("x")
    assert f"…… 还有 {30_000 - kept:,} 个字符" in text
    assert len(encode(document(made))) > MAX_BYTES - 10


def test_the_signature_is_dingtalks() -> None:
    # openssl dgst -sha256 -hmac SECabc over "1700000000000\nSECabc", in base64.
    assert sign("SECabc", 1_700_000_000_000) == "jcUpW0QmtKduN03n4JqQ0PBosVjqnM8gU7fIIvsDmCM="


def test_a_request_is_signed_for_its_moment_and_masked_for_people() -> None:
    made = dingtalk.request(
        message("event"), base_url="https://h", token=TOKEN, secret=SECRET, delivery_id="d1", now=NOW
    )
    assert made.url == "https://h/robot/send"
    timestamp = str(int(NOW.timestamp() * 1000))
    assert made.parameters == {
        "access_token": TOKEN,
        "timestamp": timestamp,
        "sign": sign(SECRET, int(timestamp)),
    }
    assert made.headers["Content-Type"] == "application/json; charset=utf-8"
    assert made.headers["X-Event-Center-Delivery"] == "d1"
    shown = json.dumps(made.shown)
    assert TOKEN not in shown
    assert SECRET not in shown
    assert made.parameters["sign"] not in shown
    assert made.shown["url"] == f"https://h/robot/send?access_token=***&timestamp={timestamp}&sign=***"
    plain = dingtalk.request(
        message("event"), base_url="https://h/", token=TOKEN, secret=None, delivery_id="d1", now=NOW
    )
    assert plain.parameters == {"access_token": TOKEN}


ANSWERS: list[tuple[str, int, str, Outcome, str]] = [
    ("ok", 200, '{"errcode":0,"errmsg":"ok"}', Outcome.OK, "ok"),
    ("busy", 200, '{"errcode":-1,"errmsg":"system busy"}', Outcome.RETRY, "busy"),
    ("130101", 200, '{"errcode":130101,"errmsg":"send too fast"}', Outcome.RATE_LIMITED, "too_fast"),
    ("410100", 200, '{"errcode":410100,"errmsg":"限流"}', Outcome.RATE_LIMITED, "too_fast_limited"),
    (
        "x5",
        200,
        '{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"u"}',
        Outcome.RATE_LIMITED,
        "too_fast",
    ),
    (
        "x5 with errcode",
        200,
        '{"errcode":130101,"punish":"deny","wait":"9"}',
        Outcome.RATE_LIMITED,
        "too_fast",
    ),
    ("sign", 200, '{"errcode":310000,"errmsg":"sign not match"}', Outcome.BROKEN, "sign"),
    (
        "sign, new words",
        200,
        '{"errcode":310000,"errmsg":"description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳;link:x"}',
        Outcome.BROKEN,
        "sign",
    ),
    (
        "timestamp",
        200,
        '{"errcode":310000,"errmsg":"invalid timestamp, more than 1 hour"}',
        Outcome.BROKEN,
        "timestamp",
    ),
    ("keyword", 200, '{"errcode":310000,"errmsg":"keywords not in content"}', Outcome.BROKEN, "keyword"),
    (
        "keyword, new words",
        200,
        '{"errcode":310000,"errmsg":"错误描述:关键词不匹配;解决方案:请联系群管理员查看此机器人的关键词"}',
        Outcome.BROKEN,
        "keyword",
    ),
    ("ip", 200, '{"errcode":310000,"errmsg":"ip 10.0.0.1 not in whitelist"}', Outcome.BROKEN, "ip"),
    ("310000, other", 200, '{"errcode":310000,"errmsg":"?"}', Outcome.BROKEN, "security"),
    ("300001", 200, '{"errcode":300001,"errmsg":"token is not exist"}', Outcome.BROKEN, "token_300001"),
    ("300005", 200, '{"errcode":300005,"errmsg":"token is not exist"}', Outcome.BROKEN, "token_300005"),
    ("400101", 200, '{"errcode":400101,"errmsg":"x"}', Outcome.BROKEN, "token_400101"),
    ("400013", 200, '{"errcode":400013,"errmsg":"x"}', Outcome.BROKEN, "group_dissolved"),
    ("400102", 200, '{"errcode":400102,"errmsg":"x"}', Outcome.BROKEN, "robot_stopped"),
    ("400106", 200, '{"errcode":400106,"errmsg":"x"}', Outcome.BROKEN, "robot_gone"),
    ("40035", 200, '{"errcode":40035,"errmsg":"缺少参数 json"}', Outcome.BUG, "bad_json"),
    ("43002", 200, '{"errcode":43002,"errmsg":"x"}', Outcome.BUG, "post_required"),
    ("43004", 200, '{"errcode":43004,"errmsg":"x"}', Outcome.BUG, "content_type"),
    ("400105", 200, '{"errcode":400105,"errmsg":"x"}', Outcome.BUG, "msgtype"),
    (
        "460101",
        200,
        '{"errcode":460101,"errmsg":"message too long, exceed 20000 bytes"}',
        Outcome.TOO_LONG,
        "too_long",
    ),
    ("101002", 200, '{"errcode":101002,"errmsg":"x"}', Outcome.TOO_LONG, "too_long_old"),
    ("430101", 200, '{"errcode":430101,"errmsg":"x"}', Outcome.REJECTED, "unsafe_link"),
    ("430102", 200, '{"errcode":430102,"errmsg":"x"}', Outcome.REJECTED, "unsafe_text"),
    ("430103", 200, '{"errcode":430103,"errmsg":"x"}', Outcome.REJECTED, "unsafe_image"),
    ("430104", 200, '{"errcode":430104,"errmsg":"x"}', Outcome.REJECTED, "unsafe_content"),
    ("90030", 200, '{"errcode":90030,"errmsg":"webhook over limit"}', Outcome.QUOTA, "quota"),
    ("unknown", 200, '{"errcode":88,"errmsg":"x"}', Outcome.RETRY, "unknown"),
    ("unknown, fast", 200, '{"errcode":88,"errmsg":"Too Fast"}', Outcome.RATE_LIMITED, "unknown_fast"),
    ("unknown, 频", 200, '{"errcode":99,"errmsg":"发送频率过高"}', Outcome.RATE_LIMITED, "unknown_fast"),
    ("a text 0", 200, '{"errcode":"0","errmsg":"ok"}', Outcome.OK, "ok"),
    ("false", 200, '{"errcode":false}', Outcome.RETRY, "bad_answer"),
    ("0.0", 200, '{"errcode":0.0}', Outcome.RETRY, "bad_answer"),
    ("null", 200, '{"errcode":null}', Outcome.RETRY, "bad_answer"),
    ("no errcode", 200, '{"errmsg":"ok"}', Outcome.RETRY, "bad_answer"),
    ("a list", 200, "[0]", Outcome.RETRY, "bad_answer"),
    ("empty", 200, "", Outcome.RETRY, "bad_answer"),
    ("html", 200, "<html>ok</html>", Outcome.RETRY, "bad_answer"),
    ("deep", 200, "[" * 50_000, Outcome.RETRY, "bad_answer"),
    ("302", 302, '{"errcode":0}', Outcome.RETRY, "bad_answer"),
    ("500", 500, '{"errcode":0}', Outcome.RETRY, "bad_answer"),
    ("201", 201, '{"errcode":0}', Outcome.RETRY, "bad_answer"),
]


@pytest.mark.parametrize(
    ("status", "body", "outcome", "name"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_answers(status: int, body: str, outcome: Outcome, name: str) -> None:
    answer = classify(status, body.encode())
    assert (answer.outcome, answer.code.name) == (outcome, name)
    assert len(answer.text) <= dingtalk.RESPONSE_LIMIT + 20


def test_every_row_of_the_table_has_an_answer_here_and_words() -> None:
    tested = {row[4] for row in ANSWERS}
    for code in CODES:
        assert code.name in tested
        for language in ("en", "zh"):
            assert code.meaning[language]
            assert code.remedy[language] or code.outcome is Outcome.OK
    assert len({code.name for code in CODES}) == len(CODES)


def test_only_errcode_zero_is_a_success() -> None:
    assert [code.name for code in CODES if code.outcome is Outcome.OK] == ["ok"]


def test_how_long_x5_asks_to_wait() -> None:
    answer = classify(200, b'{"status":1111,"wait":777,"source":"x5","punish":"deny"}')
    assert answer.wait_s == 777
    assert dingtalk.wait_of(answer.text) == 777
    assert dingtalk.wait_of(None) == dingtalk.wait_of('{"errcode":0}') == 0
    assert dingtalk.wait_of('{"wait":999999}') == 86_400


def test_a_webhook_is_taken_apart() -> None:
    bases = (dingtalk.OFFICIAL_BASE,)
    assert parse_webhook(WEBHOOK, bases=bases) == TOKEN
    assert parse_webhook(f"  {WEBHOOK}&timestamp=1&sign=x \n", bases=bases) == TOKEN
    assert parse_webhook(
        WEBHOOK.replace("https://oapi.dingtalk.com", "https://OAPI.dingtalk.com"), bases=bases
    )
    local = ("http://127.0.0.1:8702",)
    assert parse_webhook(f"http://127.0.0.1:8702/robot/send?access_token={TOKEN}", bases=local) == TOKEN


@pytest.mark.parametrize(
    "webhook",
    [
        "",
        "hello",
        "http://oapi.dingtalk.com/robot/send?access_token=" + TOKEN,
        "https://oapi.dingtalk.com.evil.example/robot/send?access_token=" + TOKEN,
        "https://evil.example/robot/send?access_token=" + TOKEN,
        "https://oapi.dingtalk.com@evil.example/robot/send?access_token=" + TOKEN,
        "https://user:pw@oapi.dingtalk.com/robot/send?access_token=" + TOKEN,
        "https://oapi.dingtalk.com:444/robot/send?access_token=" + TOKEN,
        "https://oapi.dingtalk.com:x/robot/send?access_token=" + TOKEN,
        "https://oapi.dingtalk.com/robot/send/../x?access_token=" + TOKEN,
        "https://oapi.dingtalk.com/robot/sendBySession?access_token=" + TOKEN,
        "https://oapi.dingtalk.com/robot/send",
        "https://oapi.dingtalk.com/robot/send?access_token=",
        "https://oapi.dingtalk.com/robot/send?access_token=short",
        f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}&access_token={TOKEN}",
        f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}%0d%0aHost:x",
        f"https://oapi.dingtalk.com\\@evil.example/robot/send?access_token={TOKEN}",
        f"https://[::1/robot/send?access_token={TOKEN}",
    ],
)
def test_what_is_no_webhook(webhook: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_webhook(webhook, bases=(dingtalk.OFFICIAL_BASE,))
    assert TOKEN not in json.dumps(refused.value.problem()), "the token is never repeated"
    assert refused.value.rule
    assert refused.value.remedy


@pytest.mark.parametrize("secret", ["", "abc", "SEC", "SECabc def12345", "SEC" + "a" * 400, "secaaaaaaaaaa"])
def test_what_is_no_secret(secret: str) -> None:
    with pytest.raises(InvalidInput):
        dingtalk.check_secret(secret)


@pytest.mark.parametrize(
    "base", ["", "ftp://h", "https://h/path", "https://u@h", "https://h?x=1", "h", "http://"]
)
def test_what_is_no_base_address(base: str) -> None:
    with pytest.raises(InvalidInput):
        dingtalk.check_base_url(base)


def test_base_addresses_are_normalized() -> None:
    assert dingtalk.check_base_url(" http://127.0.0.1:8702/ ") == "http://127.0.0.1:8702"
    assert dingtalk.check_base_url("http://[::1]:8702") == "http://[::1]:8702"
