"""Rewrites index rows of current versions, online: no new versions, and writers go on beside it."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

from sqlalchemy import BigInteger, ClauseElement, Text, delete, select

from recovery_api.fhir.errors import ServiceUnavailable
from recovery_api.fhir.search.expression import IndexRow
from recovery_api.store import writes
from recovery_api.store.statement import bind, in_list, text_list
from recovery_api.store.statements import Statements
from recovery_api.store.tables import resource, search_index
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM
from recovery_api.store.writer import Writer, type_number

ATTEMPTS: Final = 5


async def reindex(
    store: Store,
    types: Iterable[str],
    extract: Callable[[str, bytes], Sequence[IndexRow]],
    batch: int = 500,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Index all current resources of the types again, a batch per transaction; the number of resources.

    `extract` gives the rows of a (type, body); `progress` hears of every batch's size. Raises ServiceUnavailable where a batch
    does not get through after five attempts.
    """
    done = 0
    for type_ in types:
        last: str | None = ""
        while last is not None:
            count, last = await _attempt(store, type_, last, extract, batch)
            done += count
            if progress is not None:
                progress(count)
    return done


async def _attempt(
    store: Store, type_: str, last: str, extract: Callable[[str, bytes], Sequence[IndexRow]], batch: int
) -> tuple[int, str | None]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with store.writer(SYSTEM) as writer:
                return await _batch(writer, type_, last, extract, batch)
        except ServiceUnavailable:
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(0.05 * attempt)
    raise ServiceUnavailable


async def _batch(
    writer: Writer, type_: str, last: str, extract: Callable[[str, bytes], Sequence[IndexRow]], batch: int
) -> tuple[int, str | None]:
    """The number of resources after the last id that were indexed, and the new last id; None where there are no more."""
    find, forget = writer.statements.steps("reindex", lambda: _steps(writer.statements))
    named: dict[str, Any] = {"of_type": type_, "last": last, "limit": batch, "of_type_number": type_number(type_)}
    rows = cast("Sequence[tuple[str, str, bytes]]", await writer.connection.fetch(find.text, find.values(named)))
    named["ids"] = text_list([row[0] for row in rows], writer.statements.dialect)
    await writer.connection.execute(forget.text, forget.values(named))
    await writer.connection.copy(
        "search_index",
        writes.INDEX_COLUMNS,
        [
            (row.param, type_number(type_), id_, client, row.system, row.value, row.system2, row.value2, row.low, row.high)
            for id_, client, body in rows
            for row in extract(type_, body)
        ],
    )
    return len(rows), rows[-1][0] if len(rows) == batch else None


def _steps(statements: Statements) -> tuple[ClauseElement, ...]:
    find = (
        select(resource.c.id, resource.c.client, resource.c.body)
        .where(resource.c.type == bind("of_type", Text()), resource.c.id > bind("last", Text()))
        .order_by(resource.c.id)
        .limit(bind("limit", BigInteger()))
        .with_for_update()
    )
    number = bind("of_type_number", search_index.c.type.type)
    return find, delete(search_index).where(search_index.c.type == number, in_list(search_index.c.id, "ids", statements.dialect))
