"""Rules over a real archive: the same events, asked of DuckDB."""

from dataclasses import replace
from pathlib import Path

from alerts.reading import ArchiveReader
from eventcenter.clock import ManualClock
from eventcenter.pattern import EventPattern
from tests.alerts.stand import Stand
from tests.queries.filling import Filling


def test_a_rule_over_a_real_archive(there: Stand, tmp_path: Path) -> None:
    filling = Filling(tmp_path / "archives")
    try:
        filling.clock = there.clock
        reader = ArchiveReader(filling.queries)
        alerts = there.restart()
        alerts.engine._events = reader
        there.rule(there.target(), pattern={"data": {"n": [{"numeric": [">=", 3]}]}})
        made = [filling.event(f'{{"n":{n},"amount":1.0}}') for n in range(5)]
        filling.add(made, tenant=there.tenant)
        while alerts.engine.step_all():
            pass
        filling.add([replace(made[4], id="later")], tenant=there.tenant)
        while alerts.engine.step_all():
            pass
        there.deliver()
        assert [alert.seq for alert in there.alerted()] == [4, 5, 6]
        assert there.cursor() == reader.last_seq(there.tenant) == 6
        assert all("Amount 1.0" in text for text in there.texts())
        pattern = EventPattern.parse({"data": {"n": [4]}})
        newest = reader.newest(there.tenant, buses=(), pattern=pattern)
        assert newest is not None
        assert newest == reader.get(there.tenant, 6)
        assert reader.last_seq(there.other) == 0
    finally:
        filling.archives.close()


def test_counting_goes_by_received_at(tmp_path: Path) -> None:
    filling = Filling(tmp_path / "archives")
    try:
        clock = filling.clock
        assert isinstance(clock, ManualClock)
        begun = clock.now()
        filling.add([filling.event("{}")], tenant="a" * 32)
        clock.advance(60)
        filling.add([filling.event("{}")], tenant="a" * 32)
        reader = ArchiveReader(filling.queries)
        every = EventPattern.parse({})
        assert reader.count("a" * 32, buses=(), pattern=every, from_=begun, to=clock.now()) == 1
    finally:
        filling.archives.close()
