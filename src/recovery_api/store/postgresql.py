"""PostgreSQL by asyncpg, on a small last-in-first-out pool: the warmest connection, with its prepared statements, goes first."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from sqlalchemy import URL

from recovery_api.fhir.errors import ServiceUnavailable
from recovery_api.store.engine import Row
from recovery_api.store.statement import Dialect, SqlValue

_CACHED = {"statement_cache_size": 512, "max_cached_statement_lifetime": 0, "max_cacheable_statement_size": 0}
"""Every statement is prepared once for a connection, however long it is: a rule of access makes long ones."""
_SESSION = {"jit": "off", "plan_cache_mode": "force_generic_plan", "application_name": "recovery-api"}
_RETRYABLE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
    TimeoutError,
)
"""What the caller may try again: nothing was done, or nobody knows whether it was."""


class Pool:
    """At most `size` connections, made when they are needed."""

    def __init__(self, options: dict[str, Any], size: int) -> None:
        self._options = options
        self._room = size
        self._idle: list[asyncpg.Connection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> asyncpg.Connection:
        """An open connection; waits for one where all are taken, and raises ServiceUnavailable after ten seconds."""
        deadline = asyncio.get_running_loop().time() + 10
        while True:
            while self._idle:
                if not (connection := self._idle.pop()).is_closed():
                    return connection
                self._room += 1
            if self._room > 0:
                self._room -= 1
                try:
                    return await asyncpg.connect(**self._options)
                except BaseException as error:
                    self._room += 1
                    self._wake()
                    if isinstance(error, (*_RETRYABLE, OSError)):
                        raise ServiceUnavailable from error
                    raise
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                async with asyncio.timeout_at(deadline):
                    await turn
            except TimeoutError as error:
                raise ServiceUnavailable from error
            finally:
                if not turn.done():
                    turn.cancel()

    def give(self, connection: asyncpg.Connection) -> None:
        """Take a connection back."""
        if connection.is_closed():
            self._room += 1
        elif connection.is_in_transaction():
            connection.terminate()
            self._room += 1
        else:
            self._idle.append(connection)
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            if not (turn := self._waiting.popleft()).done():
                turn.set_result(None)
                return

    async def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            await self._idle.pop().close()


class PostgresqlConnection:
    """A connection within a transaction."""

    def __init__(self, raw: asyncpg.Connection) -> None:
        self._raw = raw

    async def fetch(self, sql: str, values: Sequence[SqlValue] = ()) -> Sequence[Row]:
        return cast("Sequence[Row]", await self._raw.fetch(sql, *values))

    async def execute(self, sql: str, values: Sequence[SqlValue] = ()) -> int:
        return _changed(await self._raw.execute(sql, *values))

    async def executemany(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        await self._raw.executemany(sql, rows)

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[SqlValue]]) -> None:
        await self._raw.copy_records_to_table(table, columns=columns, records=rows)


class PooledConnection:
    """Takes a connection for each statement, so a request that waits for something else holds none."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def fetch(self, sql: str, values: Sequence[SqlValue] = ()) -> Sequence[Row]:
        raw = await self._pool.take()
        try:
            return cast("Sequence[Row]", await raw.fetch(sql, *values))
        except _RETRYABLE as error:
            if _may_be_tried_again(error):
                raise ServiceUnavailable from error
            raise
        finally:
            self._pool.give(raw)

    async def execute(self, sql: str, values: Sequence[SqlValue] = ()) -> int:
        raw = await self._pool.take()
        try:
            return _changed(await raw.execute(sql, *values))
        except _RETRYABLE as error:
            if _may_be_tried_again(error):
                raise ServiceUnavailable from error
            raise
        finally:
            self._pool.give(raw)

    async def executemany(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        raw = await self._pool.take()
        try:
            await raw.executemany(sql, rows)
        finally:
            self._pool.give(raw)

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[SqlValue]]) -> None:
        raw = await self._pool.take()
        try:
            await raw.copy_records_to_table(table, columns=columns, records=rows)
        finally:
            self._pool.give(raw)


class PostgresqlEngine:
    """A pool, and transactions on its connections."""

    dialect: Dialect = "postgresql"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._reading = PooledConnection(pool)

    @classmethod
    async def connect(cls, url: URL, connections: int) -> "PostgresqlEngine":
        """Open a first connection, so that a wrong URL is known at once."""
        dialect = url.set(drivername="postgresql+asyncpg").get_dialect()()
        _, given = dialect.create_connect_args(url)
        options: dict[str, Any] = dict(given)
        options |= {"server_settings": _SESSION, "command_timeout": 60, **_CACHED}
        pool = Pool(options, connections)
        pool.give(await pool.take())
        return cls(pool)

    def reading(self) -> PooledConnection:
        return self._reading

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[PostgresqlConnection]:
        async with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[PostgresqlConnection]:
        async with self._transaction("BEGIN") as connection:
            yield connection

    @asynccontextmanager
    async def appending(self) -> AsyncGenerator[PooledConnection]:
        yield self._reading  # a single statement is a transaction of its own

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncGenerator[PostgresqlConnection]:
        raw = await self._pool.take()
        try:
            await raw.execute(begin)
            yield PostgresqlConnection(raw)
            await raw.execute("COMMIT")
        except BaseException as error:
            await _roll_back(raw)
            if _may_be_tried_again(error):
                raise ServiceUnavailable from error
            raise
        finally:
            self._pool.give(raw)

    async def close(self) -> None:
        await self._pool.close()


def _changed(status: str) -> int:
    return int(status.rpartition(" ")[2]) if status[-1:].isdigit() else 0


def _may_be_tried_again(error: BaseException) -> bool:
    return isinstance(error, _RETRYABLE) and not isinstance(error, ValueError)


async def _roll_back(raw: asyncpg.Connection) -> None:
    """End the transaction; a connection that can't is let go, and the server ends it."""
    if raw.is_closed() or not raw.is_in_transaction():
        return
    try:
        await raw.execute("ROLLBACK")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        raw.terminate()
