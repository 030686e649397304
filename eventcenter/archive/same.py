"""Whether two events with the same key are the same event."""

import json

CONTENT = (
    "type",
    "subject",
    "time_text",
    "datacontenttype",
    "dataschema",
    "extensions",
    "data_kind",
    "data",
)
Content = tuple[str | None, ...]
_PLAIN = len(CONTENT) - 3


def same_content(one: Content, other: Content) -> bool:
    """Equal in all attributes and in data, where JSON may differ in whitespace and order of members.

    Numbers are compared as they were written: 1.0 is not 1, because one of the two would be lost.
    """
    if one == other:
        return True
    if one[:_PLAIN] != other[:_PLAIN] or one[_PLAIN + 1] != other[_PLAIN + 1]:
        return False
    return _parsed(one[_PLAIN]) == _parsed(other[_PLAIN]) and _parsed(one[-1]) == _parsed(other[-1])


def _parsed(text: str | None) -> object:
    """JSON with each number as a pair, so that the text 1 and the string "1" stay apart."""
    if text is None:
        return None
    return json.loads(text, parse_int=_number, parse_float=_number)


def _number(text: str) -> tuple[str, str]:
    return ("number", text)
