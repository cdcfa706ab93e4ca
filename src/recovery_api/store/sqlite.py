"""SQLite, inline: statements are short and local, so they run on the event loop itself; a thread would cost more than they do."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

from sqlalchemy import URL

from recovery_api.fhir.errors import ServiceUnavailable
from recovery_api.store.engine import Row
from recovery_api.store.statement import Dialect, SqlValue

PATIENCE = 10.0
"""Seconds that a transaction waits for another process's."""
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=50",
    "foreign_keys=OFF",
    "cache_size=-32768",
    "mmap_size=268435456",
    "temp_store=MEMORY",
    "wal_autocheckpoint=4000",
)


class SqliteConnection:
    """One connection; every call is done when it returns."""

    def __init__(self, path: str, *, synced: bool = False) -> None:
        """`synced`: what it commits, and all that was committed before, is on the disk at once, not only safe from a crash."""
        self._raw = sqlite3.connect(path, isolation_level=None, cached_statements=1024, check_same_thread=False)
        for pragma in _PRAGMAS:
            self._raw.execute(f"PRAGMA {pragma}").close()
        if synced:
            self._raw.execute("PRAGMA synchronous=FULL").close()

    async def fetch(self, sql: str, values: Sequence[SqlValue] = ()) -> Sequence[Row]:
        return self._raw.execute(sql, cast("tuple[str, ...]", values)).fetchall()

    async def execute(self, sql: str, values: Sequence[SqlValue] = ()) -> int:
        return self._raw.execute(sql, cast("tuple[str, ...]", values)).rowcount

    async def executemany(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        self._raw.executemany(sql, cast("Iterable[tuple[str, ...]]", rows))

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[SqlValue]]) -> None:
        names, places = ",".join(columns), ",".join("?" * len(columns))
        insert = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - names of our own tables
        self._raw.executemany(insert, cast("Iterable[tuple[str, ...]]", rows))

    async def begin(self, how: str) -> None:
        """Start a transaction, waiting for other processes without holding up the event loop."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._raw.execute(how)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise ServiceUnavailable from error
                await asyncio.sleep(0.005)
            else:
                return

    def end(self, how: str) -> None:
        """COMMIT or ROLLBACK."""
        if self._raw.in_transaction:
            self._raw.execute(how)

    def close(self) -> None:
        """Close the file."""
        self._raw.close()


class SqliteEngine:
    """One connection that writes, one for the audit log, one that reads, and further ones for snapshots."""

    dialect: Dialect = "sqlite"

    def __init__(self, url: URL) -> None:
        if not url.database or url.database == ":memory:":
            raise ValueError("The store needs a SQLite file: sqlite:///path/to/file.db")
        self._path = url.database
        self._reader = SqliteConnection(self._path)
        self._writer = SqliteConnection(self._path)
        self._log = SqliteConnection(self._path, synced=True)
        self._snapshots: list[SqliteConnection] = []
        self._turn = asyncio.Lock()

    def reading(self) -> SqliteConnection:
        return self._reader

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[SqliteConnection]:
        connection = self._snapshots.pop() if self._snapshots else SqliteConnection(self._path)
        await connection.begin("BEGIN")
        try:
            yield connection
        finally:
            connection.end("ROLLBACK")
            self._snapshots.append(connection)

    def writing(self) -> AbstractAsyncContextManager[SqliteConnection]:
        return self._transaction(self._writer)

    def appending(self) -> AbstractAsyncContextManager[SqliteConnection]:
        return self._transaction(self._log)

    @asynccontextmanager
    async def _transaction(self, connection: SqliteConnection) -> AsyncGenerator[SqliteConnection]:
        async with self._turn:
            await connection.begin("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.end("COMMIT")
            except BaseException:
                connection.end("ROLLBACK")
                raise

    async def close(self) -> None:
        for connection in (self._reader, self._writer, self._log, *self._snapshots):
            connection.close()
