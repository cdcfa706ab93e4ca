"""Parquet files of the store's current resources: read a page at a time, run through the views by DuckDB, a file for each view."""
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb

from recovery_api.analytics.engines import columns_in_duckdb, teach_duckdb
from recovery_api.fhir.view_definition import Key, View
from recovery_api.interactions.context import Server
from recovery_api.store.search import SearchQuery

PAGE: Final = 1_000
"""Resources that are held at a time."""

MEMORY: Final = "256MB"
"""What DuckDB may take before it writes to its own file."""


class NotWritten(Exception):
    """The tables can't be written; the message is a sentence."""


async def write(server: Server, views: Sequence[View], folder: Path, key: Key, progress: Callable[[int], None]) -> dict[str, int]:
    """Write `folder/NAME.parquet` for each view, readable by the owner alone; how many rows each has.

    `progress` hears of every page's size. Each file is put in its place when it is whole. Nothing but rows of the views is on the disk at
    any time. Raises NotWritten where a resource doesn't fit a view or the disk is full, ServiceUnavailable where the store can't be read.
    """
    try:
        with TemporaryDirectory(dir=folder, prefix=".export-") as work, duckdb.connect(Path(work) / "rows.duckdb") as connection:
            connection.execute(f"SET memory_limit = '{MEMORY}'; SET TimeZone = 'UTC'")
            for view in views:
                teach_duckdb(connection, view, key)
                connection.execute(f"CREATE TABLE {view.name}_rows ({columns_in_duckdb(view)})")
            for type in sorted({view.resource for view in views}):
                concerned = [view.name for view in views if view.resource == type]
                async for texts in _pages(server, type):
                    for name in concerned:
                        _run(connection, name, texts)
                    progress(len(texts))
            return {view.name: _written(connection, view.name, Path(work), folder) for view in views}
    except duckdb.Error as error:
        raise NotWritten(f"The tables were not written: {str(error).strip().splitlines()[-1]}") from error


async def _pages(server: Server, type: str) -> AsyncIterator[list[str]]:
    async with server.store.reader(server.grants.system) as reader:
        async for page in reader.pages(SearchQuery((type,), count=PAGE)):
            yield [record.body.decode() for record in page.records if record.body]


def _run(connection: duckdb.DuckDBPyConnection, name: str, texts: Sequence[str]) -> None:
    run = f"SELECT unnest({name}(resource), recursive := true) FROM (SELECT unnest(?::VARCHAR[]) AS resource)"  # noqa: S608 (a view's name is a plain word)
    connection.execute(f"INSERT INTO {name}_rows {run}", [texts])


def _written(connection: duckdb.DuckDBPyConnection, name: str, work: Path, folder: Path) -> int:
    made = work / f"{name}.parquet"
    made.touch(mode=0o600)
    connection.execute(f"COPY {name}_rows TO ? (FORMAT parquet, COMPRESSION zstd)", [str(made)])
    counted = connection.fetchone()
    made.chmod(0o600)
    made.replace(folder / made.name)
    return counted[0] if counted else 0
