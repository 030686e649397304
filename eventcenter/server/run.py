"""The server as a process."""

import gc

import uvicorn

from eventcenter.server.build import Server
from eventcenter.settings import Settings

_GRACE_S = 10


def run(settings: Settings) -> None:
    """Run the server until SIGINT or SIGTERM; requests in flight are answered first."""
    server = Server(settings)
    server.start()
    gc.collect()
    gc.freeze()
    try:
        uvicorn.run(
            server.application,
            host=settings.api_host,
            port=settings.api_port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    finally:
        server.close()
