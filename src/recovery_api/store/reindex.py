"""Derives anew what follows from current versions: index rows, facets, relations, labels. Online: no new versions, writers go on."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

from sqlalchemy import BigInteger, ClauseElement, Text, delete, select, update

from recovery_api.fhir.errors import ServiceUnavailable
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.search.expression import IndexRow
from recovery_api.store import label_rows, writes
from recovery_api.store.labelling import Labeller
from recovery_api.store.records import Facets
from recovery_api.store.statement import bind
from recovery_api.store.tables import party, resource, search_index
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM
from recovery_api.store.writer import Writer, party_rows, type_number

ATTEMPTS: Final = 5
LABELS: Final = frozenset({"labels", "raised"})
"""The columns of facets that `Labeller` keeps."""


async def reindex(
    store: Store,
    types: Iterable[str],
    extract: Callable[[JsonObject], Sequence[IndexRow]],
    labeller: Labeller,
    batch: int = 500,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Derive anew, for all current resources of the types, a batch per transaction, all that follows from them; their number.

    `extract` gives the index rows, `labeller` knows the facets; `progress` hears of every batch's size. Raises ServiceUnavailable
    where a batch does not get through after five attempts.
    """
    done = 0
    for type_ in types:
        last: str | None = ""
        while last is not None:
            count, last = await _attempt(store, type_, last, extract, labeller, batch)
            done += count
            if progress is not None:
                progress(count)
    return done


async def _attempt(
    store: Store, type_: str, last: str, extract: Callable[[JsonObject], Sequence[IndexRow]], labeller: Labeller, batch: int
) -> tuple[int, str | None]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with store.writer(SYSTEM) as writer:
                ids = await _after(writer, type_, last, batch)
                if ids:
                    await derive(writer, [f"{type_}/{id_}" for id_ in ids], extract, labeller)
                return len(ids), ids[-1] if len(ids) == batch else None
        except ServiceUnavailable:
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(0.05 * attempt)
    raise ServiceUnavailable


async def _after(writer: Writer, type_: str, last: str, limit: int) -> list[str]:
    statement = writer.statements.fixed("reindex-after", _next)
    named: dict[str, Any] = {"of_type": type_, "last": last, "limit": limit}
    return [cast("str", row[0]) for row in await writer.connection.fetch(statement.text, statement.values(named))]


async def restate(
    writer: Writer, said: JsonObject, raised: int, extract: Callable[[JsonObject], Sequence[IndexRow]], labeller: Labeller
) -> None:
    """Store another `meta` of a current version, and other raised labels, where it stands: no new version."""
    statement = writer.statements.fixed("restate", _restating)
    named: dict[str, Any] = {"of_type": said["resourceType"], "of_id": said["id"], "new_raised": raised, "new_body": dump(said)}
    await writer.connection.execute(statement.text, statement.values(named))
    await derive(writer, [f"{said['resourceType']}/{said['id']}"], extract, labeller)


def _restating() -> ClauseElement:
    of_this = (resource.c.type == bind("of_type", Text()), resource.c.id == bind("of_id", Text()))
    return update(resource).values(raised=writes.new("raised"), body=writes.new("body")).where(*of_this)


async def derive(
    writer: Writer, references: Sequence[str], extract: Callable[[JsonObject], Sequence[IndexRow]], labeller: Labeller
) -> None:
    """Derive anew all that follows from stored resources ("Type/id"): facets and relations first, since labels come by them."""
    await label_rows.hold(writer, await label_rows.clients_of(writer, references), alone=True, begin=True)
    change, forget, unname = writer.statements.steps("reindex", _steps)
    found: list[tuple[JsonObject, int, Facets]] = []
    for row in await label_rows.fetch(writer, references):
        said = load(row.body)
        found.append((said, row.version, labeller.describe(said)))
    changes: list[dict[str, Any]] = []
    for said, version, facets in found:
        of_this = {"of_type": said["resourceType"], "of_id": said["id"], "of_version": version}
        changes.append(of_this | {"of_number": type_number(said["resourceType"])} | _named(facets))
        if facets.relations is not None:
            await writer.project(said["resourceType"], said["id"], facets.relations)
    for step in (change, unname):
        await writer.connection.executemany(step.text, [step.values(named) for named in changes])
    parties = [row for said, version, facets in found for row in party_rows(said["resourceType"], said["id"], version, facets)]
    await writer.connection.copy("party", writes.PARTY_COLUMNS, parties)
    await labeller.relabel(writer, references)
    await writer.connection.executemany(forget.text, [forget.values(named) for named in changes])
    rows = [
        (row[0], type_number(each.type), each.id, each.client, *row[1:])
        for each in await label_rows.fetch(writer, references)
        for row in extract(load(each.body))
    ]
    await writer.connection.copy("search_index", writes.INDEX_COLUMNS, rows)


def _named(facets: Facets) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in facets.columns.items() if name not in LABELS}


def _next() -> ClauseElement:
    after = (resource.c.type == bind("of_type", Text()), resource.c.id > bind("last", Text()))
    return select(resource.c.id).where(*after).order_by(resource.c.id).limit(bind("limit", BigInteger()))


def _steps() -> tuple[ClauseElement, ...]:
    type_, id_ = bind("of_type", Text()), bind("of_id", Text())
    columns = {name: writes.new(name) for name in Facets().columns if name not in LABELS}
    named = (party.c.type == type_, party.c.id == id_, party.c.version == bind("of_version", BigInteger()))
    number = bind("of_number", search_index.c.type.type)
    return (
        update(resource).values(columns).where(resource.c.type == type_, resource.c.id == id_),
        delete(search_index).where(search_index.c.type == number, search_index.c.id == id_),
        delete(party).where(*named),
    )
