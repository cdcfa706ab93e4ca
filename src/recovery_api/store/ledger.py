"""What the authorization server remembers: entries of many kinds, each under a key of its own, until they expire.

Every change is one statement, so of two processes that do the same at once, one finds that it came second.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import BigInteger, ClauseElement, LargeBinary, Select, Text, delete, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from recovery_api.store.engine import Engine
from recovery_api.store.statement import Dialect, SqlValue, bind
from recovery_api.store.statements import Statements
from recovery_api.store.tables import ledger
from recovery_api.store.writer import Writer

NEVER: Final = (1 << 63) - 1
"""The stamp of an entry that does not expire."""


class Entry(NamedTuple):
    """One entry. `owner` is what it belongs to, or ''; stamps are microseconds since the epoch; `used`: when it was first used."""

    key: str
    owner: str
    expires: int
    used: int | None
    content: bytes


class Ledger:
    """The entries of one store. What has expired is not there."""

    def __init__(self, engine: Engine, statements: Statements, clock: Callable[[], int]) -> None:
        """`clock` gives microseconds since the epoch."""
        self._engine = engine
        self._statements = statements
        self._clock = clock

    async def find(self, kind: str, key: str) -> Entry | None:
        """The entry of the key."""
        found = await self._read("find", of_kind=kind, of_key=key)
        return found[0] if found else None

    async def entries(self, kind: str) -> list[Entry]:
        """All entries of a kind, in the order of their keys."""
        return await self._read("entries", of_kind=kind)

    async def entries_of(self, kind: str, owner: str) -> list[Entry]:
        """An owner's entries of a kind, in the order of their keys."""
        return await self._read("entries-of", of_kind=kind, of_owner=owner)

    async def add(self, kind: str, key: str, content: bytes = b"", *, owner: str = "", expires: int = NEVER) -> bool:
        """Write a new entry; False where the key has one that has not expired."""
        return await self._write("add", of_kind=kind, of_key=key, of_owner=owner, said=content, until=expires) == 1

    async def replace(self, kind: str, key: str, content: bytes, was: bytes) -> bool:
        """Write other content into an entry; False where it does not hold any more what it was."""
        return await self._write("replace", of_kind=kind, of_key=key, said=content, was=was) == 1

    async def use(self, kind: str, key: str) -> Entry | None:
        """The entry as it was before this use. Of all who use it, one finds it unused (`used` is None)."""
        before = await self.find(kind, key)
        first = await self._write("use", of_kind=kind, of_key=key) == 1
        if before is None or first or before.used is not None:
            return before
        return before._replace(used=self._clock())

    async def drop(self, kind: str, key: str) -> bool:
        """Forget an entry; False where there was none."""
        return await self._write("drop", of_kind=kind, of_key=key) == 1

    async def drop_of(self, kind: str, owner: str) -> None:
        """Forget an owner's entries of a kind."""
        await self._write("drop-of", of_kind=kind, of_owner=owner)

    async def prune(self) -> None:
        """Forget what has expired."""
        await self._write("prune")

    async def _read(self, name: str, **values: SqlValue) -> list[Entry]:
        statement = self._statements.fixed(f"ledger-{name}", lambda: _READS[name])
        rows = await self._engine.reading().fetch(statement.text, statement.values({"now": self._clock(), **values}))
        return [Entry._make(cast("Any", row)) for row in rows]

    async def _write(self, name: str, **values: SqlValue) -> int:
        """How many entries were changed."""
        dialect = self._statements.dialect
        statement = self._statements.fixed(f"ledger-{name}", lambda: _adding(dialect) if name == "add" else _WRITES[name])
        async with self._engine.writing() as connection:
            return await connection.execute(statement.text, statement.values({"now": self._clock(), **values}))


async def recall(writer: Writer, kind: str, key: str) -> Entry | None:
    """The entry of the key, as a transaction finds it."""
    statement = writer.statements.fixed("ledger-find", lambda: _READS["find"])
    rows = await writer.connection.fetch(statement.text, statement.values({"now": writer.stamp, "of_kind": kind, "of_key": key}))
    return Entry._make(cast("Any", rows[0])) if rows else None


async def remember(writer: Writer, kind: str, key: str, content: bytes, *, owner: str) -> None:
    """Write a new entry that does not expire, in a transaction."""
    dialect = writer.statements.dialect
    statement = writer.statements.fixed("ledger-add", lambda: _adding(dialect))
    given = {"now": writer.stamp, "of_kind": kind, "of_key": key, "of_owner": owner, "said": content, "until": NEVER}
    await writer.connection.execute(statement.text, statement.values(given))


_NOW = bind("now", BigInteger())
_KIND, _OWNER = ledger.c.kind == bind("of_kind", Text()), ledger.c.owner == bind("of_owner", Text())
_ONE = (_KIND, ledger.c.key == bind("of_key", Text()), ledger.c.expires > _NOW)
_CONTENT = bind("said", LargeBinary())


def _select() -> Select[Any]:
    return select(*(ledger.c[name] for name in Entry._fields)).where(_KIND, ledger.c.expires > _NOW).order_by(ledger.c.key)


_READS: Mapping[str, ClauseElement] = {
    "find": _select().where(ledger.c.key == bind("of_key", Text())),
    "entries": _select(),
    "entries-of": _select().where(_OWNER),
}
_WRITES: Mapping[str, ClauseElement] = {
    "replace": update(ledger).values(content=_CONTENT).where(*_ONE, ledger.c.content == bind("was", LargeBinary())),
    "use": update(ledger).values(used=_NOW).where(*_ONE, ledger.c.used.is_(None)),
    "drop": delete(ledger).where(*_ONE),
    "drop-of": delete(ledger).where(_KIND, _OWNER),
    "prune": delete(ledger).where(ledger.c.expires <= _NOW),
}


def _adding(dialect: Dialect) -> ClauseElement:
    """A new row, also in the place of one that has expired."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert
    given: dict[str, Any] = {"owner": bind("of_owner", Text()), "expires": bind("until", BigInteger()), "used": null(), "content": _CONTENT}
    new = insert(ledger).values(kind=bind("of_kind", Text()), key=bind("of_key", Text()), **given)
    return new.on_conflict_do_update(index_elements=["kind", "key"], set_=given, where=ledger.c.expires <= _NOW)
