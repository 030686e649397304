"""The route of people's SQL."""

import asyncio
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from eventcenter.errors import InvalidInput
from eventcenter.web.auth import Viewer
from queries.sql import DEFAULT_ROWS, Format, Question, Sql

MEDIA_TYPES: Final[dict[Format, str]] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The rows. CSV and Arrow say in X-Truncated whether there are more.",
        "content": {kind.split(";")[0]: {} for kind in MEDIA_TYPES.values()},
    }
}


class QueryBody(BaseModel):
    """A SELECT over the tenant's events (docs/sql.md)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [
        {"sql": "SELECT type, count(*) AS n FROM events WHERE bus = $bus GROUP BY type ORDER BY n DESC",
         "parameters": {"bus": "default"}},
    ]})  # fmt: skip

    sql: str = Field(min_length=1, description="One SELECT over events, rejects, origins and deliveries.")
    parameters: dict[str, Any] | list[Any] = Field(
        default=[], description="Values of $name (an object), or of ? and $1 (a list)."
    )
    limit: int | None = Field(default=None, description=f"Most rows to answer, {DEFAULT_ROWS} if not given.")
    timeout_s: float | None = Field(default=None, description="Seconds after which the query is stopped.")
    format: Format | None = Field(
        default=None, description="json, csv or arrow; without it what the header Accept names."
    )


class ColumnShape(BaseModel):
    """A column of an answer."""

    name: str
    type: str = Field(description="DuckDB's name of the type.")


class QueryShape(BaseModel):
    """An answer as JSON."""

    columns: list[ColumnShape]
    rows: list[list[Any]] = Field(description="Values in the order of the columns; every number exact.")
    truncated: bool = Field(description="There are more rows than are answered.")
    elapsed_ms: float


def router(sql: Sql) -> APIRouter:
    """POST /v1/query."""
    found = APIRouter(tags=["sql"])

    @found.post("/v1/query", summary="Ask in SQL", response_model=QueryShape, responses=_ANSWERS)
    async def query(
        who: Viewer, body: QueryBody, accept: Annotated[str, Header()] = MEDIA_TYPES["json"]
    ) -> Response:
        format_ = body.format or _accepted(accept)
        question = Question(
            sql=body.sql,
            parameters=body.parameters,
            limit=body.limit,
            timeout_s=body.timeout_s,
            format=format_,
        )
        answer = await asyncio.wrap_future(sql.submit(who.tenant, question))
        headers = {"X-Truncated": str(answer.truncated).lower(), "X-Elapsed-Ms": f"{answer.elapsed_ms:g}"}
        return Response(answer.body, media_type=MEDIA_TYPES[format_], headers=headers)

    return found


def _accepted(accept: str) -> Format:
    """The first format that the header names."""
    for part in accept.lower().split(","):
        kind = part.split(";")[0].strip()
        if kind in {"*/*", "application/*", ""}:
            return "json"
        for format_ in get_args(Format):
            if kind == MEDIA_TYPES[format_].split(";")[0]:
                return format_  # type: ignore[no-any-return]
    raise InvalidInput(
        "There is no such format.",
        value=accept,
        rule="Accept names " + ", ".join(kind.split(";")[0] for kind in MEDIA_TYPES.values()),
        remedy="leave the header out for JSON",
    )
