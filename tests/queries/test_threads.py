"""Threads are kept for the next task, but not those that gave way to others."""

import sys
import threading
from concurrent.futures import Future

import pytest

from eventcenter.priority import give_way
from queries.threads import Threads

WAIT_S = 5.0


def run(threads: Threads, *, gives_way: bool = False) -> int:
    """The thread in which the task ran."""
    done: Future[int] = Future()

    def task() -> None:
        if gives_way:
            give_way(5)
        done.set_result(threading.get_native_id())

    threads.run(task)
    return done.result(WAIT_S)


def wait_idle(threads: Threads, count: int) -> None:
    """Until so many wait for a task."""
    for _ in range(500):
        if vars(threads)["_idle"] == count:
            return
        threading.Event().wait(0.01)
    raise AssertionError("they do not wait")


def test_a_thread_is_kept_for_the_next_task() -> None:
    threads = Threads("kept")
    first = run(threads)
    wait_idle(threads, 1)
    assert run(threads) == first
    wait_idle(threads, 1)
    threads.close()


def test_tasks_at_once_do_not_wait_for_each_other() -> None:
    threads = Threads("at once")
    meet = threading.Barrier(8)

    def task() -> None:
        meet.wait(WAIT_S)

    for _ in range(7):
        threads.run(task)
    meet.wait(WAIT_S)
    wait_idle(threads, 7)
    threads.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux alone")
def test_a_thread_that_gave_way_is_not_used_again() -> None:
    threads = Threads("gave way")
    slow = run(threads, gives_way=True)
    for _ in range(500):
        if slow not in {each.native_id for each in threading.enumerate()}:
            break
        threading.Event().wait(0.01)
    else:
        raise AssertionError("it lives on")
    run(threads)
    wait_idle(threads, 1)
    threads.close()


def test_none_stays_behind_at_the_end() -> None:
    threads = Threads("behind")
    run(threads)
    wait_idle(threads, 1)
    threads.close()
    run(threads)
    for _ in range(500):
        if "behind" not in {each.name for each in threading.enumerate()}:
            return
        threading.Event().wait(0.01)
    raise AssertionError("they live on")
