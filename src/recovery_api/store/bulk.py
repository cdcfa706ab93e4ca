"""Bulk writing: many resources at a time, by COPY on PostgreSQL."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, cast

from sqlalchemy import ClauseElement, ColumnElement, Integer, Table, Text, literal_column, select, union_all

from recovery_api.fhir.search.expression import IndexRow
from recovery_api.store import writes
from recovery_api.store.records import Facets
from recovery_api.store.statement import SqlValue, bind, in_list, text_list
from recovery_api.store.statements import Statements
from recovery_api.store.tables import history, resource
from recovery_api.store.writer import Writer, party_rows, stated, type_number


class Item(NamedTuple):
    """One resource to load: version 1 of a new one, or the version after the last one of its id (see `versions`)."""

    type: str
    id: str
    version: int
    replaces: bool
    """There is a current version, which goes to history."""
    body: bytes
    facets: Facets
    rows: Sequence[IndexRow]


class Last(NamedTuple):
    """The last version of a resource; `there`: it is no deletion."""

    version: int
    there: bool
    labels: int
    raised: int


NEVER_THERE: Final = Last(0, there=False, labels=0, raised=0)


async def versions(writer: Writer, type: str, ids: Sequence[str]) -> dict[str, Last]:
    """The last version, by id, of those resources that are or were there; they are locked."""
    statement = writer.statements.fixed("last-versions", lambda: _last_versions(writer.statements))
    rows = await writer.connection.fetch(
        statement.text, statement.values({"of_type": type, "ids": text_list(ids, writer.statements.dialect)})
    )
    found: dict[str, Last] = {}
    for id_, version, there, labels, raised in cast("Iterable[tuple[str, int, int, int, int]]", rows):
        if id_ not in found or found[id_].version < version:
            found[id_] = Last(version, bool(there), labels, raised)
    return found


async def load(writer: Writer, items: Sequence[Item]) -> None:
    """Store all items, each id once. Raises Conflict where somebody else has taken an id since `versions` said."""
    for item in items:
        if item.replaces:
            await writer.update(item.type, item.id, item.version - 1, item.body, item.facets, item.rows)
    await create(writer, [item for item in items if not item.replaces], "PUT", notify=False)


async def create(writer: Writer, items: Sequence[Item], method: str, *, notify: bool = True) -> None:
    """Store new resources, each id once, at once; with `notify`, tell of them in the outbox."""
    connection, stamp, creator = writer.connection, writer.stamp, writer.creator
    await connection.copy(
        "resource",
        writes.RESOURCE_COLUMNS,
        [resource_row(item, stamp, method, creator) for item in items],
    )
    await connection.copy("search_index", writes.INDEX_COLUMNS, _index_rows(items))
    await connection.copy(
        "party", writes.PARTY_COLUMNS, [row for item in items for row in party_rows(item.type, item.id, item.version, item.facets)]
    )
    for item in items:
        await stated(writer, item.type, item.id, item.facets)
    if notify:
        await tell(writer, items, method)


async def tell(writer: Writer, items: Iterable[Item], method: str) -> None:
    """Put the items into the outbox."""
    events = [(writer.stamp, item.type, item.id, item.version, method, item.facets.client) for item in items]
    await writer.connection.copy("outbox", writes.OUTBOX_COLUMNS, events)


def resource_row(item: Item, stamp: int, method: str, creator: str) -> tuple[SqlValue, ...]:
    """The row of `resource` for a new one, in the order of RESOURCE_COLUMNS."""
    named: dict[str, SqlValue] = {"type": item.type, "id": item.id, "version": item.version, "body": item.body, **item.facets.columns}
    named |= {"last_updated": stamp, "created": stamp, "method": method, "creator": creator}
    return tuple([named[name] for name in writes.RESOURCE_COLUMNS])


def _index_rows(items: Sequence[Item]) -> list[tuple[SqlValue, ...]]:
    return [
        (param, number, id_, client, system, value, system2, value2, low, high)
        for type_, id_, _, _, _, facets, rows in items
        for number, client in ((type_number(type_), facets.client),)
        for param, system, value, system2, value2, low, high in rows
    ]


def _listed(statements: Statements, table: Table) -> tuple[ColumnElement[bool], ...]:
    return (table.c.type == bind("of_type", Text()), in_list(table.c.id, "ids", statements.dialect))


def _last_versions(statements: Statements) -> ClauseElement:
    yes, no = (literal_column(number, Integer) for number in ("1", "0"))
    columns = (resource.c.id, resource.c.version, yes.label("there"), resource.c.labels, resource.c.raised)
    current = select(*columns).where(*_listed(statements, resource))
    if statements.dialect == "postgresql":
        current = select(current.with_for_update().cte("current"))
    ended = select(history.c.id, history.c.version, no, no, no).where(*_listed(statements, history), history.c.body.is_(None))
    return union_all(current, ended)
