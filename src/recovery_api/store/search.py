"""A search: what is asked, one statement per shape of question, and the page that it gives.

Without `_sort`, matches come by id, descending (ids are UUIDv7, so the newest come first): an order that no write changes. A
later page holds only what existed when the first one was made, so paging neither loses nor doubles anything.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, Text, and_, case, false, func, literal_column, or_, select

from recovery_api.fhir.search.expression import EVERYTHING, Expression, Row
from recovery_api.store.compile import Clause, Compiler, Scope
from recovery_api.store.follow import kept, linked, record_columns
from recovery_api.store.lift import hollow, lifted
from recovery_api.store.records import Record
from recovery_api.store.statement import SqlValue, Statement, bind, one_of, text
from recovery_api.store.statements import Statements, last_stamp
from recovery_api.store.tables import resource, search_index
from recovery_api.store.visibility import Visibility

COMMON_COUNTS = frozenset({1, 2, 5, 10, 20, 50, 100, 200, 500, 1000})


class SortKey(NamedTuple):
    """A search parameter to sort by, "Type.code"."""

    param: str
    descending: bool = False


class Cursor(NamedTuple):
    """Where the next page begins: after the match with these sort values, id and type."""

    snapshot: int
    """The stamp up to which resources existed when the first page was made."""
    sorted: tuple[str | int | float | None, ...]
    id: str
    type: str


class Include(NamedTuple):
    """`_include`: follow the reference parameter ("Type.code") from matches to the target types (() means any)."""

    param: str
    targets: tuple[str, ...] = ()
    iterate: bool = False
    reverse: bool = False
    """`_revinclude`: from resources of the parameter's type that point at matches."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is asked. `types` is never empty; `count` is the size of a page."""

    types: tuple[str, ...]
    where: Expression = EVERYTHING
    sort: tuple[SortKey, ...] = ()
    count: int = 20
    cursor: Cursor | None = None
    want_total: bool = False
    includes: tuple[Include, ...] = field(default=())
    behind_horizon: bool = False
    """It tests or sorts by `_lastUpdated`: nothing may appear later with an older stamp than what it showed."""
    by_type: bool = False
    """Ordered by type, Patient first, then id, ascending; without other sort keys."""


class Page(NamedTuple):
    """The matches in order, what they include, how many match in all (None: not counted), and where the next page begins."""

    records: Sequence[Record]
    included: Sequence[Record] = ()
    total: int | None = None
    next: Cursor | None = None


class Question(NamedTuple):
    """All of a query that shapes its statement; with a kind of statement, the key of the cache."""

    kind: str
    visibility: Hashable
    types: tuple[str, ...]
    shape: tuple[object, ...]
    sort: tuple[SortKey, ...]
    after: tuple[bool, ...] | None
    """Which sort values of the cursor are known; None for a first page."""
    limit: int | None
    behind_horizon: bool
    by_type: bool


def page_statement(
    query: SearchQuery, visibility: Visibility, statements: Statements, horizon: int = 0
) -> tuple[Statement, list[SqlValue]]:
    """The statement that gives a page and the first match of the next, and its values.

    Its columns are a record's, the sort values, and on a first page the last stamp given.
    """
    shape, values = lifted(query.where)
    named = _named(values, visibility, horizon)
    named["limit"] = query.count + 1
    cursor, after = query.cursor, None
    if cursor is not None:
        after = tuple([value is not None for value in cursor.sorted])
        named.update({f"after{place}": value for place, value in enumerate(cursor.sorted)})
        named.update(snapshot=cursor.snapshot, after_id=cursor.id, after_type=cursor.type)
    limit = query.count + 1 if query.count in COMMON_COUNTS else None
    asked = Question("page", visibility.key, query.types, shape, query.sort, after, limit, query.behind_horizon, query.by_type)
    statement = statements.get(asked, lambda: _page(asked, query, visibility, statements))
    return statement, statement.values(named)


def count_statement(
    query: SearchQuery, visibility: Visibility, statements: Statements, horizon: int = 0
) -> tuple[Statement, list[SqlValue]]:
    """The statement that counts all matches, and its values."""
    shape, values = lifted(query.where)
    asked = Question("count", visibility.key, query.types, shape, (), None, None, query.behind_horizon, query.by_type)
    statement = statements.get(asked, lambda: _count(query, visibility, statements))
    return statement, statement.values(_named(values, visibility, horizon))


def _named(values: Sequence[SqlValue], visibility: Visibility, horizon: int) -> dict[str, SqlValue]:
    named: dict[str, SqlValue] = dict(visibility.binds)
    named["horizon"] = horizon
    named.update([(f"v{place}", value) for place, value in enumerate(values)])
    return named


def _count(query: SearchQuery, visibility: Visibility, statements: Statements) -> Statement:
    matching = _matching(query, Compiler(statements.dialect, statements.parameters, visibility))
    return statements.compiled(select(func.count()).select_from(resource).where(*matching))


