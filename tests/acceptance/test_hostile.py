"""Events that try to act where they are shown: every byte comes back, and nothing of it comes alive."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from markdown_it import MarkdownIt

from eventcenter.testing.robot import Received
from tests.acceptance.asking import ONE, ask, done, event, make_target, rule_body
from tests.acceptance.browsing import Browser, Shown, browsers
from tests.acceptance.sides import Sides, new_tenant
from tests.support.product import Product, wait_until

pytestmark = pytest.mark.long

ROBOTS = {"default": "c" * 64, "second": "d" * 64}
"""By bus: one robot's minute has not room enough for all."""
SECRET = "SEC" + "c" * 61
IMAGE = "<img src=x onerror=window.__pwned=1>"
SCRIPT = "<script>window.__pwned=1;alert(1)</script>"
LINK = "[click](javascript:alert(1))"
SAYS = "evil-words"
"""Stands in every payload that would be a link, so that a link of an event is known by its text."""
SNIPPETS = {
    "image": f"{IMAGE}{SAYS}",
    "script": f"{SCRIPT}{SAYS}",
    "svg": f"<svg/onload=window.__pwned=1>{SAYS}</svg>",
    "anchor": f'<a href="javascript:window.__pwned=1">{SAYS}</a>',
    "quotes": f"\"'><img src=x onerror='window.__pwned=1'>{SAYS}",
    "template": "${data.secret} {{7*7}} {0} %s $limit $value",
    "link": f"[{SAYS}](javascript:alert(1)) ![{SAYS}](http://evil.invalid/x)",
    "reference": f"[{SAYS}]: http://evil.invalid/x",
    "auto": f"<http://evil.invalid/{SAYS}> http://evil.invalid/{SAYS} www.evil.invalid/{SAYS}",
    "entity": "&lt;b&gt; &#60;img src=x&#62; &quot;",
    "emphasis": f"**{SAYS}** __{SAYS}__ *{SAYS}* `{SAYS}` ~~{SAYS}~~",
    "heading": f"# {SAYS}",
    "underlined": f"{SAYS}\n===",
    "list": f"- {SAYS}\n1. {SAYS}\n> {SAYS}\n---\n```\n{SAYS}\n```",
    "address": "javascript:window.__pwned=1",
    "bidi": f"\u202e{SAYS}\u2066 \u200b\u200f\ufeff \u2069",
    "escapes": f"\x1b[31m{SAYS}\x1b[0m\x1b]8;;http://evil.invalid\x07{SAYS}\x07\x00\x08",
    "formula": "=cmd|'/C calc'!A0",
    "latex": f"$latex$ $$\\frac{{1}}{{2}}$$ {SAYS}",
    "streamlit": f":material/home: :red[{SAYS}] :rainbow[{SAYS}] :blue-badge[{SAYS}]",
    "mention": "@13800000000 @all",
    "backslashes": f"\\[{SAYS}](http://evil.invalid) \\\\**{SAYS}** \\",
}
HIDDEN = "\u202e\u2066\u2069\u200b\u200f\ufeff\x1b\x00\x08\x07"
EMOJI = "😀🏳️‍🌈👩‍👩‍👧" * 6_000
"""More than 200 kB of UTF-8."""
TITLE = "${type} ${subject}"
TEXT = (
    "${subject}\n\n- ${id}\n- **${source}** ${type}\n\n${data.text}\n${owner}\n\n"
    "${data.text | json} ${data.big}"
    "\n\n[search](http://127.0.0.1:9/?q=${subject | url})"
)
OURS = re.compile(r"\[[^\[\]\\]+\]\(http://127\.0\.0\.1:[0-9]+/[A-Za-z0-9?=&%._—-]*\)")
"""The links that template and product put into a message; a label of an event would hold a backslash."""


@dataclass(frozen=True)
class Sent:
    """An event as it went out: its JSON, and the text of its data within."""

    members: dict[str, Any]
    data: bytes
    bus: str = "default"

    @property
    def body(self) -> bytes:
        return json.dumps(self.members).encode()[:-1] + b',"data":' + self.data + b"}"


