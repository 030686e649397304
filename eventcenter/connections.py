"""How HTTP connections are kept for the next request."""

from typing import Final

import httpx

KEPT: Final = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=5.0)
"""Closed for their age only. A bound would be kept by closing idle connections, and httpcore's pool for
threads may take one for idle that has just been given to a request (github.com/encode/httpcore/issues/1110):
that request fails, or waits for its time-out. Who uses a pool bounds its threads.
"""