def _matching(query: SearchQuery, compiler: Compiler) -> list[Clause]:
    where = [compiler.found(hollow(query.where), Scope(resource, query.types))]
    if query.by_type:
        where.append(one_of(resource.c.type, query.types))
    if query.behind_horizon:
        where.append(resource.c.last_updated <= bind("horizon", BigInteger()))
    return where


def _page(asked: Question, query: SearchQuery, visibility: Visibility, statements: Statements) -> Statement:
    compiler = Compiler(statements.dialect, statements.parameters, visibility)
    where = _matching(query, compiler)
    keys = [_sort_value(key, compiler, visibility) for key in asked.sort]
    if asked.after is not None:
        where += [resource.c.created <= bind("snapshot", BigInteger()), _after(keys, asked)]
    labelled = [value.label(f"sort{place}") for place, (value, _) in enumerate(keys)]
    found: Select[*tuple[Any, ...]] = select(*linked(resource), *labelled).where(*where)
    page = _ordered(asked, found, keys, _last_key(query, compiler), resource.c.type)
    inner = page.limit(_limit(asked.limit)).subquery("page")
    outer = select(*record_columns(compiler, inner, asked.types), *(inner.c[f"sort{place}"] for place in range(len(keys))))
    if asked.after is None:
        outer = outer.add_columns(last_stamp(statements.dialect).scalar_subquery())
    return statements.compiled(_ordered(asked, outer, keys, inner.c.id, inner.c.type))


def _ordered(
    asked: Question,
    found: Select[*tuple[Any, ...]],
    keys: Sequence[tuple[ColumnElement[Any], bool]],
    last_key: ColumnElement[str],
    type_: ColumnElement[str],
) -> Select[*tuple[Any, ...]]:
    for place, (value, descending) in enumerate(keys):
        chosen = literal_column(f"sort{place}", value.type)  # by its name: SQLite would work it out twice
        found = found.order_by(chosen.desc().nulls_last() if descending else chosen.asc().nulls_last())
    if asked.by_type:
        return found.order_by(_place(type_).asc(), last_key.asc())
    found = found.order_by(last_key.desc())
    return found.order_by(type_.desc()) if len(asked.types) > 1 else found


def _last_key(query: SearchQuery, compiler: Compiler) -> ColumnElement[str]:
    """The id. SQLite would walk all ids of the type for an order that they have already: a plus keeps it to the few clients' own."""
    if compiler.dialect == "sqlite" and compiler.few_clients(hollow(query.where), query.types):
        return literal_column("+resource.id", Text)
    return resource.c.id


def _place(type_: ColumnElement[str]) -> ColumnElement[str]:
    """Where a type stands when they follow each other."""
    return case((type_ == text("Patient"), text("")), else_=type_)


def _limit(limit: int | None) -> ColumnElement[int]:
    return bind("limit", BigInteger()) if limit is None else literal_column(str(limit), BigInteger)


def _sort_value(key: SortKey, compiler: Compiler, visibility: Visibility) -> tuple[ColumnElement[Any], bool]:
    """What a match is sorted by: its least value ascending, its greatest descending."""
    parameter = compiler.parameter(key.param)
    if visibility.hides(key.param):
        return literal_column("NULL", Text), key.descending
    if parameter.column == "client":
        return func.nullif(resource.c.client, text(""), type_=Text), key.descending
    if parameter.column:
        return resource.c[parameter.column], key.descending
    row = search_index.alias()
    column = row.c.low if parameter.kind in ("date", "number", "quantity") else row.c.value
    best = func.max(column, type_=column.type) if key.descending else func.min(column, type_=column.type)
    shown = kept(compiler, row, (Row(key.param),), caller=True)
    found = select(best).where(row.c.id == resource.c.id, one_of(row.c.param, compiler.numbers(key.param)), shown)
    return found.scalar_subquery(), key.descending


def _after(keys: Sequence[tuple[ColumnElement[Any], bool]], asked: Question) -> Clause:
    """The match stands after the cursor's in the order: values first, those without a value last, then ids descending."""
    if asked.by_type:
        place, last_place = _place(resource.c.type), _place(bind("after_type", Text()))
        return or_(place > last_place, and_(place == last_place, resource.c.id > bind("after_id", Text())))
    alternatives: list[Clause] = []
    same: list[Clause] = []
    for place, ((value, descending), known) in enumerate(zip(keys, asked.after or (), strict=True)):
        if known:
            last = bind(f"after{place}", value.type)
            further = value < last if descending else value > last
            alternatives.append(and_(*same, or_(further, value.is_(None))))
            same.append(value == last)
        else:
            same.append(value.is_(None))
    last_id = bind("after_id", Text())
    further_id: Clause = resource.c.id < last_id
    if len(asked.types) > 1:
        further_id = or_(further_id, and_(resource.c.id == last_id, resource.c.type < bind("after_type", Text())))
    alternatives.append(and_(*same, further_id))
    return or_(false(), *alternatives)
