"""The robot stand-in answers as DingTalk does, also over a real socket, and shows its chat harmlessly."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from alerts.targets.dingtalk import classify, sign
from alerts.targets.kind import Outcome
from eventcenter.clock import ManualClock, to_micros
from eventcenter.testing.markdown import to_html
from eventcenter.testing.page import chat_page
from eventcenter.testing.robot import SCRIPTED, Reply, Robot, RobotConfig, run_robot

JSON = {"content-type": "application/json; charset=utf-8"}
BODY = json.dumps({"msgtype": "markdown", "markdown": {"title": "t", "text": "alert text"}}).encode()


def ask(robot: Robot, **given: Any) -> int:
    asked = {"method": "POST", "query": {"access_token": "plain"}, "headers": JSON, "body": BODY, **given}
    answer = robot.answer(**asked)
    assert answer.status == 200
    return int(json.loads(answer.body)["errcode"])


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def robot(clock: ManualClock) -> Robot:
    robots = {
        "plain": RobotConfig(),
        "signed": RobotConfig(secret="SECx"),
        "worded": RobotConfig(keywords=("alert", "告警")),
    }
    return Robot(robots, clock=clock)


def signed(clock: ManualClock, *, secret: str = "SECx", shift_s: int = 0) -> dict[str, str]:
    timestamp = to_micros(clock.now()) // 1000 + shift_s * 1000
    return {"access_token": "signed", "timestamp": str(timestamp), "sign": sign(secret, timestamp)}


def test_what_dingtalk_answers(robot: Robot, clock: ManualClock) -> None:
    assert ask(robot) == 0
    assert ask(robot, query={"access_token": "nope"}) == 300005
    assert ask(robot, query={}) == 300005
    assert ask(robot, method="GET") == 43002
    assert ask(robot, headers={"content-type": "text/plain"}) == 43004
    assert ask(robot, body=b"{") == 40035
    assert ask(robot, body=b"[]") == 40035
    assert ask(robot, body=b'{"msgtype":"markdown"}') == 40035
    assert ask(robot, body=b'{"msgtype":"carrier pigeon"}') == 400105
    assert ask(robot, body=b" " * 20_001) == 460101
    assert ask(robot, query=signed(clock)) == 0
    assert ask(robot, query={"access_token": "signed"}) == 310000
    assert ask(robot, query=signed(clock, secret="SECy")) == 310000
    assert ask(robot, query=signed(clock, shift_s=3599)) == 0
    assert ask(robot, query=signed(clock, shift_s=-3601)) == 310000
    assert ask(robot, query={**signed(clock), "sign": quote(signed(clock)["sign"])}) in {0, 310000}
    assert ask(robot, query={"access_token": "worded"}) == 0
    worded = BODY.replace(b"alert", b"other")
    assert ask(robot, query={"access_token": "worded"}, body=worded) == 310000
    assert [held.signature for held in robot.received()][:1] == ["none"]


def test_an_old_timestamp_is_named(robot: Robot, clock: ManualClock) -> None:
    reply = robot.answer(method="POST", query=signed(clock, shift_s=-7200), headers=JSON, body=BODY)
    assert "invalid timestamp" in reply.body.decode()


def test_twenty_a_minute_then_ten_minutes_of_silence(robot: Robot, clock: ManualClock) -> None:
    assert [ask(robot) for _ in range(21)] == [0] * 20 + [410100]
    clock.advance(599)
    assert ask(robot) == 410100
    clock.advance(1)
    assert ask(robot) == 0
    assert len(robot.messages()) == 21


def test_every_scripted_answer_is_classified(robot: Robot) -> None:
    expected = {
        "busy": Outcome.RETRY,
        "too_fast": Outcome.RATE_LIMITED,
        "quota": Outcome.QUOTA,
        "x5": Outcome.RATE_LIMITED,
        "too_long": Outcome.TOO_LONG,
        "unsafe_text": Outcome.REJECTED,
        "stopped": Outcome.BROKEN,
        "unknown": Outcome.RETRY,
        "html": Outcome.RETRY,
        "http500": Outcome.RETRY,
        "redirect": Outcome.RETRY,
        "slow": Outcome.OK,
        "endless": Outcome.RETRY,
    }
    assert set(expected) == set(SCRIPTED)
    for name, reply in SCRIPTED.items():
        assert classify(reply.status, reply.body[: 64 * 1024]).outcome is expected[name], name
    with pytest.raises(KeyError):
        robot.script("nope")


def test_over_a_socket() -> None:
    with run_robot(Robot({"tok": RobotConfig(secret="SECx", name="值班")})) as robot, httpx.Client() as http:
        url = f"{robot.url}/robot/send"
        assert http.post(url, params={"access_token": "tok"}, json={}).json()["errcode"] == 400105
        assert http.get(url).json()["errcode"] == 43002
        control = {"accept_any": True, "answers": ["busy"], "per_minute": None}
        assert http.post(f"{robot.url}/control", json=control).json() == {"ok": True}
        body = json.loads(BODY)
        assert http.post(url, params={"access_token": "any"}, json=body).json()["errcode"] == -1
        sent = http.post(
            url, params={"access_token": "any"}, json=body, headers={"X-Event-Center-Delivery": "d1"}
        )
        assert sent.json() == {"errcode": 0, "errmsg": "ok"}
        [*_, last] = http.get(f"{robot.url}/messages").json()["messages"]
        assert (last["delivered"], last["text"], last["delivery"]) == (True, "alert text", "d1")
        page = http.get(robot.url)
        assert "alert text" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert http.post(f"{robot.url}/control", json={"answers": ["nope"]}).status_code == 400
        assert http.post(f"{robot.url}/control", json={"clear": True}).json() == {"ok": True}
        assert http.get(f"{robot.url}/messages").json() == {"messages": []}
        assert "还没有消息" in http.get(robot.url).text


def test_a_reply_in_dingtalks_form() -> None:
    assert Reply.code(0, "ok").body == b'{"errcode": 0, "errmsg": "ok"}'


MARKDOWN = [
    ("### Title", "<h3>Title</h3>"),
    ("a **b** *c*", "<p>a <strong>b</strong> <em>c</em></p>"),
    ("- one\n- two", "<ul><li>one</li><li>two</li></ul>"),
    ("1. one", "<ol><li>one</li></ol>"),
    ("> quote", "<blockquote>quote</blockquote>"),
    ("one  \ntwo", "<p>one<br>two</p>"),
    (r"\*plain\* \_ &lt;b\>", "<p>*plain* _ &lt;b&gt;</p>"),
    ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
    ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>"),
    ("![i](https://e.example/i.png)", "<p>![i](https://e.example/i.png)</p>"),
    ('[x](https://e.example/"onclick=1)', None),
    (
        "[x](https://e.example/?a=1&b=2)",
        '<p><a href="https://e.example/?a=1&amp;b=2" rel="noreferrer noopener" target="_blank">x</a></p>',
    ),
]


@pytest.mark.parametrize(("text", "shown"), MARKDOWN)
def test_markdown_as_dingtalk_has_it(text: str, shown: str | None) -> None:
    made = to_html(text)
    if shown is not None:
        assert made == shown
    assert '"onclick' not in made


def test_the_page_escapes_everything() -> None:
    hostile = "<img src=x onerror=alert(1)>\"'&"
    robot = Robot({"t": RobotConfig(name=hostile)})
    body = {"msgtype": "markdown", "markdown": {"title": hostile, "text": hostile}}
    robot.answer(method="POST", query={"access_token": "t"}, headers=JSON, body=json.dumps(body).encode())
    robot.answer(method="POST", query={"access_token": hostile}, headers=JSON, body=json.dumps(body).encode())
    page = chat_page([held.document() for held in robot.received()])
    assert "<img" not in page
