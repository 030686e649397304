"""One event full of everything that could hurt, looked at on every page."""

import json

import pytest
from playwright.sync_api import Browser, Dialog

from tests.browser.conftest import House, go, settle, visit
from tests.support.fake_api import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(240)]
ATTACK = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
JUDGE = """() => ({
  hacked: window.hacked === 1,
  images: document.querySelectorAll('img[src=x]').length,
  scripts: [...document.scripts].filter(s => s.textContent.includes('hacked')).length,
  links: [...document.querySelectorAll('a')].filter(
    a => !a.href.baseVal && !a.href.startsWith(location.origin)).map(a => String(a.href)),
  marks: document.body.innerText.includes('\\u202e'),
})"""


def test_a_hostile_event_is_shown_harmlessly_everywhere(chromium: Browser, house: House) -> None:
    token, admin = house.product.token("writer"), house.product.token("admin")
    evil = {
        "specversion": "1.0",
        "id": ATTACK[:64] + HOSTILE[:60],
        "source": "/" + HOSTILE[-100:],
        "type": ("<b>t</b><a href='javascript:1'>x</a>" + "\u202e:red[x]")[:64],
        "subject": ATTACK + HOSTILE,
        "datacontenttype": "application/json",
        "data": {ATTACK: HOSTILE, "link": "[x](javascript:alert(1))", "many": "😀" * 40_000},
    }
    line = json.dumps(evil, ensure_ascii=False).encode()
    status, answer = house.product.post("default", line, token, "application/x-ndjson", "?wait=archived")
    assert (status, answer["stored"]) == (200, 1), answer
    house.product.post("default", b'{"id":"' + ATTACK.encode() + b'\xe2\x80\xae"}', token, "application/json")
    seq = house.product.api("GET", "/v1/events?limit=1", admin)[1]["events"][0]["seq"]
    context, page = visit(chromium, house, "en-US")
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    paths = (
        "/",
        "/events",
        f"/events?event={seq}",
        "/inputs",
        "/inputs?input=new",
        "/rules",
        "/deliveries",
        "/rejects",
        "/rejects?reject=1",
        *(f"/settings?section={name}" for name in ("buses", "tokens", "targets", "members", "audit")),
    )
    for path in paths:
        go(page, house, path)
        assert page.evaluate(JUDGE) == HARMLESS, path
    go(page, house, f"/events?event={seq}")
    assert "⟨U+202E⟩" in page.inner_text("body")
    page.get_by_role("button", name="Make a rule from this").click()
    page.wait_for_selector(".ec-ding-bubble")
    settle(page)
    assert page.evaluate(JUDGE) == HARMLESS
    assert not dialogs
    context.close()


HARMLESS = {"hacked": False, "images": 0, "scripts": 0, "links": [], "marks": False}
