"""An input made in the browser; its lag falls to zero while one looks."""

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import House, go, settle, visit
from tests.rocketmq.sending import Sender, message
from tests.support.rocketmq import Broker

pytestmark = [
    pytest.mark.browser,
    pytest.mark.rocketmq,
    pytest.mark.long,
    pytest.mark.timeout(240),
]
BODY = b'{"specversion":"1.0","id":"%d","source":"/watched","type":"com.example.watched","data":{"n":1}}'
MANY = 6_400


def fill(page: Page, name: str, text: str) -> None:
    box = page.get_by_role("textbox", name=name, exact=True)
    box.fill(text)
    box.press("Tab")
    settle(page)


def test_lag_falls_to_zero_while_one_looks(chromium: Browser, house: House, rocketmq: Broker) -> None:
    rocketmq.create_topic("watched")
    rocketmq.create_group("watched")
    with Sender(rocketmq.endpoint) as sender:
        for batch in range(0, MANY, 32):
            assert sender.send([message("watched", BODY % (batch + n)) for n in range(32)])
    context, page = visit(chromium, house, "en-US")
    go(page, house, "/inputs")
    page.get_by_role("button", name="New input").click()
    page.wait_for_selector(".st-key-ec-panel-test")
    fill(page, "Name", "watched")
    fill(page, "Proxy addresses", rocketmq.endpoint)
    fill(page, "Consumer group", "watched")
    fill(page, "Name server addresses (recommended)", rocketmq.nameserver)
    fill(page, "Topic", "watched")
    page.get_by_role("button", name="Test connection").click()
    page.wait_for_selector("text=All is well")
    settle(page)
    page.locator(".st-key-input-position").click()
    page.get_by_role("option", name="at the oldest message").click()
    settle(page)
    page.get_by_role("button", name="Create", exact=True).click()
    page.wait_for_selector("text=It receives, and is up to date.", timeout=60_000)
    figures = page.locator(".ec-figure")
    assert figures.nth(0).inner_text().split() == ["Waiting", "0"]
    assert figures.nth(3).inner_text().split() == ["Received", f"{MANY:,}"]
    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector("text=It is paused; its messages wait at the broker.")
    context.close()
