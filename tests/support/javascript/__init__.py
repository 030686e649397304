"""Sends by the JavaScript SDK; skips where it is not installed, unless it is required."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import required

FOLDER = Path(__file__).parent
PATIENCE_S = 60


def send(*, url: str, token: str, mode: str, event: dict[str, Any]) -> dict[str, Any]:
    """The service's answer to an event that the SDK sent; `bytes` in `event` is base64 of binary data."""
    if not (FOLDER / "node_modules" / "cloudevents").is_dir():
        message = f"the npm package cloudevents is not there: run `npm ci` in {FOLDER.name}"
        if required("javascript"):
            pytest.fail(message)
        pytest.skip(message)
    job = {"url": url, "token": token, "mode": mode, "event": event}
    done = subprocess.run(
        ["node", "send.mjs"],
        cwd=FOLDER,
        input=json.dumps(job).encode(),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