@dataclass(kw_only=True)
class Den:
    """A tenant full of hostile events, a rule that fires on each, and rejects."""

    product: Product
    session: str
    admin: str
    sent: dict[str, Sent]
    seqs: dict[str, int] = field(default_factory=dict)
    rule: str = ""
    messages: dict[str, Received] = field(default_factory=dict)
    """By delivery."""
    deliveries: list[Any] = field(default_factory=list)
    rejects: list[Any] = field(default_factory=list)


def hostile_events() -> dict[str, Sent]:
    """One event for each snippet in subject, extension and data; some with it in id, source and type."""
    made: dict[str, Sent] = {}
    for name, text in SNIPPETS.items():
        line = "".join(c for c in text if c >= " ")[:500]
        members = event(f"{name} {line}"[:128], line[:64], source=line[:128], subject=line, owner=line[:200])
        data = json.dumps({"text": text, line: {"secret": [text]}}, ensure_ascii=name != "bidi").encode()
        made[name] = Sent(members, data, "second" if len(made) % 2 else "default")
    data = json.dumps({"text": "big", "big": EMOJI}, ensure_ascii=False).encode()
    assert len(data) > 200_000
    made["emoji"] = Sent(event("emoji", "😀" * 64, source="😀" * 128, subject="😀" * 512), data)
    page = event("page", "com.example.page", datacontenttype="text/html")
    made["page"] = Sent(page, json.dumps(IMAGE + SCRIPT).encode())
    return made


@pytest.fixture(scope="module")
def den(sides: Sides) -> Iterator[Den]:
    product = sides.product
    sides.robot.control({"robots": {robot: {"secret": SECRET} for robot in ROBOTS.values()}})
    _, session = new_tenant(product, sides.operator, "gamma", f"{IMAGE} **{SAYS}**", "grace")
    token = {"name": f"{IMAGE}{LINK}", "role": "admin"}
    admin = done(product, "POST", "/v1/tokens", session, token)["token"]
    done(product, "POST", "/v1/buses", admin, {"name": "second", "description": f"{IMAGE} {LINK}"})
    den = Den(product=product, session=session, admin=admin, sent=hostile_events())
    for bus, robot in ROBOTS.items():
        target = make_target(product, admin, robot, SECRET, name=f"{bus} {IMAGE} {LINK}")
        changes = {"name": f"{bus} {IMAGE} {LINK} **{SAYS}**", "pattern": {}, "buses": [bus]}
        body = rule_body(target, **changes, template={"title": TITLE, "text": TEXT})
        den.rule = done(product, "POST", "/v1/rules", admin, body)["id"]
    for name, sent in den.sent.items():
        path = f"/v1/buses/{sent.bus}/events"
        answer = ask(product, "POST", path, admin, sent.body, ingest=True, content_type=ONE)
        assert answer.status == 200, (name, answer.text)
    path = "/v1/buses/default/events"
    for wrong in (
        f'{{"specversion":"1.0","id":"1","{IMAGE}":1}}'.encode(),
        f'{{"specversion":"1.0","id":"{LINK}","source":"{SCRIPT}"}}'.encode(),
        SCRIPT.encode() + SNIPPETS["bidi"].encode() + b"\xff\x00\x1b[31m",
        b'{"type":"' + EMOJI.encode() + b'"}',
    ):
        assert ask(product, "POST", path, admin, wrong, ingest=True, content_type=ONE).status == 400
    reused = den.sent["image"].body.replace(b'"text"', b'"other"')
    done(product, "POST", path + "?wait=archived", admin, reused, ingest=True, content_type=ONE)
    wait_until(lambda: _settled(den), 40, lambda: done(product, "GET", "/v1/status", admin))
    den.deliveries = done(product, "GET", "/v1/deliveries?limit=500", admin)["deliveries"]
    den.messages = {
        said.delivery or "": said for said in sides.robot.messages() if said.token in {"cccc…", "dddd…"}
    }
    den.rejects = done(product, "GET", "/v1/rejects?limit=500", admin)["rejects"]
    yield den


