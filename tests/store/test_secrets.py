"""The secret box and its key."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from eventcenter.errors import InvalidInput, Unavailable
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.bootstrap import bootstrap
from eventcenter.store.secrets import SecretBox


def test_the_key_lies_beside_the_data_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    sealed = SecretBox(settings).encrypt(b"SECabc")
    assert b"SECabc" not in sealed
    key = tmp_path / "data.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["data.key"]
    assert SecretBox(settings).decrypt(sealed) == b"SECabc"


def test_a_key_from_the_setting_makes_no_file(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    box = SecretBox(Settings(data_dir=tmp_path / "data", secret_key=key))
    assert box.decrypt(box.encrypt(b"x")) == b"x"
    assert list(tmp_path.iterdir()) == []


def test_another_key_is_told_before_anything_else_goes_wrong(tmp_path: Path) -> None:
    first = Settings(data_dir=tmp_path / "data", secret_key=Fernet.generate_key().decode())
    second = Settings(data_dir=tmp_path / "data", secret_key=Fernet.generate_key().decode())
    with Store.open(first) as store:
        assert bootstrap(store, SecretBox(first))
        assert not bootstrap(store, SecretBox(first))
        with pytest.raises(Unavailable) as caught:
            bootstrap(store, SecretBox(second))
    assert "another key" in caught.value.detail
    assert caught.value.remedy is not None
    assert second.secret_key is not None
    assert second.secret_key not in str(caught.value)


@pytest.mark.parametrize("key", ["", "short", "é" * 44, "A" * 44 + "!"])
def test_a_key_that_is_none_is_refused_unshown(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        SecretBox(Settings(data_dir=tmp_path / "data", secret_key=key))
    assert caught.value.value is None


def test_an_unreadable_key_file_says_where(tmp_path: Path) -> None:
    (tmp_path / "data.key").mkdir()
    with pytest.raises(Unavailable) as caught:
        SecretBox(Settings(data_dir=tmp_path / "data"))
    assert "data.key" in str(caught.value)
