"""The server: loader, archives, queries, rules and delivery behind the API. A composition root."""

from eventcenter.server.build import Server
from eventcenter.server.run import run

__all__ = ["Server", "run"]
