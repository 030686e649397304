"""Freed memory is kept where the C library can."""

import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
from eventcenter.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
for _ in range(3):
    bytes(bytearray(8 << 20))
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    bytes(bytearray(8 << 20))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", _FAULTS, how], check=True, capture_output=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="another C library")
def test_large_blocks_are_not_cleared_by_the_system_each_time() -> None:
    given, kept = _faults("given back"), _faults("kept")
    assert kept * 10 < given or given < 100, (given, kept)
