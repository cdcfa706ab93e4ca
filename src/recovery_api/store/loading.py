"""What loading needs of the store: the system's own sight, what is there already, and events that are raised only when told to."""
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, cast

import asyncpg
from sqlalchemy import BigInteger, ClauseElement, Text, delete, select

from recovery_api.fhir.errors import Conflict
from recovery_api.fhir.json import JsonObject, dump
from recovery_api.fhir.labels import codings, raised
from recovery_api.fhir.search.expression import IndexRow
from recovery_api.store import bulk
from recovery_api.store.bulk import Item
from recovery_api.store.label_rows import security_rows
from recovery_api.store.labelling import Labelled, Labeller
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
    """A resource to store; its `meta` says its version, which only the transaction knows, and its labels."""

    type: str
    id: str
    facets: Facets
    rows: Sequence[IndexRow]
    """Its index rows, save those of labels."""
    content: Callable[[int, int], JsonObject]
    """The resource for a version's number and stamp (microseconds, UTC), with the labels that were sent."""


async def write(store: Store, labeller: Labeller, drafts: Sequence[Draft], *, notify: bool) -> None:
    """Store the drafts, each id once, in one transaction, as the version after the last one of their id; with `notify`, tell of them.

    Raises Conflict where somebody else stores one of them at the same time, ServiceUnavailable where the database is busy:
    both may be tried again.
    """
    try:
        async with store.writer(SYSTEM, creator=CREATOR) as writer:
            items = await _items(writer, labeller, drafts)
            await bulk.load(writer, items)
            if notify:
                await bulk.tell(writer, [each for each in items if not each.replaces], "PUT")
            elif any(each.replaces for each in items):
                silence = writer.statements.fixed("silence", lambda: delete(outbox).where(outbox.c.stamp == bind("stamp", BigInteger())))
                await writer.connection.execute(silence.text, [writer.stamp])
    except (asyncpg.UniqueViolationError, sqlite3.IntegrityError) as error:
        raise Conflict from error


async def _items(writer: Writer, labeller: Labeller, drafts: Sequence[Draft]) -> list[Item]:
    last: dict[tuple[str, str], bulk.Last] = {}
    for type_, ids in by_type((draft.type, draft.id) for draft in drafts).items():
        last |= {(type_, id_): found for id_, found in (await bulk.versions(writer, type_, ids)).items()}
    befores = [last.get((draft.type, draft.id), bulk.NEVER_THERE) for draft in drafts]
    nodes = [_labelled(writer, draft, before) for draft, before in zip(drafts, befores, strict=True)]
    await labeller.label(writer, nodes)
    return [
        Item(type_, id_, before.version + 1, before.there, dump(node.resource), node.facets, [*rows, *_labels(node)])
        for (type_, id_, _, rows, _), before, node in zip(drafts, befores, nodes, strict=True)
    ]


def _labelled(writer: Writer, draft: Draft, before: bulk.Last) -> Labelled:
    said = draft.content(before.version + 1, writer.stamp)
    facets = draft.facets._replace(raised=raised(said["meta"].get("security"), before.labels, before.raised))
    return Labelled(said, facets, before=before.labels if before.there else None)


def _labels(node: Labelled) -> list[IndexRow]:
    return security_rows(node.resource["resourceType"], codings(node.facets.labels))


def by_type(keys: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The ids of (type, id) pairs, by type."""
    found: dict[str, list[str]] = {}
    for type_, id_ in keys:
        found.setdefault(type_, []).append(id_)
    return found


def _contents(store: Store) -> ClauseElement:
    listed = in_list(resource.c.id, "ids", store.statements.dialect)
    return select(resource.c.id, resource.c.body).where(resource.c.type == bind("of_type", Text()), listed)
