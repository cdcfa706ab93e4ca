"""Whether a database can be served: its schema, what waits in it, and how much it holds."""
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import asyncpg
from sqlalchemy import Text, column, func, make_url, select, table
from sqlalchemy.exc import SQLAlchemyError

from recovery_api.store.statement import bind
from recovery_api.store.tables import outbox, resource
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM

REVISION: Final = "0007"
"""The newest migration. Alembic knows it too, but takes long to ask; a test compares the two."""

DATABASE_ERRORS: Final = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, sqlite3.Error)
"""What a database refuses with, by whichever way it was asked."""

_CATALOGUE = {"sqlite": ("sqlite_master", "name"), "postgresql": ("pg_tables", "tablename")}


class NotMigrated(Exception):
    """The database has not the schema that this program works with; the message is a sentence."""


def check_file(url: str) -> None:
    """Raise NotMigrated where the URL names a SQLite file that is not there."""
    target = make_url(url)
    if target.get_backend_name() == "sqlite" and not Path(target.database or "").is_file():
        raise NotMigrated(f"There is no database yet at {target.database}: run `recovery-api migrate`.")


async def check_revision(store: Store) -> None:
    """Raise NotMigrated where the database's revision is not ours, ServiceUnavailable where it can't be asked."""
    found = await revision(store)
    if found is None:
        raise NotMigrated("The database is empty: run `recovery-api migrate`.")
    if found != REVISION:
        raise NotMigrated(f"The database is at revision {found}, and this program needs {REVISION}: run `recovery-api migrate`.")


async def revision(store: Store) -> str | None:
    """The database's revision; None where no migration ran."""
    catalogue, name = _CATALOGUE[store.statements.dialect]
    tables = table(catalogue, column(name, Text))
    there = store.statements.fixed("has-table", lambda: select(func.count()).where(tables.c[name] == bind("table", Text())))
    said = store.statements.fixed("revision", lambda: select(table("alembic_version", column("version_num", Text)).c.version_num))
    async with store.reader(SYSTEM) as reader:
        [count] = await reader.connection.fetch(there.text, there.values({"table": "alembic_version"}))
        if count[0] == 0:
            return None
        rows = await reader.connection.fetch(said.text)
    return cast("str", rows[0][0]) if rows else None


async def backlog(store: Store) -> int:
    """How many events wait to be delivered."""
    statement = store.statements.fixed("backlog", lambda: select(func.count()).select_from(outbox))
    async with store.reader(SYSTEM) as reader:
        [row] = await reader.connection.fetch(statement.text)
    return cast("int", row[0])


async def counts(store: Store) -> dict[str, int]:
    """How many current resources of each type there are."""
    statement = store.statements.fixed("counts", lambda: select(resource.c.type, func.count()).group_by(resource.c.type))
    async with store.reader(SYSTEM) as reader:
        rows = await reader.connection.fetch(statement.text)
    return dict(sorted((type_, count) for type_, count in cast("Sequence[tuple[str, int]]", rows)))


def refusal(error: BaseException) -> str:
    """What the database said, in one line without SQL; `error` is one of DATABASE_ERRORS."""
    said = getattr(error, "orig", None) or error
    return str(said).partition("\n")[0].rpartition(">: ")[2].rstrip(".") if not isinstance(said, SQLAlchemyError) else type(said).__name__
