"""What an event's data is: JSON, text or bytes."""

import re
from functools import lru_cache

from eventcenter.event import DataKind

_TEXT_LIKE = re.compile(r"text/.+|application/(xml|yaml|x-yaml|x-www-form-urlencoded)|[^/]+/.+\+(xml|yaml)")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]*)", re.IGNORECASE)
_UTF8_NAMES = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


@lru_cache(maxsize=1024)
def is_json_type(media_type: str) -> bool:
    """Whether data of this type is JSON: subtype `json` or ending in `+json`."""
    subtype = essence(media_type).partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


@lru_cache(maxsize=1024)
def is_text_type(media_type: str) -> bool:
    """Whether data of this type is kept as text where it is UTF-8 (text/*, XML, YAML, forms)."""
    return _TEXT_LIKE.fullmatch(essence(media_type)) is not None and is_utf8(media_type)


def is_utf8(media_type: str) -> bool:
    """Whether the `charset` parameter is absent or names UTF-8 (or its subset ASCII)."""
    charset = _CHARSET.search(media_type)
    return charset is None or charset[1].lower() in _UTF8_NAMES


def essence(media_type: str) -> str:
    """Type and subtype in lower case, without parameters."""
    return media_type.partition(";")[0].strip().lower()


def kind_of_json_member(raw: bytes, datacontenttype: str) -> DataKind:
    """The kind of a structured event's `data` member (JSON format 1.0, section 3.1).

    A string under a type that is not JSON is that text itself; everything else is a JSON value.
    `datacontenttype` is "" where it was not sent, which stands for application/json.
    """
    if raw.startswith(b'"') and datacontenttype and not is_json_type(datacontenttype):
        return "text"
    return "json"
