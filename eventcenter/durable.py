"""What makes files survive a crash of the machine."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Make what was written to a file, or what a folder lists, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