def _settled(den: Den) -> bool:
    page = done(den.product, "GET", "/v1/events?limit=500", den.admin)["events"]
    seqs = {held["event"]["id"]: held["seq"] for held in page}
    den.seqs = {name: seqs.get(sent.members["id"], 0) for name, sent in den.sent.items()}
    rejects = done(den.product, "GET", "/v1/rejects?limit=500", den.admin)["rejects"]
    sent = done(den.product, "GET", "/v1/deliveries?limit=500&state=delivered", den.admin)["deliveries"]
    return all(den.seqs.values()) and len(rejects) == 5 and len(sent) == len(den.sent)


def test_every_byte_comes_back(den: Den) -> None:
    for name, sent in den.sent.items():
        one = ask(den.product, "GET", f"/v1/events/{den.seqs[name]}", den.admin)
        assert one.status == 200
        if name == "page":
            assert one.json()["event"]["data"] == json.loads(sent.data)
        else:
            assert b'"data":' + sent.data in one.content, name
        members = {key: held for key, held in one.json()["event"].items() if key != "data"}
        assert members == sent.members
        found = ask(den.product, "GET", "/v1/events?" + urlencode({"id": sent.members["id"]}), den.admin)
        assert one.content in found.content


def test_filters_find_hostile_values_as_values(den: Den) -> None:
    for name, sent in den.sent.items():
        for attribute in map(str, ("type", "source", "subject")):
            if attribute not in sent.members:
                continue
            value: str = sent.members[attribute]
            query = urlencode({attribute: value})
            found = done(den.product, "GET", f"/v1/events?{query}", den.admin)["events"]
            assert den.seqs[name] in [each["seq"] for each in found], (name, attribute)
            pattern = quote(json.dumps({attribute: [{"prefix": value}]}))
            found = done(den.product, "GET", f"/v1/events?pattern={pattern}", den.admin)["events"]
            assert den.seqs[name] in [each["seq"] for each in found], (name, attribute)
    top = done(den.product, "GET", "/v1/events/top?by=subject&limit=500", den.admin)["items"]
    assert {sent.members["subject"] for sent in den.sent.values() if "subject" in sent.members} <= {
        item["value"] for item in top
    }


def test_rejects_hold_what_was_sent(den: Den) -> None:
    kept = [done(den.product, "GET", f"/v1/rejects/{each['id']}", den.admin) for each in den.rejects]
    raw = [base64.b64decode(each["base64"]) for each in kept]
    assert any(SCRIPT.encode() in held and held.endswith(b"\xff\x00\x1b[31m") for held in raw)
    assert any(EMOJI.encode()[:1000] in held for held in raw)
    for each in kept:
        assert not set(HIDDEN) & set(each["text"] + each["error"]), each
        assert len(each["text"].encode()) <= 20_000


def test_messages_are_small_signed_and_plain(den: Den) -> None:
    assert len(den.messages) == len(den.sent)
    for said in den.messages.values():
        assert said.signature == "right"
        assert said.bytes <= 20_000
        assert said.msgtype == "markdown"
        assert not set(HIDDEN) & set(said.text + said.title), said.text
        assert "\n" not in said.title
        assert "://" not in said.title


def test_no_markdown_of_an_event_is_active(den: Den) -> None:
    """By rule: what is not escaped is the template's or the product's. By another reader: nothing renders."""
    reader = MarkdownIt("commonmark", {"html": True}).enable("strikethrough")
    for said in den.messages.values():
        rest = OURS.sub("", said.text)
        naked = re.sub(r"\\[!-/:-@\[-`{-~]", "", rest)
        naked = re.sub(r"(?m)^### |^- (?=\S)|\*\*(?=\S)|(?<=\S)\*\*", "", naked)
        assert not re.findall(r"[\[\]()<>`~|@!#_]", naked), naked
        assert not re.search(r"(?i)://|javascript:\S|\bwww\.\S", rest), rest
        rendered = reader.render(said.text)
        assert not re.search(r"(?i)<(?:img|script|svg|s|h1|h2|pre|code|blockquote|ol|hr|em)\b", rendered), (
            rendered
        )
        for address, label in re.findall(r'<a href="([^"]*)"[^>]*>(.*?)</a>', rendered):
            assert address.startswith("http://127.0.0.1:"), rendered
            assert SAYS not in label, rendered


