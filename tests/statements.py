"""What a server asks its database: every statement that goes through the drivers, in order."""
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, NamedTuple
from unittest.mock import patch

from recovery_api.store.postgresql import PooledConnection, PostgresqlConnection
from recovery_api.store.sqlite import SqliteConnection


class Asked(NamedTuple):
    """One statement; `values` are () for those that run once per row."""

    sql: str
    values: Sequence[Any]


@contextmanager
def recorded() -> Generator[list[Asked]]:
    """The statements that run meanwhile, on whatever store; what begins and ends a transaction is not among them.

    A copy counts as one statement, and as none where there are no rows to copy.
    """
    asked: list[Asked] = []
    with ExitStack() as stack:
        for driver in (SqliteConnection, PostgresqlConnection, PooledConnection):
            for name, method in _listening(driver, asked).items():
                stack.enter_context(patch.object(driver, name, method))
        yield asked


def _listening(driver: Any, asked: list[Asked]) -> dict[str, Callable[..., Any]]:
    def with_values(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        async def listen(self: object, sql: str, values: Sequence[Any] = ()) -> Any:
            asked.append(Asked(sql, values))
            return await method(self, sql, values)

        return listen

    async def executemany(self: object, sql: str, rows: Any) -> None:
        asked.append(Asked(sql, ()))
        await many(self, sql, rows)

    async def copy(self: object, table: str, columns: Sequence[str], rows: Any) -> None:
        rows = list(rows)
        if rows:
            asked.append(Asked(f"COPY {table}", ()))
        await copying(self, table, columns, rows)

    many, copying = driver.executemany, driver.copy
    return {"fetch": with_values(driver.fetch), "execute": with_values(driver.execute), "executemany": executemany, "copy": copy}
