"""The loops in their threads, with a real clock and robots behind real sockets."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from alerts import Alerts
from eventcenter.clock import SystemClock
from eventcenter.store.secrets import SecretBox
from eventcenter.testing.robot import Robot, RobotConfig, run_robot
from ingest.bindings.rocketmq import encode
from tests.alerts.stand import OTHER_TOKEN, OTHER_WEBHOOK, SECRET, TOKEN, Stand, stand


def wait_for(what: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.02)


def test_an_event_is_spoken_of_at_once_and_a_slow_robot_holds_up_no_other(tmp_path: Path) -> None:
    robots = {TOKEN: RobotConfig(secret=SECRET), OTHER_TOKEN: RobotConfig()}
    with run_robot(Robot(robots)) as robot, stand(tmp_path, dingtalk_base_url=robot.url) as there:
        there.rule(there.target(), name="Slow", pattern={"type": ["slow"]})
        fast = there.target(name="Fast", webhook=OTHER_WEBHOOK, secret=None)
        there.rule(fast, name="Fast", pattern={"type": ["fast"]})
        alerts = Alerts(
            encode=encode,
            store=there.world.store,
            queries=there.events,
            secrets=SecretBox(there.world.settings),
            clock=SystemClock(),
            settings=there.world.settings,
        )
        stop = threading.Event()
        threads = [
            threading.Thread(target=loop, args=(stop,)) for loop in (alerts.run_engine, alerts.run_delivery)
        ]
        for thread in threads:
            thread.start()
        try:
            robot.script("slow")
            there.events.add(there.tenant, type="slow")
            alerts.wake(there.tenant)
            wait_for(lambda: len(robot.received()) == 1)
            there.events.add(there.tenant, type="fast")
            begun = time.monotonic()
            alerts.wake()
            wait_for(lambda: len(robot.received()) == 2)
            assert time.monotonic() - begun < 2.5
            assert there.states()["sending"] >= 1
            wait_for(lambda: there.states() == {"delivered": 2})
        finally:
            stop.set()
            alerts.wake()
            for thread in threads:
                thread.join(20)
        assert not any(thread.is_alive() for thread in threads)


def test_what_an_earlier_run_left_is_taken_up(tmp_path: Path) -> None:
    with stand(tmp_path) as there:
        there.rule(there.target())
        there.events.add(there.tenant)
        there.evaluate()
        _leave_in_flight(there)
        again = there.restart()
        assert again.delivery.recover() == 1
        assert there.states() == {"pending": 1}


def _leave_in_flight(there: Stand) -> None:
    [robot] = there.alerts.delivery.due_robots()
    there.world.store.write(lambda session: there.alerts.delivery._claim(session, robot, None))
    assert there.states() == {"sending": 1}
