"""What the whole dashboard process shares: its settings and the connections to the API."""

from dataclasses import dataclass

from eventcenter.client import Client
from eventcenter.settings import Settings, load


@dataclass(frozen=True, kw_only=True)
class Context:
    """Settings, and a client without a credential."""

    settings: Settings
    client: Client


class _Held:
    context: Context | None = None


def configure(settings: Settings, client: Client | None = None) -> Context:
    """Set the process's context; the server does it once before it serves."""
    _Held.context = Context(settings=settings, client=client or Client(settings.api_url))
    return _Held.context


def context() -> Context:
    """The process's context, from the environment if nobody configured it."""
    return _Held.context or configure(load())
