"""RocketMQ's protocol as the official package brings it, without that package's clients.

`import rocketmq` runs its clients' code: it makes a log file in the home directory, which fails where that
is read-only, and loads OpenTelemetry. The generated modules need none of it, so they are imported under a
package that is known but has not run. Whoever imports the package itself later, or did before, gets the same
modules.
"""

import importlib
import importlib.util
import sys
import threading
from typing import Any

from eventcenter.errors import Unavailable

_PACKAGE = "rocketmq"
_importing = threading.Lock()


def _generated(name: str) -> Any:
    with _importing:
        spec = None if _PACKAGE in sys.modules else importlib.util.find_spec(_PACKAGE)
        if spec is None:
            return importlib.import_module(f"{_PACKAGE}.grpc_protocol.{name}")
        sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
        try:
            return importlib.import_module(f"{_PACKAGE}.grpc_protocol.{name}")
        finally:
            del sys.modules[_PACKAGE]


try:
    import grpc

    definition: Any = _generated("definition_pb2")
    service: Any = _generated("service_pb2")
    Stub: Any = _generated("service_pb2_grpc").MessagingServiceStub
    add_to_server: Any = _generated("service_pb2_grpc").add_MessagingServiceServicer_to_server
    Servicer: Any = _generated("service_pb2_grpc").MessagingServiceServicer
except ModuleNotFoundError as error:
    raise Unavailable(
        "What RocketMQ inputs need is not installed.",
        value=error.name,
        rule="they are the extra [rocketmq]",
        remedy='run "pip install .[rocketmq]" in the checkout, or "make up", which installs it',
    ) from error

__all__ = ["Servicer", "Stub", "add_to_server", "definition", "grpc", "service"]
