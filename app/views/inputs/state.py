"""How an input is: a word, a sentence, figures, tables."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from app.components import notice, tables, times
from app.components.markup import Markup, build, join
from app.components.words import words
from app.i18n import t
from app.i18n.errors import said
from eventcenter.client import Fetch, Input, InputStatus, TopicState

HEALTH = {
    "receiving": "ok",
    "behind": "throttled",
    "gaps": "throttled",
    "waiting": "throttled",
    "broken": "broken",
    "absent": "broken",
}
"""Colours of states; others are grey."""
_STATES = frozenset({"paused", "absent", "starting", "receiving", "behind", "gaps", "waiting", "broken"})
_FETCHES = {"waiting": "gray", "running": "blue", "done": "green", "failed": "red"}


def word(state: str) -> str:
    """The state in a word."""
    return t(f"inputs.state.{state}") if state in _STATES else state


def figures(status: InputStatus, zone: ZoneInfo, *, brief: bool) -> Markup:
    """The numbers that a person looks at first."""
    lag = status.lag_messages
    shown = [
        (t("inputs.lag"), "–" if lag is None else times.number(lag), "throttled" if lag else ""),
        (t("inputs.lag_s"), times.seconds(status.lag_s), ""),
        (t("inputs.rate"), "–" if status.rate_s is None else f"{status.rate_s:,.0f}/s", ""),
        (t("inputs.received"), times.number(status.received), ""),
    ]
    if brief:
        shown.append((t("inputs.last"), times.short(status.last_received_at, zone), ""))
    else:
        shown += [
            (t("inputs.stored"), times.number(status.stored), ""),
            (t("inputs.duplicates"), times.number(status.duplicates), ""),
            (t("inputs.rejected"), times.number(status.rejected), "throttled" if status.rejected else ""),
            (t("inputs.missing"), times.number(status.missing), "broken" if status.missing else ""),
        ]
    cells = [
        build(
            '<div class="ec-figure ec-is-$health"><span>$label</span><b>$value</b></div>',
            label=label,
            value=value,
            health=health,
        )
        for label, value, health in shown
    ]
    return build(
        '<div class="ec-figures $size">$cells</div>', cells=join(cells), size="ec-brief" if brief else ""
    )


def health(status: InputStatus) -> None:
    """The sentence on how it is, what is wrong, and what to do."""
    kind = {"ok": "good", "throttled": "warn", "broken": "bad"}.get(HEALTH.get(status.state, ""), "info")
    notice.note(kind, words(status.text), words(status.remedy) or None)
    for each in status.problems:
        notice.problem(each)
    if status.reach_problem is not None:
        notice.caption(t("inputs.reach_problem"))
        notice.problem(status.reach_problem)


def topics(found: Input, zone: ZoneInfo) -> None:
    """Each topic, its bus, and since when it is complete."""
    tables.draw(
        [
            {
                "topic": each.topic,
                "bus": each.bus or t("inputs.no_longer"),
                "received": each.received,
                "lag": None if each.lag_messages is None else each.lag_messages,
                "missing": each.missing,
                "complete": _complete(each, zone),
            }
            for each in found.topic_states
        ],
        {
            "topic": t("column.topic"),
            "bus": t("column.bus"),
            "received": t("inputs.received"),
            "lag": t("inputs.lag"),
            "missing": t("inputs.missing"),
            "complete": t("inputs.complete"),
        },
        key="inputs.topics",
        widths={"topic": 220, "bus": 140, "received": 110, "lag": 110, "missing": 110, "complete": 520},
    )


def _complete(each: TopicState, zone: ZoneInfo) -> str:
    complete = each.complete
    if complete.why is None and complete.since is not None:
        since, until = times.moment(complete.since, zone), times.moment(complete.until, zone)
        return t("inputs.complete_from", since=since, until=until)
    return t("inputs.not_claimed", why=words(complete.text))


def gaps(found: Input) -> None:
    """Offsets that were not received."""
    if not found.gaps:
        notice.caption(t("inputs.no_gaps"))
        return
    tables.draw(
        [
            {
                "topic": each.topic,
                "broker": each.broker,
                "queue": each.queue_id,
                "first": each.first,
                "last": each.last,
                "count": each.count,
                "kind": words(each.text) + (f" · {t('inputs.fetching')}" if each.fetching else ""),
            }
            for each in found.gaps
        ],
        {
            "topic": t("column.topic"),
            "broker": t("column.broker"),
            "queue": t("column.queue"),
            "first": t("inputs.first"),
            "last": t("inputs.last_offset"),
            "count": t("inputs.missing"),
            "kind": t("column.reason"),
        },
        key="inputs.gaps",
        widths={
            "topic": 200,
            "broker": 140,
            "queue": 80,
            "first": 110,
            "last": 110,
            "count": 100,
            "kind": 320,
        },
        height=400,
    )
    if found.gaps_more:
        notice.caption(t("inputs.gaps_more", n=times.number(found.gaps_more)))


def queues(found: Input, zone: ZoneInfo) -> None:
    """What was received of each queue, and what its broker has."""
    tables.draw(
        [
            {
                "topic": each.topic,
                "broker": each.broker,
                "queue": each.queue_id,
                "received": each.received,
                "last": each.last_offset,
                "stored": times.moment(each.last_stored_at, zone),
                "oldest": each.oldest,
                "newest": None if each.newest is None else each.newest - 1,
                "lag": each.lag_messages,
            }
            for each in found.queues
        ],
        {
            "topic": t("column.topic"),
            "broker": t("column.broker"),
            "queue": t("column.queue"),
            "received": t("inputs.received"),
            "last": t("inputs.last_received_offset"),
            "stored": t("inputs.last_stored"),
            "oldest": t("inputs.oldest"),
            "newest": t("inputs.newest"),
            "lag": t("inputs.lag"),
        },
        key="inputs.queues",
        widths={
            "topic": 200,
            "broker": 140,
            "queue": 80,
            "received": 110,
            "last": 150,
            "stored": 160,
            "oldest": 140,
            "newest": 140,
            "lag": 110,
        },
        height=400,
    )


def fetches(found: Sequence[Fetch], zone: ZoneInfo) -> None:
    """What was fetched again, newest first."""
    if not found:
        notice.caption(t("inputs.no_fetches"))
        return
    tables.draw(
        [
            {
                "created": times.moment(each.created_at, zone),
                "what": _what(each, zone),
                "state": t(f"fetch.{each.state}") if each.state in _FETCHES else each.state,
                "progress": f"{times.number(each.done)} / {times.number(each.total)}",
                "found": each.found,
                "error": "" if each.problem is None else said(each.problem.detail),
            }
            for each in found
        ],
        {
            "created": t("column.created_at"),
            "what": t("fetch.what"),
            "state": t("column.state"),
            "progress": t("fetch.progress"),
            "found": t("fetch.found"),
            "error": t("column.error"),
        },
        key="inputs.fetches",
        widths={"created": 160, "what": 340, "state": 100, "progress": 160, "found": 110, "error": 320},
        pills={"state": {t(f"fetch.{name}"): colour for name, colour in _FETCHES.items()}},
        height=300,
    )


def _what(each: Fetch, zone: ZoneInfo) -> str:
    if each.reason == "gap":
        return t("fetch.gap")
    return f"{times.moment(each.from_, zone)} – {times.moment(each.to, zone)}"
