"""Logs: one line per record on stderr, `key=value`, the same form for our records and the libraries'."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict

_CHATTY = ("alembic", "apscheduler", "asyncio", "uvicorn", "watchdog")
"""Libraries whose everyday records help nobody but those who debug."""
_TELLTALE = ("httpcore", "httpx")
"""Libraries whose everyday records hold addresses, and so the tokens in them: never logged."""

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def configure(*, level: str, process: str) -> None:
    """Send records of `level` (debug, info, warning, error) and above to stderr, with the process's name."""

    def name_process(_logger: Any, _method: str, record: EventDict) -> EventDict:
        record["process"] = process
        return record

    shared = [*_SHARED, name_process]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "process", "event"]),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(level.upper() if level in {"debug", "error"} else logging.WARNING)
    for name in _TELLTALE:
        logging.getLogger(name).setLevel(logging.ERROR if level == "error" else logging.WARNING)
