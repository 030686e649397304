"""The bounds on guessing and on work."""

import threading
from datetime import timedelta

import pytest

from eventcenter.accounts.passwords import Passwords
from eventcenter.accounts.throttle import Throttle
from eventcenter.clock import ManualClock
from eventcenter.errors import Busy


def test_the_window_slides() -> None:
    clock = ManualClock()
    throttle = Throttle(clock, most=2, window=timedelta(seconds=10))
    throttle.attempt("a")
    clock.advance(6)
    throttle.attempt("a")
    with pytest.raises(Busy) as caught:
        throttle.attempt("a")
    assert caught.value.retry_after == 5
    clock.advance(4)
    throttle.attempt("a")
    with pytest.raises(Busy):
        throttle.attempt("a")
    throttle.attempt("b")
    throttle.forgive("a")
    throttle.attempt("a")


def test_names_do_not_fill_the_memory() -> None:
    throttle = Throttle(ManualClock())
    for number in range(10_050):
        throttle.attempt(f"name{number}")
    assert len(throttle._attempts) == 10_000


def test_many_attempts_at_once_do_not_slip_through() -> None:
    throttle = Throttle(ManualClock(), most=3)
    through: list[int] = []

    def knock(number: int) -> None:
        try:
            throttle.attempt("a")
        except Busy:
            return
        through.append(number)

    threads = [threading.Thread(target=knock, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(through) == 3


def test_only_so_many_passwords_are_checked_at_once() -> None:
    passwords = Passwords()
    places = [passwords._places.acquire(blocking=False) for _ in range(12)]
    assert all(places)
    with pytest.raises(Busy) as caught:
        passwords.verify(None, "x")
    assert caught.value.retry_after == 2
    passwords._places.release()
    assert not passwords.verify(None, "x")
