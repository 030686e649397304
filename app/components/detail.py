"""One event in full: its attributes, its data to the letter, and lines to copy."""

import streamlit as st

from app.components import notice, shell, times
from app.components.jsontext import compact, pretty
from app.components.markup import Markup, build, join, show
from app.components.visible import BLOCK, visible_json
from app.i18n import t
from app.session import Viewer
from eventcenter.client import Envelope, Origin

_FIRST = ("type", "source", "subject", "id", "time", "datacontenttype", "dataschema", "specversion")
_MOST_LINE = 20_000


def attributes(one: Envelope, viewer: Viewer) -> None:
    """The table of attributes, extensions after the known ones."""
    members = one.members()
    rows = [
        ("seq", str(one.seq)),
        ("bus", one.bus),
        ("received_at", times.precise(one.received_at, viewer.zone)),
        *((name, one.attribute(name)) for name in _FIRST if name in members),
        *((n, one.attribute(n)) for n in members if n not in {*_FIRST, "data", "data_base64"}),
    ]
    show(key_values([(name, value) for name, value in rows if value is not None]))


def origin(one: Origin, viewer: Viewer) -> None:
    """The message that an event came by."""
    place = None if one.queue_offset is None else f"{one.queue_id} / {one.queue_offset}"
    again = one.delivery_attempt is not None and one.delivery_attempt > 1
    rows = [
        (t("origin.topic"), one.topic),
        (t("origin.place"), place or t("origin.no_place")),
        (t("origin.broker"), one.broker),
        (t("origin.message_id"), one.message_id),
        (t("origin.keys"), one.keys),
        (t("origin.tag"), one.tag),
        (t("origin.born_at"), times.precise(one.born_at, viewer.zone) if one.born_at else None),
        (t("origin.stored_at"), times.precise(one.stored_at, viewer.zone) if one.stored_at else None),
        (t("origin.attempt"), str(one.delivery_attempt) if again else None),
    ]
    show(key_values([(name, value) for name, value in rows if value is not None]))


def key_values(rows: list[tuple[str, str]]) -> Markup:
    """Names and values in two columns."""
    items = [
        build("<dt>$name</dt><dd>$value</dd>", name=name, value=value, limit=1200) for name, value in rows
    ]
    return build('<dl class="ec-kv">$items</dl>', items=join(items))


def data(one: Envelope) -> None:
    """The data, pretty, with every number and string as it was sent; long data is cut and says so."""
    members = one.members()
    raw = members.get("data", members.get("data_base64"))
    if raw is None:
        notice.caption(t("event.no_data"))
        return
    block(raw)


def block(raw: str, *, language: str = "json") -> None:
    """JSON text as a block."""
    shown = visible_json(pretty(raw)) if language == "json" else raw
    st.code(
        shown[:BLOCK], language=language if len(shown) <= BLOCK else None, wrap_lines=True, height="content"
    )
    if len(shown) > BLOCK:
        notice.caption(t("event.cut", shown=times.number(BLOCK), all=times.number(len(shown))))


def copies(one: Envelope, viewer: Viewer) -> None:
    """The event as JSON and as a curl line; what is too long to copy can be downloaded."""
    line = shell.post_line(viewer.settings.ingest_url, one.bus, one.text)
    as_json, as_curl = st.tabs([t("event.as_json"), t("event.as_curl")])
    with as_json:
        text = visible_json(compact(one.text))
        if len(text) <= _MOST_LINE:
            st.code(text, language="json", wrap_lines=True)
        else:
            notice.caption(t("event.too_long", all=times.number(len(text))))
        st.download_button(
            t("event.download"),
            one.text.encode(),
            file_name=f"event-{one.seq}.json",
            mime="application/octet-stream",
            icon=":material/download:",
            type="tertiary",
            key=f"download.{one.seq}",
            on_click="ignore",
        )
    with as_curl:
        if len(line) <= _MOST_LINE:
            notice.caption(t("event.curl_hint", variable=shell.TOKEN_VARIABLE))
            st.code(line, language="bash", wrap_lines=True)
        else:
            notice.caption(t("event.too_long", all=times.number(len(line))))
