"""The tables of docs/alerts.md as the code says them; run this module to write them into the page."""

from pathlib import Path

from alerts.filters import FILTERS
from alerts.targets import topic_codes as topic_rows
from alerts.targets.dingtalk import BAD_ANSWER, CODES, NO_ANSWER, UNKNOWN, UNKNOWN_FAST
from alerts.targets.kind import Code, Outcome

PAGE = Path(__file__).parents[2] / "docs" / "alerts.md"

_FOLLOWS = {
    Outcome.OK: "delivered",
    Outcome.RETRY: "tried again: 10 s, 30 s, 1, 2, 5, then every 10 min",
    Outcome.RATE_LIMITED: "the robot rests 60 s, doubling to 10 min; what waits becomes a digest",
    Outcome.QUOTA: "the robot rests until midnight in China",
    Outcome.BROKEN: "messages wait; tried every 10 min, and at once after the target was changed",
    Outcome.REJECTED: "this message is given up",
    Outcome.TOO_LONG: "shrunk and sent once more",
    Outcome.BUG: "this message is given up",
}


def filters() -> str:
    """A row for each filter."""
    rows = ["| filter | the value comes out |", "|---|---|"]
    for name, held in FILTERS.items():
        example = {(): name, (int,): f"{name}(2)", (str,): f"{name}('none')"}[held.arguments]
        rows.append(f"| `{example}` | {held.help} |")
    return "\n".join(rows)


def codes() -> str:
    """A row for each answer."""
    rows = ["| errcode | what it means | what follows | what to do |", "|---|---|---|---|"]
    rows += [_row(code) for code in (*CODES, UNKNOWN_FAST, UNKNOWN, NO_ANSWER, BAD_ANSWER)]
    return "\n".join(rows)


def _row(code: Code) -> str:
    name = "other" if code.errcode is None else str(code.errcode)
    if code in (NO_ANSWER, BAD_ANSWER):
        name = "none"
    if code is UNKNOWN_FAST:
        name = "other, about speed"
    if code.name == "too_fast":
        name = f"{name}, or an answer with `punish`"
    said = f" (`errmsg` with `{code.words[0].strip()}`)" if code.words else ""
    return f"| {name}{said} | {code.meaning['en']} | {_FOLLOWS[code.outcome]} | {code.remedy['en']} |"


def topic_codes() -> str:
    """A row for each answer of RocketMQ, and for each reason why none came."""
    rows = ["| code | what it means | what follows | what to do |", "|---|---|---|---|"]
    for code in topic_rows.ALL_CODES.values():
        name = "none" if code.errcode is None else str(code.errcode)
        if code is topic_rows.UNKNOWN:
            name = "other"
        meaning, remedy = (
            words["en"].replace("{topic}", "TOPIC").replace("{address}", "ADDRESS")
            for words in (code.meaning, code.remedy)
        )
        rows.append(f"| {name} | {meaning} | {_FOLLOWS[code.outcome]} | {remedy} |")
    return "\n".join(rows)


TABLES = {"filters": filters, "codes": codes, "topic codes": topic_codes}


def page(text: str) -> str:
    """The page with its tables as the code says them."""
    for name, table in TABLES.items():
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        text = f"{before}<!-- {name} -->\n{table()}\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
