"""Settings: one table of data, read from the environment and `.env`, that the docs are tested against."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from dotenv import dotenv_values

from eventcenter.errors import InvalidInput

PREFIX = "EVENTCENTER_"
SERVICE_NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
"""Names of ingest services; each has a folder of this name in the journal."""
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings; the environment variable of `data_dir` is EVENTCENTER_DATA_DIR, and so on."""

    data_dir: Path = Path("data")
    secret_key: str | None = None
    key_file: Path | None = None
    database_url: str | None = None
    log_level: str = "warning"

    ingest_host: str = "127.0.0.1"
    ingest_port: int = 8700
    ingest_name: str = "main"
    api_host: str = "127.0.0.1"
    api_port: int = 8701
    dashboard_host: str = "127.0.0.1"
    dashboard_port: int = 8501
    robot_port: int = 8702
    public_url: str | None = None
    public_ingest_url: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    metrics_token: str | None = None

    max_event_bytes: int = 256 * KIB
    max_body_bytes: int = 16 * MIB
    max_nesting: int = 64
    max_id_length: int = 128
    max_source_length: int = 128
    max_type_length: int = 64
    max_subject_length: int = 512
    max_extension_name_length: int = 64
    validation_workers: int = 0
    wait_archived_s: float = 30.0
    reject_quota_bytes: int = 16 * MIB

    journal_max_bytes: int = 4 * GIB
    journal_segment_bytes: int = 64 * MIB
    disk_floor_bytes: int = 512 * MIB
    loader_batch_bytes: int = 24 * MIB
    archive_memory_bytes: int = 256 * MIB
    archive_open_tenants: int = 16
    fresh_events: int = 300_000
    settling_memory_bytes: int = 256 * MIB
    retention_every_s: float = 600.0
    query_timeout_s: float = 30.0
    query_max_rows: int = 100_000
    query_result_bytes: int = 32 * MIB
    query_slots: int = 2

    backups_dir: Path | None = None

    dingtalk_base_url: str = "https://oapi.dingtalk.com"
    attempts_kept_days: int = 30
    session_days: int = 7
    session_idle_hours: int = 24

    @property
    def journal_dir(self) -> Path:
        """Where the ingest services write and the loader reads."""
        return self.data_dir / "journal"

    @property
    def backups_folder(self) -> Path:
        """Where backups are made: `backups_dir`, or beside the data folder."""
        return self.backups_dir or self.data_dir.with_name(self.data_dir.name + "-backups")

    @property
    def tenants_dir(self) -> Path:
        """One folder per tenant."""
        return self.data_dir / "tenants"

    @property
    def store_url(self) -> str:
        """SQLAlchemy's URL of the relational store."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'store.db').absolute()}"

    @property
    def secret_key_path(self) -> Path:
        """The key's file: beside the data folder, never in it, so that a copy of the data is not the key."""
        data = self.data_dir.absolute()
        return self.key_file or data.with_name(data.name + ".key")

    @property
    def ingest_url(self) -> str:
        """The ingest service's address as people use it."""
        return self.public_ingest_url or f"http://{_named(self.ingest_host)}:{self.ingest_port}"

    @property
    def api_url(self) -> str:
        """The API's address for the dashboard and the command line."""
        return f"http://{_named(self.api_host)}:{self.api_port}"

    @property
    def dashboard_url(self) -> str:
        """The dashboard's address as links in messages name it."""
        return self.public_url or f"http://{_named(self.dashboard_host)}:{self.dashboard_port}"


