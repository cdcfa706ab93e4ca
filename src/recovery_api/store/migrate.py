"""Brings a database to a revision of the schema, forward and back.

All functions are synchronous and take an SQLAlchemy URL of SQLite or PostgreSQL (asyncpg); call them off the event loop.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError as MigrationError
from sqlalchemy import Connection, NullPool, create_engine, event, make_url
from sqlalchemy.ext.asyncio import create_async_engine

T = TypeVar("T")

__all__ = ["MigrationError", "current", "downgrade", "latest", "upgrade", "with_connection"]

_PACKAGED = Path(__file__).parent / "migrations"
_CHECKED_OUT = Path(__file__).parents[3] / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate forward to the revision; what is there already stays."""
    with_connection(url, lambda connection: command.upgrade(_config(connection), revision))


def downgrade(url: str, revision: str) -> None:
    """Migrate back to the revision ("base": nothing is left)."""
    with_connection(url, lambda connection: command.downgrade(_config(connection), revision))


def current(url: str) -> str | None:
    """The database's revision; None for an empty database."""
    return with_connection(url, lambda connection: MigrationContext.configure(connection).get_current_revision())


def latest() -> str | None:
    """The newest revision that this program knows."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def with_connection(url: str, work: Callable[[Connection], T]) -> T:
    """What the work returns, done on one connection of the database in one transaction."""
    target = make_url(url)
    if target.get_backend_name() == "sqlite":
        if target.database and target.database != ":memory:":
            Path(target.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(target.set(drivername="sqlite"), poolclass=NullPool)
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", _begin)
        with engine.begin() as connection:
            return work(connection)
    return asyncio.run(_asynchronously(url, work))


async def _asynchronously(url: str, work: Callable[[Connection], T]) -> T:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _leave_transactions_to_us(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_PACKAGED if _PACKAGED.is_dir() else _CHECKED_OUT))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
