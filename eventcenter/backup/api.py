"""The routes of backups, for operators."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from eventcenter.backup.make import Backup, Backups, State
from eventcenter.web.auth import Operator

_BEGUN = 202


class NewBackup(BaseModel):
    """What to make."""

    name: str | None = None
    """Of its folder; without one it is the time."""


class BackupAnswer(BaseModel):
    """A backup and how far it is."""

    name: str
    state: State
    share: float
    started_at: datetime
    bytes: int
    events: int
    error: str | None


def router(backups: Backups) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1/backups", tags=["operators"])

    @router.post("", status_code=_BEGUN, summary="Begin a backup of everything, for operators")
    def start(who: Operator, body: NewBackup) -> BackupAnswer:
        who.require_operator()
        return _answer(backups.start(body.name))

    @router.get("/{name}", summary="How far a backup is, for operators")
    def get(who: Operator, name: Annotated[str, Path(max_length=100)]) -> BackupAnswer:
        who.require_operator()
        return _answer(backups.get(name))

    return router


def _answer(backup: Backup) -> BackupAnswer:
    return BackupAnswer(
        name=backup.name,
        state=backup.state,
        share=backup.share,
        started_at=backup.started_at,
        bytes=backup.bytes,
        events=backup.events,
        error=backup.error,
    )
