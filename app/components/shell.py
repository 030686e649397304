"""Command lines that work as printed, whatever an event holds. Pure functions."""

import shlex

from app.components.jsontext import compact
from app.components.visible import visible_json

TOKEN_VARIABLE = "EVENTCENTER_TOKEN"  # noqa: S105 the variable's name


def post_line(ingest_url: str, bus: str, event_json: str) -> str:
    """A curl line that posts this very event in structured mode, its JSON safely quoted."""
    body = shlex.quote(visible_json(compact(event_json)))
    return f"{_head(ingest_url, bus)}\n  --data-binary {body}"


def hello_line(ingest_url: str, bus: str) -> str:
    """A curl line that posts a first event; its id is new each second."""
    body = (
        '\'{"specversion":"1.0","id":"hello-\'"$(date +%s)"\'","source":"/hello",'
        '"type":"hello.world","datacontenttype":"application/json","data":{"text":"Hello"}}\''
    )
    return f"{_head(ingest_url, bus)}\n  --data-binary {body}"


def export_line(token: str) -> str:
    """The line that puts a token where the curl lines look for it."""
    return f"export {TOKEN_VARIABLE}={shlex.quote(token)}"


def _head(ingest_url: str, bus: str) -> str:
    return (
        f"curl -sS {shlex.quote(f'{ingest_url}/v1/buses/{bus}/events')} \\\n"
        f'  -H "Authorization: Bearer ${TOKEN_VARIABLE}" \\\n'
        "  -H 'Content-Type: application/cloudevents+json' \\"
    )
