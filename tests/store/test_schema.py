"""The migrations make what the tables say, forward and back, and the tables keep the rules of staying shardable."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Table, inspect

from recovery_api.store import migrate
from recovery_api.store.tables import UNDISTRIBUTED, metadata
from tests.conftest import DatabaseMaker

DISTRIBUTED = [table for table in metadata.sorted_tables if table.name not in UNDISTRIBUTED]


def _drift(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


async def test_the_migrations_make_what_the_tables_say(blank_database: DatabaseMaker) -> None:
    url = blank_database()
    assert await asyncio.to_thread(migrate.current, url) is None
    await asyncio.to_thread(migrate.upgrade, url)
    assert await asyncio.to_thread(migrate.current, url) == migrate.latest()
    assert await asyncio.to_thread(migrate.with_connection, url, _drift) == []


async def test_the_migrations_go_back_to_nothing_and_forward_again(blank_database: DatabaseMaker) -> None:
    url = blank_database()
    await asyncio.to_thread(migrate.upgrade, url)
    await asyncio.to_thread(migrate.downgrade, url, "base")
    tables = await asyncio.to_thread(migrate.with_connection, url, lambda connection: inspect(connection).get_table_names())
    assert set(tables) <= {"alembic_version"}
    await asyncio.to_thread(migrate.upgrade, url)
    assert await asyncio.to_thread(migrate.with_connection, url, _drift) == []


@pytest.mark.parametrize("table", DISTRIBUTED, ids=lambda table: table.name)
def test_a_distributed_table_has_the_id_in_every_unique_key(table: Table) -> None:
    unique = [index.columns for index in table.indexes if index.unique]
    keys = [table.primary_key.columns] if len(table.primary_key.columns) else []
    assert all("id" in [column.name for column in columns] for columns in [*keys, *unique])
    assert "id" in table.columns


def test_no_table_points_at_another_by_a_foreign_key() -> None:
    assert not any(table.foreign_keys for table in metadata.sorted_tables)


def test_no_key_of_a_distributed_table_is_a_sequence() -> None:
    assert all(column.autoincrement is not True and column.identity is None for table in DISTRIBUTED for column in table.columns)
    assert all(next(iter(table.primary_key.columns)).name != "sequence" for table in DISTRIBUTED if len(table.primary_key.columns))
