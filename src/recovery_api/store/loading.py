"""What loading needs of the store: the system's own sight, what is there already, and events that are raised only when told to."""
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, cast

import asyncpg
from sqlalchemy import BigInteger, ClauseElement, Text, delete, select

from recovery_api.fhir.errors import Conflict
from recovery_api.fhir.search.expression import IndexRow
from recovery_api.store import bulk
from recovery_api.store.bulk import Item
from recovery_api.store.reader import Reader
from recovery_api.store.records import Facets
from recovery_api.store.statement import bind, in_list, text_list
from recovery_api.store.tables import outbox, resource
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM
from recovery_api.store.writer import Writer

CREATOR = "load"
"""Who made what was loaded."""


@asynccontextmanager
async def sighted(store: Store) -> AsyncGenerator[Reader]:
    """A reader that sees everything."""
    async with store.reader(SYSTEM) as reader:
        yield reader


async def contents(store: Store, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
    """The bodies of the current versions of those (type, id) pairs that are there."""
    statement = store.statements.fixed("contents", lambda: _contents(store))
    found: dict[tuple[str, str], bytes] = {}
    async with store.reader(SYSTEM) as reader:
        for type_, listed in by_type(keys).items():
            values = statement.values({"of_type": type_, "ids": text_list(listed, store.statements.dialect)})
            for id_, body in cast("Sequence[tuple[str, bytes]]", await reader.connection.fetch(statement.text, values)):
                found[type_, id_] = body
    return found


class Draft(NamedTuple):
    """A resource to store; its body says its version, which only the transaction knows."""

    type: str
    id: str
    facets: Facets
    rows: Sequence[IndexRow]
    body: Callable[[int, int], bytes]
    """The bytes for a version's number and stamp (microseconds, UTC)."""


async def write(store: Store, drafts: Sequence[Draft], *, notify: bool) -> None:
    """Store the drafts, each id once, in one transaction, as the version after the last one of their id; with `notify`, tell of them.

    Raises Conflict where somebody else stores one of them at the same time, ServiceUnavailable where the database is busy:
    both may be tried again.
    """
    try:
        async with store.writer(SYSTEM, creator=CREATOR) as writer:
            items = await _items(writer, drafts)
            await bulk.load(writer, items)
            if notify:
                await bulk.tell(writer, [each for each in items if not each.replaces], "PUT")
            elif any(each.replaces for each in items):
                silence = writer.statements.fixed("silence", lambda: delete(outbox).where(outbox.c.stamp == bind("stamp", BigInteger())))
                await writer.connection.execute(silence.text, [writer.stamp])
    except (asyncpg.UniqueViolationError, sqlite3.IntegrityError) as error:
        raise Conflict from error


async def _items(writer: Writer, drafts: Sequence[Draft]) -> list[Item]:
    last: dict[tuple[str, str], tuple[int, bool]] = {}
    for type_, ids in by_type((draft.type, draft.id) for draft in drafts).items():
        for id_, (version, body) in (await bulk.versions(writer, type_, ids)).items():
            last[type_, id_] = version, body is not None
    items: list[Item] = []
    for type_, id_, facets, rows, body in drafts:
        version, there = last.get((type_, id_), (0, False))
        items.append(Item(type_, id_, version + 1, there, body(version + 1, writer.stamp), facets, rows))
    return items


def by_type(keys: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The ids of (type, id) pairs, by type."""
    found: dict[str, list[str]] = {}
    for type_, id_ in keys:
        found.setdefault(type_, []).append(id_)
    return found


def _contents(store: Store) -> ClauseElement:
    listed = in_list(resource.c.id, "ids", store.statements.dialect)
    return select(resource.c.id, resource.c.body).where(resource.c.type == bind("of_type", Text()), listed)
