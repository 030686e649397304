"""Which events are too old or too many, by the policies of a tenant and its buses.

Bytes of a bus are the segments' bytes in the share that its events have in each. An event that is not settled
yet counts as the archive's average settled one, and where nothing is settled, as a quarter of its text.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from eventcenter.archive import relation
from eventcenter.archive.archive import Reader
from eventcenter.archive.manifest import Fresh, Layout, Segment
from eventcenter.archive.relation import quoted
from eventcenter.archive.removal import Removal
from eventcenter.clock import from_micros, to_micros

LEAST_SLACK: Final = timedelta(hours=1)
SLACK: Final = 1 / 20
"""Of the age: a segment is written anew no more often than that, or than every `LEAST_SLACK`."""
FULL: Final = 0.95
"""Where a limit of bytes is passed, the oldest events go until this share of it is left."""
_OF_TEXT: Final = 4
_TEXT: Final = " + ".join(
    f"coalesce(strlen({name}), 0)"
    for name in ("id", "source", "type", "subject", "time_text", "dataschema", "extensions", "data")
)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How long and how much is kept; None: without end."""

    max_age: timedelta | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Policies:
    """A tenant's. A bus with a policy of its own is left out of the tenant's, in ages and in bytes."""

    tenant: Policy = Policy()
    buses: Mapping[str, Policy] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    """Buses of which nothing goes."""
    all_held: bool = False
    """Nothing goes at all."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a bus takes."""

    events: int
    bytes: int
    oldest: datetime
    """received_at of the oldest event."""


@dataclass(frozen=True, kw_only=True)
class _Share:
    """A bus's part of a segment or fresh table."""

    events: int
    bytes: float
    oldest: datetime


Shares = Mapping[str, _Share]
Known = dict[object, dict[str, tuple[int, datetime]]]
"""Events and oldest received_at by bus of segments, which never change, by segment."""


def usage(reader: Reader, known: Known | None = None) -> dict[str, Usage]:
    """What each bus takes, of those that hold events. `known` is kept from call to call by the caller."""
    found: dict[str, list[_Share]] = {}
    for _, shares in _shares(reader, {} if known is None else known):
        for bus, share in shares.items():
            found.setdefault(bus, []).append(share)
    return {
        bus: Usage(
            events=sum(one.events for one in shares),
            bytes=round(sum(one.bytes for one in shares)),
            oldest=min(one.oldest for one in shares),
        )
        for bus, shares in found.items()
    }


