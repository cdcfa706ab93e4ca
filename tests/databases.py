"""Databases for tests: real ones, made by the migrations, each test's own.

The migrations run once for each kind of database and process; every further database is a clone of that template.
"""
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Protocol

from tests import postgresql

Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgresql")
MEMORY, ROOM = Path("/dev/shm"), 4 << 30


class Databases(Protocol):
    """Makes databases of one kind. Every URL is one that Settings takes; a database is in use by nobody when it is cloned or dropped."""

    kind: Kind

    def blank(self) -> str:
        """The URL of a new database without any table."""
        ...

    def clone(self, url: str) -> str:
        """The URL of a new database that holds what the one at `url` holds now."""
        ...

    def drop(self, url: str) -> None:
        """Remove the database at `url`, and end whoever still uses it."""
        ...


class SqliteDatabases:
    """Files in one folder."""

    kind: Kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = (folder / f"{number}.db" for number in count(1))

    def blank(self) -> str:
        path = next(self._names)
        path.touch()
        return _sqlite_url(path)

    def clone(self, url: str) -> str:
        source, path = _sqlite_path(url), next(self._names)
        with closing(sqlite3.connect(source)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(source, path)
        return _sqlite_url(path)

    def drop(self, url: str) -> None:
        path = _sqlite_path(url)
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


class PostgresqlDatabases:
    """Databases of one server."""

    kind: Kind = "postgresql"

    def __init__(self, server: postgresql.Server) -> None:
        self._server = server
        self._names = (f"test_{number}" for number in count(1))

    def blank(self) -> str:
        return self._create("template1")

    def clone(self, url: str) -> str:
        return self._create(_database_name(url))

    def drop(self, url: str) -> None:
        self._server.run(f'DROP DATABASE IF EXISTS "{_database_name(url)}" WITH (FORCE)')

    def _create(self, template: str) -> str:
        name = next(self._names)
        self._server.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self._server.url(name)


@contextmanager
def opened(kind: Kind, origin: postgresql.Origin) -> Iterator[Databases]:
    """The maker of databases of `kind`, which go when it is closed; a PostgreSQL server runs for as long as it is open."""
    with TemporaryDirectory(prefix="recovery-api-databases-", dir=_place(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if kind == "sqlite":
            yield SqliteDatabases(folder)
            return
        folder.chmod(0o711)
        with postgresql.running(origin, place=folder) as server:
            yield PostgresqlDatabases(server)


def _place() -> Path | None:
    """Memory, where there is plenty: a disk takes ten times as long to clone a database of PostgreSQL, which is some 300 files."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


def migrated(databases: Databases) -> str:
    """The URL of a new database that the migrations have brought to their head."""
    from recovery_api.store import migrate

    url = databases.blank()
    postgresql.apart_from_any_loop(partial(migrate.upgrade, url))
    return url


def _sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def _sqlite_path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _database_name(url: str) -> str:
    return url.rpartition("/")[2]
