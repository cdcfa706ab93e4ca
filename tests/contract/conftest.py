"""Servers over worlds, for the contract tests: one for each database and world, which nobody changes."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from recovery_api.store.postgresql import PooledConnection, PostgresqlConnection
from recovery_api.store.sqlite import SqliteConnection
from tests.api import serving
from tests.contract.direct import Direct
from tests.contract.twin_worlds import TwinWorlds
from tests.contract.twin_worlds import twin_worlds as opened
from tests.databases import Databases
from tests.wider import wide


@pytest.fixture(scope="session")
async def fixture_api(databases: Databases, world_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Direct]:
    """The fixture world at T0."""
    async with serving(databases.clone(world_template), tmp_path_factory.mktemp("fixture")) as api:
        yield Direct(api)


@pytest.fixture(scope="session")
async def wide_api(databases: Databases, wide_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Direct]:
    """The wide world at T0."""
    async with serving(databases.clone(wide_template), tmp_path_factory.mktemp("wide")) as api:
        yield Direct(api)


@pytest.fixture
async def moved_api(databases: Databases, wide_template: str, tmp_path: Path) -> AsyncIterator[Direct]:
    """The wide world at T0, with a clock that the test may move, and in which it may write."""
    url = databases.clone(wide_template)
    async with serving(url, tmp_path) as api:
        yield Direct(api)
    databases.drop(url)


@pytest.fixture(scope="session")
async def twin_worlds(databases: Databases, wide_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwinWorlds]:
    """Two servers over the wide world."""
    async with opened(databases, wide_template, tmp_path_factory.mktemp("twins"), wide().resources) as made:
        yield made


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Call it for the number of SQL statements that were sent so far."""
    sent = 0

    def counted(connection: type, method: str) -> None:
        send = getattr(connection, method)

        def count(*args: Any) -> Any:
            nonlocal sent
            sent += 1
            return send(*args)

        monkeypatch.setattr(connection, method, count)

    for connection in (SqliteConnection, PostgresqlConnection, PooledConnection):
        for method in ("fetch", "execute", "executemany"):
            counted(connection, method)
    return lambda: sent
