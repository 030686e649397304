"""The whole way in a browser: an event of the JavaScript SDK, a rule made from it, the robot's message."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from app.i18n import text
from tests.browser.conftest import ROBOT_SECRET, ROBOT_TOKEN, House, go, settle, visit
from tests.support import javascript
from tests.support.product import wait_until

Say = Callable[[str], str]
pytestmark = [pytest.mark.browser, pytest.mark.javascript, pytest.mark.long, pytest.mark.timeout(240)]


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_from_an_event_to_a_message(chromium: Browser, house: House, locale: str) -> None:
    language = locale[:2]

    def say(key: str) -> str:
        return text(language, key)

    token = house.product.token("writer")
    kind = f"com.example.order.{language}.failed"
    context, page = visit(chromium, house, locale)
    expect(page.locator(".ec-head h2").first).to_have_text(say("overview.title"))
    _add_robot(page, house, language, say)

    _send(house, token, kind, f"{language}-1")
    go(page, house, f"/events?type={kind}")
    page.wait_for_selector("[data-testid=stDataFrame] canvas")
    page.locator("[data-testid=stDataFrame]").first.click(position={"x": 260, "y": 48})
    expect(page.locator(".ec-kv").first).to_contain_text(f"{language}-1")
    assert re.search(r"event=\d+", page.url)
    assert "ecs_" not in page.url
    expect(page.locator("[data-testid=stCode]").first).to_contain_text("18446744073709551617")

    page.get_by_role("button", name=say("event.make_rule")).click()
    expect(page.get_by_label(say("rules.name"), exact=True)).to_have_value(kind)
    expect(page.locator(".ec-sentence")).to_contain_text(kind)
    expect(page.locator(".ec-matched b")).to_have_text("1")
    expect(page.locator(".ec-ding-bubble")).to_contain_text("/shop")
    page.get_by_role("button", name=say("common.save"), exact=True).click()
    page.wait_for_url(re.compile(r"rule=(?!new)"))
    settle(page)

    _send(house, token, kind, f"{language}-2")
    wait_until(
        lambda: any(m.delivered and kind in f"{m.title}{m.text}" for m in house.robot.received()),
        30,
        lambda: str([m.document() for m in house.robot.received()]),
    )
    message = next(m for m in house.robot.received() if m.delivered and kind in f"{m.title}{m.text}")
    assert message.signature == "right"

    go(page, house, "/deliveries")
    page.wait_for_selector("[data-testid=stDataFrame] canvas")
    page.locator("[data-testid=stDataFrame]").first.click(position={"x": 260, "y": 48})
    panel = page.locator(".st-key-ec-panel-detail")
    expect(panel).to_contain_text(say("state.delivered"))
    expect(panel).to_contain_text(f"{language}-2")
    expect(panel.locator(".ec-ding-bubble")).to_contain_text("/shop")
    assert ROBOT_TOKEN not in page.content()
    assert ROBOT_SECRET not in page.content()
    _sign_out(page, say)
    context.close()


def _send(house: House, token: str, kind: str, event_id: str) -> None:
    answer = javascript.send(
        url=f"{house.product.settings.ingest_url}/v1/buses/default/events?wait=archived",
        token=token,
        mode="structured",
        event={
            "id": event_id,
            "source": "/shop",
            "type": kind,
            "data": {"total": 12.5, "big": "18446744073709551617"},
        },
    )
    assert answer["stored"] == 1, answer


def _add_robot(page: Page, house: House, language: str, say: Say) -> None:
    name = f"on-call {language}"
    go(page, house, "/settings?section=targets")
    page.get_by_label(say("column.name"), exact=True).fill(name)
    page.get_by_label(say("targets.webhook"), exact=True).fill(
        f"https://oapi.dingtalk.com/robot/send?access_token={ROBOT_TOKEN}"
    )
    page.get_by_label(say("targets.secret"), exact=True).fill(ROBOT_SECRET)
    page.get_by_label(say("targets.base_url"), exact=True).fill(house.robot.url)
    page.get_by_role("button", name=say("common.create"), exact=True).click()
    expect(page.locator(".ec-line").filter(has_text=name)).to_be_visible()
    settle(page)
    assert ROBOT_TOKEN not in page.content()


def _sign_out(page: Page, say: Say) -> None:
    page.locator(".ec-who a").click()
    page.get_by_role("button", name=say("auth.sign_out")).click()
    page.wait_for_url(re.compile("/auth/sign-in"))
    page.goto(page.url.split("/auth/")[0] + "/events")
    page.wait_for_url(re.compile(r"/auth/sign-in\?next=%2Fevents"))


def test_dragging_over_the_histogram_narrows_the_range(chromium: Browser, house: House) -> None:
    token = house.product.token("writer")
    _send(house, token, "com.example.drag", "drag-1")
    context, page = visit(chromium, house, "en-US")
    go(page, house, "/events?span=15m")
    plot = page.locator(".nsewdrag").first
    plot.wait_for()
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.99, box["y"] + 42, steps=8)
    page.mouse.up()
    page.wait_for_url(re.compile(r"from=.*&to="))
    expect(page.locator(".ec-caption").first).to_contain_text("Range:")
    context.close()
