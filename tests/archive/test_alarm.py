"""One thread rings all alarms: in time, again and again, and never for what has ended."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from eventcenter.archive.alarm import Alarm

LONG = 30.0
SOON_S = 0.05
WAIT_S = 5.0


class Bell:
    """Notes when it rang; rings again after `again` seconds."""

    def __init__(self, again: float | None = None) -> None:
        self.rang: list[float] = []
        self.heard = threading.Event()
        self._again = again

    def __call__(self) -> float | None:
        self.rang.append(time.monotonic())
        self.heard.set()
        return None if self._again is None else time.monotonic() + self._again


def watchers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "alarms"]


def test_an_alarm_rings_once_it_is_time() -> None:
    bell, at = Bell(), time.monotonic() + SOON_S
    with Alarm(at, bell):
        assert bell.heard.wait(WAIT_S)
    assert len(bell.rang) == 1
    assert bell.rang[0] >= at


def test_an_alarm_rings_again_until_it_is_over() -> None:
    bell = Bell(again=0.001)
    with Alarm(time.monotonic(), bell):
        for _ in range(3):
            bell.heard.clear()
            assert bell.heard.wait(WAIT_S)
    rang = len(bell.rang)
    later = Bell()
    with Alarm(time.monotonic() + SOON_S, later):
        assert later.heard.wait(WAIT_S)
    assert len(bell.rang) == rang


def test_what_ended_in_time_never_rings() -> None:
    bell, other, at = Bell(), Bell(), time.monotonic() + SOON_S
    with Alarm(at, bell):
        pass
    with Alarm(at, other):
        assert other.heard.wait(WAIT_S)
    assert not bell.rang


def test_an_earlier_one_does_not_wait_for_a_later_one() -> None:
    late, soon = Bell(), Bell()
    with Alarm(time.monotonic() + LONG, late), Alarm(float("inf"), late):
        with Alarm(time.monotonic() + SOON_S, soon):
            assert soon.heard.wait(WAIT_S)
        assert not late.rang


def test_an_error_ends_neither_the_alarm_nor_the_others(caplog: pytest.LogCaptureFixture) -> None:
    tried: list[float] = []
    succeeded = threading.Event()

    def fails_once() -> None:
        tried.append(time.monotonic())
        if len(tried) == 1:
            raise RuntimeError("no more threads")
        succeeded.set()

    with Alarm(time.monotonic(), fails_once):
        assert succeeded.wait(WAIT_S)
    assert "no more threads" in caplog.text


def test_the_end_waits_for_a_ring_that_is_under_way() -> None:
    begun, ended = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        time.sleep(SOON_S)
        ended.set()

    with Alarm(time.monotonic(), slow):
        assert begun.wait(WAIT_S)
    assert ended.is_set()


def test_many_at_once_have_one_thread() -> None:
    def wait(_: int) -> int:
        bell = Bell()
        with Alarm(time.monotonic() + SOON_S, bell):
            assert bell.heard.wait(WAIT_S)
        return len(bell.rang)

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(wait, range(64))) == [1] * 64
    assert len(watchers()) == 1