def expired(reader: Reader, policies: Policies, now: datetime, known: Known | None = None) -> Removal | None:
    """What has to go; None where nothing ever has to."""
    of_bus = dict(policies.buses)
    if policies.all_held or not any(_limits(policy) for policy in (policies.tenant, *of_bus.values())):
        return None
    cuts = _cuts(reader, policies, {} if known is None else known)
    named = of_bus.keys() | policies.held | cuts.keys()
    rules = {
        bus: _Rule(policy=of_bus.get(bus, policies.tenant), cut=cuts.get(bus), now=now)
        for bus in named - policies.held
    }
    others = _Rule(policy=policies.tenant, cut=None, now=now)
    held = dict.fromkeys(policies.held, "false")

    def each(say: Callable[[_Rule], str]) -> str:
        return _case({bus: say(rule) for bus, rule in rules.items()} | held, say(others))

    latest = max((rule.before for rule in (others, *rules.values()) if rule.before is not None), default=None)
    last_cut = max(cuts.values(), default=0)
    return Removal(
        events=each(lambda rule: rule.goes),
        due=each(lambda rule: rule.is_due),
        rejects=each(lambda rule: rule.too_old),
        origins=each(lambda rule: rule.too_old),
        may_hold=lambda one: (
            (latest is not None and one.first_received_at < latest) or one.first_seq < last_cut
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """A policy as conditions."""

    policy: Policy
    cut: int | None
    """Events with a smaller seq are too many."""
    now: datetime

    @property
    def before(self) -> datetime | None:
        """What was received earlier is too old."""
        return None if self.policy.max_age is None else self.now - self.policy.max_age

    @property
    def too_old(self) -> str:
        return "false" if self.before is None else _earlier(self.before)

    @property
    def goes(self) -> str:
        return f"({self.too_old} OR {self._too_many})"

    @property
    def is_due(self) -> str:
        if self.before is None or self.policy.max_age is None:
            return self._too_many
        late = _earlier(self.before - max(LEAST_SLACK, self.policy.max_age * SLACK))
        return f"({late} OR {self._too_many})"

    @property
    def _too_many(self) -> str:
        return "false" if self.cut is None else f"seq < {self.cut}"


def _limits(policy: Policy) -> bool:
    return policy.max_age is not None or policy.max_bytes is not None


def _earlier(moment: datetime) -> str:
    return f"received_at < make_timestamptz({to_micros(moment)})"


def _case(of_bus: Mapping[str, str], otherwise: str) -> str:
    if not of_bus:
        return otherwise
    whens = " ".join(f"WHEN {quoted(bus)} THEN {sql}" for bus, sql in sorted(of_bus.items()))
    return f"(CASE bus {whens} ELSE {otherwise} END)"


def _cuts(reader: Reader, policies: Policies, known: Known) -> dict[str, int]:
    """By bus, the seq before which its events are too many."""
    limited = [bus for bus, policy in policies.buses.items() if policy.max_bytes is not None]
    if not limited and policies.tenant.max_bytes is None:
        return {}
    shares = list(_shares(reader, known))
    cuts = {
        bus: cut
        for bus in limited
        if bus not in policies.held
        and (cut := _cut(reader, shares, {bus}, policies.held, policies.buses[bus].max_bytes)) is not None
    }
    if policies.tenant.max_bytes is not None:
        common = {bus for _, one in shares for bus in one} - policies.buses.keys()
        cut = _cut(reader, shares, common, policies.held, policies.tenant.max_bytes)
        if cut is not None:
            cuts |= dict.fromkeys(common - policies.held, cut)
    return cuts


def _cut(
    reader: Reader,
    shares: Iterable[tuple[Fresh | Segment, Shares]],
    buses: set[str],
    held: frozenset[str],
    most: int | None,
) -> int | None:
    """The seq before which the buses' events go; what is held counts, and stays."""
    shares = list(shares)
    total = sum(one[bus].bytes for _, one in shares for bus in one.keys() & buses)
    if most is None or total <= most:
        return None
    excess = total - most * FULL
    for part, one in shares:
        going = one.keys() & (buses - held)
        size = sum(one[bus].bytes for bus in going)
        if not going or size < excess:
            excess -= size
            continue
        events = sum(one[bus].events for bus in going)
        skipped = min(events - 1, round(events * excess / size))
        listed = ", ".join(map(quoted, sorted(going)))
        [found] = reader.rows(
            f"SELECT seq FROM ({_events(part)}) WHERE bus IN ({listed})"  # noqa: S608 our own text
            f" ORDER BY seq LIMIT 1 OFFSET {skipped}"
        )
        return int(found["seq"])
    # Even all of them would not do, because of what is held.
    return reader.last_seq + 1


def _shares(reader: Reader, known: Known) -> Iterable[tuple[Fresh | Segment, Shares]]:
    """Parts by age, each with what it holds of each bus."""
    settled = sum(one.events for one in reader.layout.segments)
    average = sum(one.bytes for one in reader.layout.segments) / settled if settled else None
    current: set[object] = set()
    for segment in reader.layout.segments:
        key = (segment.number, segment.first_seq, segment.last_seq, segment.events)
        if key not in known:
            rows = _by_bus(reader, segment, "0")
            known[key] = {row["bus"]: (row["events"], from_micros(row["oldest"])) for row in rows}
        share = segment.bytes / segment.events
        current.add(key)
        yield (
            segment,
            {
                bus: _Share(events=events, bytes=events * share, oldest=oldest)
                for bus, (events, oldest) in known[key].items()
            },
        )
    for gone in known.keys() - current:
        del known[gone]
    for fresh in reader.layout.fresh:
        text = "0" if average is not None else f"sum({_TEXT})::DOUBLE"
        rows = _by_bus(reader, fresh, text)
        yield (
            fresh,
            {
                row["bus"]: _Share(
                    events=row["events"],
                    bytes=row["text"] / _OF_TEXT if average is None else row["events"] * average,
                    oldest=from_micros(row["oldest"]),
                )
                for row in rows
            },
        )


def _by_bus(reader: Reader, part: Fresh | Segment, text: str) -> list[dict[str, Any]]:
    return reader.rows(
        f"SELECT bus, count(*) AS events, {text} AS text, epoch_us(min(received_at)) AS oldest"  # noqa: S608
        f" FROM ({_events(part)}) GROUP BY bus ORDER BY bus"
    )


def _events(part: Fresh | Segment) -> str:
    if isinstance(part, Fresh):
        return relation.events(Layout(fresh=(part,), segments=()))
    return relation.events(Layout(fresh=(), segments=(part,)))
