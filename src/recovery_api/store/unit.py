"""The store, and its units of work: a reader, or a writer whose transaction ends with it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import TypeAlias

from sqlalchemy import make_url

from recovery_api.store.engine import Connection, Engine
from recovery_api.store.ledger import Ledger
from recovery_api.store.postgresql import PostgresqlEngine
from recovery_api.store.reader import Reader
from recovery_api.store.records import Parameters
from recovery_api.store.sqlite import SqliteEngine
from recovery_api.store.statements import Statements
from recovery_api.store.visibility import Visibility
from recovery_api.store.writer import Writer, give_stamp

Clock: TypeAlias = Callable[[], int]
"""Now, in microseconds since the epoch, UTC."""


async def connect(url: str, connections: int = 10) -> Engine:
    """Open the database of an SQLAlchemy URL. Raises ValueError for anything but a SQLite file or PostgreSQL."""
    target = make_url(url)
    match target.get_backend_name():
        case "sqlite":
            return SqliteEngine(target)
        case "postgresql":
            return await PostgresqlEngine.connect(target, connections)
        case other:
            raise ValueError(f"The store runs on sqlite or postgresql, not on {other}.")


class _UndoneError(Exception):
    """Raised so that nothing of a transaction stays."""


class Store:
    """An open store."""

    def __init__(self, engine: Engine, parameters: Parameters, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self.statements = Statements(engine.dialect, parameters)
        self.ledger = Ledger(engine, self.statements, clock)

    @classmethod
    async def open(cls, url: str, parameters: Parameters, clock: Clock, *, connections: int = 10) -> "Store":
        """Open the database of an SQLAlchemy URL (SQLite, or PostgreSQL with asyncpg), which is migrated already."""
        return cls(await connect(url, connections), parameters, clock)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._engine.close()

    def reader(self, visibility: Visibility, *, snapshot: bool = False) -> AbstractAsyncContextManager[Reader]:
        """Read what the visibility shows. Each statement sees the newest state; with `snapshot`, all see the same."""
        return self._snapshot(visibility) if snapshot else nullcontext(Reader(self._engine.reading(), self.statements, visibility))

    @asynccontextmanager
    async def _snapshot(self, visibility: Visibility) -> AsyncGenerator[Reader]:
        async with self._engine.snapshot() as connection:
            yield Reader(connection, self.statements, visibility)

    def appending(self) -> AbstractAsyncContextManager[Connection]:
        """Add rows outside of any writer, seen by nobody's eyes: on the disk on a clean exit, else not there."""
        return self._engine.appending()

    @asynccontextmanager
    async def writer(self, visibility: Visibility, *, creator: str = "") -> AsyncGenerator[Writer]:
        """One transaction: committed on a clean exit, else rolled back.

        Raises ServiceUnavailable where the database could not do it now; it may be tried again.
        """
        async with self._engine.writing() as connection:
            stamp, plans = await give_stamp(connection, self.statements, self._clock())
            yield Writer(connection, self.statements, visibility, stamp, creator, plans)

    @asynccontextmanager
    async def trial(self, visibility: Visibility) -> AsyncGenerator[Writer]:
        """A transaction of which nothing stays: to see what would be if something were written. Raises as `writer` does."""
        with suppress(_UndoneError):
            async with self.writer(visibility) as writer:
                yield writer
                raise _UndoneError
