"""Two tenants of one product that look alike, and hold a word each that the other must not see."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from eventcenter.testing.robot import Robot, RobotConfig, run_robot
from tests.acceptance.asking import ask, delivered, done, event, make_target, post, rule_body
from tests.support.product import Product, wait_until

ROLES = ("writer", "viewer", "editor", "admin")


@dataclass(kw_only=True)
class Side:
    """A tenant: its credentials and its things by name."""

    name: str
    marker: str
    """Stands in all that the tenant wrote."""
    robot: str
    secret: str
    bus: str
    """A bus that only this tenant has."""
    user: str
    events: int
    """How many plain events it has on bus `default`."""
    alarms: int
    """How many events its rule fired on."""
    rejected: int
    tokens: dict[str, str] = field(default_factory=dict)
    session: str = ""
    """Of its admin `user`."""
    things: dict[str, str] = field(default_factory=dict)
    """Ids, sequence numbers and cursors, by the names that the tables use."""

    @property
    def admin(self) -> str:
        return self.tokens["admin"]

    def secrets(self) -> list[str]:
        """What no answer to the other side may hold, unless the question held it."""
        ids = ("rule", "target", "delivery", "token", "user", "tenant", "deletion")
        return [self.marker, self.bus, self.user, *(self.things[name] for name in ids)]


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The product with both tenants in it; `a` has more of everything."""

    product: Product
    robot: Robot
    operator: str
    a: Side
    b: Side


@contextmanager
def two_sides(folder: Path) -> Iterator[Sides]:
    """Ingest service, server and dashboard with both tenants full of the same things."""
    a = Side(
        name="alpha",
        marker="only-a-7f3c",
        robot="aaaa" * 16,
        secret="SEC" + "a" * 61,
        bus="alpha-alone",
        user="ana-of-alpha",
        events=9,
        alarms=5,
        rejected=4,
    )
    b = Side(
        name="beta",
        marker="only-b-91de",
        robot="bbbb" * 16,
        secret="SEC" + "b" * 61,
        bus="beta-alone",
        user="ben-of-beta",
        events=4,
        alarms=2,
        rejected=2,
    )
    known = {side.robot: RobotConfig(secret=side.secret) for side in (a, b)}
    with (
        run_robot(Robot(known, per_minute=None)) as robot,
        # At this level the logs say the most, and must still say no secret.
        Product(folder, dingtalk_base_url=robot.url, log_level="debug") as product,
    ):
        operator = product.token("operator")
        product.start("ingest", "server", "dashboard")
        for side in (a, b):
            _furnish(product, operator, side)
        yield Sides(product=product, robot=robot, operator=operator, a=a, b=b)


def new_tenant(product: Product, operator: str, name: str, title: str, admin: str) -> tuple[str, str]:
    """Make a tenant as an operator does, and sign its admin in: the tenant's id, the admin's session."""
    body = {"name": name, "title": title, "admin": admin}
    made = done(product, "POST", "/v1/tenants", operator, body)
    code = {"code": made["link"]["code"]}
    return made["id"], done(product, "POST", "/v1/sessions/link", None, code)["session"]


def _furnish(product: Product, operator: str, side: Side) -> None:
    title = f"Title {side.marker}"
    side.things["tenant"], side.session = new_tenant(product, operator, side.name, title, side.user)
    for role in ROLES:
        body = {"name": f"{role} {side.marker}", "role": role}
        created = done(product, "POST", "/v1/tokens", side.session, body)
        side.tokens[role], side.things["token"] = created["token"], created["id"]
    admin = side.admin
    bus = {"name": side.bus, "description": f"of {side.marker}"}
    done(product, "POST", "/v1/buses", admin, bus)
    member = {"name": f"member-{side.marker}", "role": "viewer"}
    side.things["member"] = done(product, "POST", "/v1/users", admin, member)["id"]
    side.things["user"] = done(product, "GET", "/v1/me", side.session)["user"]["id"]
    side.things["target"] = make_target(product, admin, side.robot, side.secret, name=f"robot {side.marker}")
    # Paused, so that it stays as it is. A group belongs to one input of all tenants.
    feed = {
        "name": f"input {side.marker}",
        "addresses": "127.0.0.1:9",
        "group": "taken" if side.marker.startswith("only-a") else f"group-{side.marker}",
        "topics": [{"topic": f"topic-{side.marker}", "bus": side.bus}],
        "enabled": False,
    }
    side.things["input"] = done(product, "POST", "/v1/inputs", admin, feed)["id"]
    template = {"title": "alarm", "text": "${id} ${data.text}: " + side.marker}
    rule = rule_body(side.things["target"], name=f"alarms {side.marker}", template=template)
    side.things["rule"] = done(product, "POST", "/v1/rules", admin, rule)["id"]
    _send(product, side)
    _look_up(product, side)


def _send(product: Product, side: Side) -> None:
    writer = side.tokens["writer"]
    plain = [
        event(f"event-{n}", data={"text": side.marker, "n": n}, owner=side.marker)
        for n in range(1, side.events + 1)
    ]
    alarms = [
        event(f"alarm-{n}", "com.example.alarm", data={"text": side.marker}) for n in range(side.alarms)
    ]
    # The same ids, sources and types on both sides: nothing of one is a duplicate of the other's.
    answer = post(product, "default", writer, *plain, *alarms)
    assert answer["stored"] == len(plain) + len(alarms), answer
    again = post(product, "default", writer, plain[0])
    assert (again["stored"], again["duplicates"]) == (0, 1)
    apart = event("apart", f"com.example.{side.marker}", subject=side.marker)
    assert post(product, side.bus, writer, apart)["stored"] == 1
    for number in range(side.rejected):
        refused = json.dumps({"id": f"refused-{number}", "note": side.marker}).encode()
        path = "/v1/buses/default/events"
        kind = "application/cloudevents+json"
        assert ask(product, "POST", path, writer, refused, ingest=True, content_type=kind).status == 400
    reused = event("event-1", data={"text": f"changed {side.marker}"})
    post(product, "default", writer, reused)
    wait_until(
        lambda: done(product, "GET", "/v1/status", side.admin)["rejects"] == side.rejected + 1,
        20,
        "the rejects did not come",
    )


def _look_up(product: Product, side: Side) -> None:
    """Names for the newest of each kind, and a cursor of each listing."""
    for number in range(2):
        deletion = {"subject": f"nobody-{number}", "reason": f"asked by {side.marker}"}
        side.things["deletion"] = done(product, "POST", "/v1/deletions", side.admin, deletion)["id"]
    found = delivered(product, side.admin, side.alarms)
    side.things["delivery"] = found[0]["id"]
    listings = {
        "events": "/v1/events?limit=1",
        "oldest": "/v1/events?limit=1&order=oldest",
        "rejects": "/v1/rejects?limit=1",
        "deliveries": "/v1/deliveries?limit=1",
        "deletions": "/v1/deletions?limit=1",
        "audit": "/v1/audit?limit=1",
    }
    pages = {name: done(product, "GET", path, side.admin) for name, path in listings.items()}
    side.things |= {f"{name}_cursor": page["next"] for name, page in pages.items()}
    side.things["seq"] = str(pages["events"]["events"][0]["seq"])
    side.things["reject"] = str(pages["rejects"]["rejects"][0]["id"])