HELP: Mapping[str, str] = {
    "data_dir": "Folder of journal, archives and store; made with mode 0700.",
    "secret_key": "Key that encrypts secrets in the store (44 characters of URL-safe base64). "
    "Without it the key file is used.",
    "key_file": "File with that key; made on first start. Default: the data folder's path with `.key` added.",
    "database_url": "SQLAlchemy URL of the relational store. Default: SQLite in the data folder.",
    "log_level": "debug, info, warning or error.",
    "ingest_host": "Address that the ingest service listens on.",
    "ingest_port": "Port of the ingest service.",
    "ingest_name": "Name of the ingest service, its own where several write to one journal.",
    "api_host": "Address that the API listens on.",
    "api_port": "Port of the API.",
    "dashboard_host": "Address that the dashboard listens on.",
    "dashboard_port": "Port of the dashboard.",
    "robot_port": "Port of the demo's robot stand-in.",
    "public_url": "The dashboard's address as people reach it; links in messages begin with it. "
    "Default: the dashboard's host and port.",
    "public_ingest_url": "The ingest service's address as senders reach it; curl lines show it. "
    "Default: its host and port.",
    "allowed_hosts": "Further host names, separated by commas, that API and dashboard answer to. "
    "Loopback names and the public URL's host are always allowed.",
    "metrics_token": "Bearer token for /metrics; without it only loopback and operators may read them.",
    "max_event_bytes": "Largest event, in bytes of its JSON.",
    "max_body_bytes": "Largest request body after decompression, in bytes.",
    "max_nesting": "Deepest nesting of an event's JSON, in levels.",
    "max_id_length": "Longest `id`, in characters.",
    "max_source_length": "Longest `source`, in characters.",
    "max_type_length": "Longest `type`, in characters.",
    "max_subject_length": "Longest `subject`, in characters.",
    "max_extension_name_length": "Longest name of an extension attribute, in characters.",
    "validation_workers": "Processes that validate large bodies; 0 means one per processor.",
    "wait_archived_s": "How long `?wait=archived` waits for the loader, in seconds.",
    "reject_quota_bytes": "Bytes of rejects kept per tenant and hour; beyond it rejects are counted only.",
    "journal_max_bytes": "Bound of the journal; beyond it ingest answers 429.",
    "journal_segment_bytes": "Size at which a new journal file is begun; at most a quarter of the floor.",
    "disk_floor_bytes": "Free disk space below which ingest answers 507.",
    "loader_batch_bytes": "Bytes that the loader moves in one transaction; thrice as many of long events.",
    "archive_memory_bytes": "Memory of all open archives together.",
    "archive_open_tenants": "Most archives open at once.",
    "fresh_events": "Events of a tenant that stay in load order before a stretch of them is settled.",
    "settling_memory_bytes": "Memory for sorting when events are settled; more spills to disk.",
    "retention_every_s": "Seconds from one look for events that are too old or too many to the next.",
    "query_timeout_s": "Longest time that a query may take, in seconds.",
    "query_max_rows": "Most rows that `limit` of a SQL query may ask for; without one it is 10,000.",
    "query_result_bytes": "Largest result of a SQL query, in bytes; what is beyond is cut.",
    "query_slots": "SQL queries of one tenant that run at once; further ones are answered 429.",
    "backups_dir": "Folder below which backups are made; without it, beside the data folder.",
    "dingtalk_base_url": "Base address of DingTalk robots.",
    "attempts_kept_days": "Days that attempts of deliveries are kept.",
    "session_days": "Days after which a sign-in ends.",
    "session_idle_hours": "Hours without use after which a sign-in ends.",
}

_LEVELS = ("debug", "info", "warning", "error")


def load(environment: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")) -> Settings:
    """Settings from the environment, then `.env`, then the defaults.

    Raises InvalidInput that names every variable that is wrong or unknown, all at once.
    """
    given: dict[str, str] = {}
    if dotenv is not None and dotenv.is_file():
        given.update({k: v for k, v in dotenv_values(dotenv).items() if v is not None})
    given.update(os.environ if environment is None else environment)
    hints = get_type_hints(Settings)
    names = {PREFIX + name.upper(): name for name in (f.name for f in fields(Settings))}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable, text in sorted(given.items()):
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
            continue
        name = names.get(variable)
        if name is None:
            problems.append(f"{variable} is not a setting")
            continue
        try:
            values[name] = _convert(name, hints[name], text.strip())
        except ValueError as error:
            problems.append(f"{variable}={text if name not in SECRET else '…'}: {error}")
    if problems:
        raise InvalidInput(
            "; ".join(problems),
            rule="each EVENTCENTER_ variable is a setting of docs/settings.md with a value of its type",
            remedy="correct or remove it in the environment or in .env",
        )
    return Settings(**values)


SECRET = frozenset({"secret_key", "metrics_token", "database_url"})
"""Settings whose values are never shown."""

NOT_SETTINGS = frozenset({"EVENTCENTER_TOKEN", "EVENTCENTER_REQUIRE"})
"""Variables of the command line and the test suite that share the prefix."""


def _convert(name: str, hint: Any, text: str) -> Any:
    optional = isinstance(hint, UnionType)
    if optional and not text:
        return None
    kind = next(a for a in hint.__args__ if a is not type(None)) if optional else hint
    if name.endswith("_url") and name != "database_url":
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http or https address")
        return text.rstrip("/")
    if name == "log_level":
        if text.lower() not in _LEVELS:
            raise ValueError(f"must be one of {', '.join(_LEVELS)}")
        return text.lower()
    if kind is Path:
        return Path(text).expanduser()
    if kind is int or kind is float:
        number = kind(text)
        if number < 0 or (number == 0 and name != "validation_workers" and not name.endswith("_port")):
            raise ValueError("must be greater than 0")
        return number
    if name == "ingest_name" and not re.fullmatch(SERVICE_NAME, text):
        raise ValueError("must be lower-case letters, digits, - and _, at most 63")
    if kind is str:
        return text
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _named(host: str) -> str:
    """A host that a browser can open where `host` means every address."""
    return "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 compared, not bound
