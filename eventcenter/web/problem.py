"""Every refusal as an RFC 9457 problem: value, rule, way out."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from eventcenter.errors import Busy, EventCenterError, InvalidInput

MEDIA_TYPE = "application/problem+json"
_SHOWN = 200


class ProblemEntry(BaseModel):
    """One of several things that are wrong with a request."""

    where: str = Field(description="The member, such as `body.name` or `query.limit`.")
    rule: str
    value: str | None = None


class Problem(BaseModel):
    """An RFC 9457 problem: what was given, which rule it broke, what to do."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="A stable name of the kind of problem.")
    title: str
    status: int
    detail: str
    value: str | None = Field(default=None, description="What was given, cut to 200 characters.")
    rule: str | None = Field(default=None, description="The rule that it broke.")
    remedy: str | None = Field(default=None, description="What to do.")
    problems: list[ProblemEntry] | None = Field(default=None, description="Each of several problems.")


def problem_response(error: EventCenterError) -> Response:
    """The error as an answer, with the headers that its status asks for."""
    return _answer(error.status, error.problem(), _headers(error))


def install(app: FastAPI) -> None:
    """Let the application answer problems instead of its framework's own errors."""
    app.add_exception_handler(EventCenterError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_defect)


async def _on_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, EventCenterError)  # noqa: S101 registered for this class only
    return problem_response(error)


async def _on_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 registered for this class only
    entries = [_entry(each) for each in error.errors()]
    named = "; ".join(f"{entry['where']}: {entry['rule']}" for entry in entries)
    body = InvalidInput(
        f"The request is wrong: {named}",
        value=entries[0].get("value") if len(entries) == 1 else None,
        rule="; ".join(sorted({str(entry["rule"]) for entry in entries})),
        remedy="correct the named members; /openapi.json describes them",
    ).problem()
    return _answer(InvalidInput.status, body | {"problems": entries})


_HTTP = {
    404: ("not-found", "Not found", "There is no such address.", "/openapi.json lists all addresses"),
    405: (
        "method-not-allowed",
        "Method not allowed",
        "This address does not take this method.",
        "use a method that the header Allow names",
    ),
}


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 registered for this class only
    code, title, detail, remedy = _HTTP.get(
        error.status_code, ("http", str(error.detail), str(error.detail), "correct the request")
    )
    body = {
        "type": f"urn:eventcenter:problem:{code}",
        "title": title,
        "status": error.status_code,
        "detail": detail,
        "value": f"{request.method} {request.url.path}"[:_SHOWN],
        "remedy": remedy,
    }
    return _answer(error.status_code, body, error.headers)


async def _on_defect(_request: Request, _error: Exception) -> Response:
    # The text of an unexpected error may hold anything: the web server logs it, the asker does not see it.
    body = EventCenterError(
        "The server failed on this request.",
        rule="every refusal is explained; this is a defect",
        remedy="try again; if it lasts, report it with the time and the server's log",
    ).problem()
    # This answer is made outside of the application's own guards.
    return _answer(
        EventCenterError.status, body, {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    )


def _entry(error: Mapping[str, Any]) -> dict[str, str]:
    where = ".".join(str(part) for part in error.get("loc", ()))[:_SHOWN] or "body"
    entry = {"where": where, "rule": str(error.get("msg", "invalid")).removeprefix("Value error, ")}
    given = error.get("input")
    # A whole body, or a member that may be a secret, is not repeated.
    if isinstance(given, str | int | float) and not any(word in where for word in _UNSHOWN):
        entry["value"] = str(given)[:_SHOWN]
    return entry


_UNSHOWN = ("password", "current", "new", "code", "webhook", "secret", "token")


def _headers(error: EventCenterError) -> dict[str, str]:
    if isinstance(error, Busy):
        return {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": "1"} if error.status == 503 else {}


def _answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    # What was given may hold lone surrogates, which have no UTF-8.
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, status_code=status, headers=headers, media_type=MEDIA_TYPE)
