"""The schema that migrations make is the one that the models say."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from eventcenter.errors import Unavailable
from eventcenter.settings import Settings
from eventcenter.store import Store, migrations
from eventcenter.store.migrations import steps
from eventcenter.store.models import Base


def migrated(folder: Path) -> Settings:
    settings = Settings(data_dir=folder / "data")
    Store.open(settings).close()
    return settings


def test_metadata_and_migrated_schema_are_equal(tmp_path: Path) -> None:
    engine = create_engine(migrated(tmp_path).store_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_schema_that_is_looked_for_is_that_of_the_last_step() -> None:
    assert max(steps.known()) == migrations.HEAD


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    settings = migrated(tmp_path)
    Store.open(settings).close()
    with Store.open_readonly(settings) as store:
        store.require_current()


@pytest.mark.parametrize("opening", [Store.open, Store.open_readonly])
def test_a_store_of_a_newer_version_is_refused(tmp_path: Path, opening: object) -> None:
    settings = migrated(tmp_path)
    engine = create_engine(settings.store_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert callable(opening)
    with pytest.raises(Unavailable) as caught:
        opening(settings)
    assert "newer version" in caught.value.detail
    assert caught.value.value == "9999"
    assert migrations.HEAD in str(caught.value)


def test_a_failed_migration_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    settings.data_dir.mkdir()
    engine = create_engine(settings.store_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE rule (id INTEGER)"))
    with pytest.raises(Unavailable):
        Store.open(settings)
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars()
        assert list(tables) == ["rule"]
    engine.dispose()


def test_every_table_can_be_made_on_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in Base.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))


def test_every_table_of_a_tenant_names_it() -> None:
    whole_installation = {"meta", "tenant", "user_account", "session", "sign_in_link"}
    for table in Base.metadata.sorted_tables:
        assert table.name in whole_installation or "tenant_id" in table.columns, table.name
