"""History (https://hl7.org/fhir/R4/http.html#history): the versions that the caller may see, newest first.

Each version is judged by what it says itself. Of many resources, only what is behind the horizon is told, so that who asks again
with `_since` misses nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from recovery_api.store.compile import Clause, Compiler, Scope
from recovery_api.store.follow import linked, record_columns
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.statement import SqlValue, Statement, bind, one_of
from recovery_api.store.tables import history, resource


class HistoryCursor(NamedTuple):
    """Where the next page begins: after this version, within what was told when the first page was made.

    The horizon is the newest version that the caller was told of, so it says nothing about what others wrote.
    """

    last_updated: int
    type: str
    id: str
    version: int
    horizon: int


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which versions. `since` and `at` are stamps: written at or after `since`; current at some time in `at` (from, until)."""

    types: tuple[str, ...]
    id: str | None = None
    since: int | None = None
    at: tuple[int, int] | None = None
    count: int = 20
    cursor: HistoryCursor | None = None


class HistoryPage(NamedTuple):
    """Versions, newest first; `total` counts all that the caller sees, `next` is None on the last page."""

    records: Sequence[Record]
    total: int
    next: HistoryCursor | None


async def read_history(reader: Reader, query: HistoryQuery) -> HistoryPage:
    """A page of versions."""
    shape = (query.types, query.id is None, query.since is None, query.at is None, query.cursor is None, reader.visibility.key)
    horizon = query.cursor.horizon if query.cursor is not None else await _newest(reader, query)
    named: dict[str, SqlValue] = {"id": query.id, "since": query.since, "horizon": horizon, "limit": query.count + 1}
    if query.at is not None:
        named.update(at_from=query.at[0], at_until=query.at[1])
    if query.cursor is not None:
        named.update(zip(("last_stamp", "last_type", "last_id", "last_version"), query.cursor[:4], strict=True))
    page = reader.statements.get(("history", *shape), lambda: _page(reader, query))
    count = reader.statements.get(("history-count", *shape), lambda: _count(reader, query))
    rows = await reader.fetch(page, named)
    [total] = await reader.fetch(count, named)
    records = [Record._make(row) for row in rows[: query.count]]
    following = None
    if len(rows) > query.count:
        last = records[-1]
        until = records[0].last_updated if query.cursor is None else query.cursor.horizon
        following = HistoryCursor(last.last_updated, last.type, last.id, last.version, until)
    return HistoryPage(records, cast("int", total[0]), following)


async def _newest(reader: Reader, query: HistoryQuery) -> int:
    """Up to which stamp versions are told. One resource's writers follow each other, so all of its versions may be told at once."""
    return await reader.last_stamp() if query.id is not None else await reader.horizon()


def _page(reader: Reader, query: HistoryQuery) -> Statement:
    limit = bind("limit", BigInteger())
    parts = [_newest_first(_versions(reader, query, table, after=True), table).limit(limit).subquery() for table in (resource, history)]
    both = union_all(*(select(part) for part in parts)).subquery("versions")
    compiler = Compiler(reader.statements.dialect, reader.statements.parameters, reader.visibility)
    page = _newest_first(select(both), both).limit(limit).subquery("page")
    return reader.statements.compiled(_newest_first(select(*record_columns(compiler, page, query.types)), page))


def _count(reader: Reader, query: HistoryQuery) -> Statement:
    parts = [
        _versions(reader, query, table, after=False).with_only_columns(literal_column("1", Integer).label("one"))
        for table in (resource, history)
    ]
    return reader.statements.compiled(select(func.count()).select_from(union_all(*parts).subquery("versions")))


def _newest_first(found: Select[*tuple[Any, ...]], table: FromClause) -> Select[*tuple[Any, ...]]:
    return found.order_by(table.c.last_updated.desc(), table.c.type.desc(), table.c.id.desc(), table.c.version.desc())


def _versions(reader: Reader, query: HistoryQuery, table: FromClause, *, after: bool) -> Select[*tuple[Any, ...]]:
    compiler = Compiler(reader.statements.dialect, reader.statements.parameters, reader.visibility)
    visible = compiler.visible(Scope(table, query.types, single=query.id is not None), versions=True)
    stamp = table.c.last_updated
    where: list[Clause] = [one_of(table.c.type, query.types), stamp <= bind("horizon", BigInteger()), visible]
    if query.id is not None:
        where.append(table.c.id == bind("id", Text()))
    if query.since is not None:
        where.append(stamp >= bind("since", BigInteger()))
    if query.at is not None:
        where += [stamp < bind("at_until", BigInteger()), _until(table) > bind("at_from", BigInteger())]
    if after and query.cursor is not None:
        where.append(_older(table))
    return select(*linked(table)).where(*where)


def _until(table: FromClause) -> Any:
    """The stamp of the version that superseded this one; far away for a current version or a deletion that is the last."""
    never = literal_column(str((1 << 63) - 1), BigInteger)
    if table is resource:
        return never
    parts: list[ColumnElement[int]] = []
    for later in (resource.alias(), history.alias()):
        same = (later.c.type == table.c.type, later.c.id == table.c.id, later.c.version > table.c.version)
        parts.append(func.coalesce(select(func.min(later.c.last_updated)).where(*same).scalar_subquery(), never))
    return case((parts[0] < parts[1], parts[0]), else_=parts[1])


def _older(table: FromClause) -> Clause:
    """Stands after the cursor's version."""
    places = (
        (table.c.last_updated, bind("last_stamp", BigInteger())),
        (table.c.type, bind("last_type", Text())),
        (table.c.id, bind("last_id", Text())),
        (table.c.version, bind("last_version", BigInteger())),
    )
    alternatives: list[Clause] = []
    same: list[Clause] = []
    for column, last in places:
        alternatives.append(and_(*same, column < last))
        same.append(column == last)
    return or_(*alternatives)
