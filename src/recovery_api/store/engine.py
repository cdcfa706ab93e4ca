"""One small interface over both drivers: asyncpg for PostgreSQL, the standard library's sqlite3 for SQLite."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from recovery_api.store.statement import Dialect, SqlValue

Row = Sequence[object]


class Connection(Protocol):
    """What statements run on. Values are positional, in the order of the compiled statement."""

    async def fetch(self, sql: str, values: Sequence[SqlValue] = ()) -> Sequence[Row]:
        """All rows."""
        ...

    async def execute(self, sql: str, values: Sequence[SqlValue] = ()) -> int:
        """The number of rows that were changed."""
        ...

    async def executemany(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        """Run once per row."""
        ...

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[SqlValue]]) -> None:
        """Bulk insert."""
        ...


class Engine(Protocol):
    """An open database."""

    dialect: Dialect

    def reading(self) -> Connection:
        """A connection for single statements, each in a snapshot of its own."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[Connection]:
        """A read-only transaction in which all statements see the same."""
        ...

    def writing(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction: committed on a clean exit, else rolled back."""
        ...

    def appending(self) -> AbstractAsyncContextManager[Connection]:
        """For one statement, or one group of them, that only adds rows: on the disk on a clean exit, else not there."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
