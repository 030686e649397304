"""`eventcenter up --rocketmq` makes an input once."""

from pathlib import Path

import pytest

from eventcenter.cli.first_input import first_input
from eventcenter.errors import InvalidInput
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.bootstrap import bootstrap
from eventcenter.store.models import Input
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import select
from ingest.inputs.connection import config_of
from tests.rocketmq.standin_remoting import Remoting


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path / "data")
    with Store.open(settings) as store:
        bootstrap(store, SecretBox(settings))
    return settings


def inputs(chosen: Settings) -> list[Input]:
    with Store.open(chosen) as store:
        return store.read(lambda session: list(session.scalars(select(Input).order_by(Input.name))))


def make(chosen: Settings, addresses: str = "127.0.0.1:9", group: str = "eventcenter") -> str:
    return first_input(chosen, addresses=addresses, name_servers="", topic="events", group=group)


def test_it_is_made_once_and_says_so(chosen: Settings) -> None:
    assert "made input rocketmq, topic events → bus default, group eventcenter" in make(chosen)
    assert "input rocketmq is there already" in make(chosen)
    assert "made input rocketmq 2" in make(chosen, group="second")
    assert [row.name for row in inputs(chosen)] == ["rocketmq", "rocketmq 2"]
    assert config_of(inputs(chosen)[0]).name_servers == ""


def test_the_name_server_beside_it_is_found(chosen: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with Remoting({105: lambda _: (17, {}, b"")}) as standin:
        monkeypatch.setattr("eventcenter.cli.first_input.NAME_SERVER_PORT", standin.address.port)
        said = first_input(
            chosen, addresses="127.0.0.1:9", name_servers=None, topic="events", group="eventcenter"
        )
    assert f"name server 127.0.0.1:{standin.address.port}" in said
    assert config_of(inputs(chosen)[0]).name_servers == f"127.0.0.1:{standin.address.port}"


def test_a_wrong_address_is_refused(chosen: Settings) -> None:
    with pytest.raises(InvalidInput, match="port is missing"):
        make(chosen, "nowhere")
    assert inputs(chosen) == []