def test_the_robot_gets_markdown_and_nothing_else(den: Den) -> None:
    """No `at` with a phone number that an event named."""
    for each in den.deliveries:
        for attempt in done(den.product, "GET", f"/v1/deliveries/{each['id']}", den.admin)["attempts"]:
            assert set(attempt["request"]["body"]) == {"msgtype", "markdown"}
            assert not [robot for robot in ROBOTS.values() if robot in json.dumps(attempt)]
            assert SECRET not in json.dumps(attempt)


def harmless(browser: Browser, shown: Shown) -> None:
    """Nothing of an event acts on this page."""
    dom, watched = shown.dom, browser.watched
    assert not watched.dialogs, (shown.path, watched.dialogs)
    assert not watched.errors, (shown.path, watched.errors)
    assert not watched.foreign, (shown.path, watched.foreign)
    assert dom["pwned"] == "undefined", shown.path
    assert not dom["handlers"], (shown.path, dom["handlers"])
    assert not [image for image in dom["images"] if 'src="x"' in image or "evil" in image], dom["images"]
    assert not [script for script in dom["scripts"] if "pwned" in script], dom["scripts"]
    for address, label in dom["links"]:
        assert not re.match(r"(?i)\s*(javascript|data|vbscript):", address), (shown.path, address)
        assert SAYS not in label + address, (shown.path, address, label)
        assert "evil" not in address, (shown.path, address)
    for tag, text in dom["strong"]:
        assert not (tag not in {"b", "code", "pre"} and text.strip() == SAYS), (shown.path, tag, text)
    assert "home" not in dom["icons"], shown.path
    assert not dom["formulas"], shown.path
    assert not dom["crashed"], shown.text
    assert not set(HIDDEN) & set(shown.text), (shown.path, sorted(set(HIDDEN) & set(shown.text)))


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_no_page_of_the_dashboard_comes_alive(den: Den, tmp_path: Path) -> None:
    delivery = next(
        each["id"] for each in den.deliveries if (each["event"] or {}).get("seq") == den.seqs["mention"]
    )
    reject = {each["text"][:8]: each["id"] for each in den.rejects}
    pages = [
        ("overview", "/"),
        *((f"event-{name}", f"/events?event={den.seqs[name]}") for name in ("bidi", "emoji", "page")),
        (
            "filters",
            "/events?" + urlencode(dict.fromkeys(("type", "source", "subject"), SNIPPETS["anchor"])),
        ),
        ("rules", "/rules"),
        ("rule", f"/rules?rule={den.rule}"),
        ("rule-gone", "/rules?" + urlencode({"rule": IMAGE, "tenant": SNIPPETS["quotes"]})),
        ("delivery", f"/deliveries?delivery={delivery}"),
        ("reject", f"/rejects?reject={reject['<script>']}"),
        *(
            (f"settings-{name}", f"/settings?section={name}")
            for name in ("buses", "tokens", "targets", "audit")
        ),
    ]
    shown: dict[str, Shown] = {}
    with browsers(den.product, tmp_path, den.session) as (browser,):
        for name, path in pages:
            shown[name] = browser.open(path, picture=name)
            harmless(browser, shown[name])
            if name == "delivery":
                # The very characters, as DingTalk shows them, and not their escapes.
                said = browser.page.locator(".ec-ding-bubble").inner_text()
                assert "@13800000000" in said
                assert "\\@" not in said
        assert "&quot;'" not in shown["overview"].text
        assert SAYS in browser.open(f"/events?event={den.seqs['anchor']}").text
        browser.page.locator(".st-key-make_rule button").click()
        browser.page.wait_for_selector(".st-key-ec-panel-preview .ec-ding")
        form = browser.rested("make a rule", picture="make-a-rule")
        harmless(browser, form)
        assert SAYS in form.text
        assert "&lt;a" not in form.text
        assert browser.sent(SAYS)
