"""`_include` and `_revinclude` (https://hl7.org/fhir/R4/search.html#include): what matches point at, and what points at them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, literal_column, or_, select, union_all

from recovery_api.store.compile import Compiler, Scope, one_of
from recovery_api.store.connected import Connected
from recovery_api.store.records import Record
from recovery_api.store.search import COLUMNS, Include, SearchQuery
from recovery_api.store.statement import SqlValue, Statement, in_list, text_list
from recovery_api.store.tables import resource, search_index

MAX_INCLUDED = 1000
MAX_ROUNDS = 8


async def included(reader: Connected, query: SearchQuery, matches: Sequence[Record]) -> list[Record]:
    """What the matches include, each once and not a match itself; at most one more than MAX_INCLUDED."""
    known = {(record.type, record.id) for record in matches}
    found: list[Record] = []
    front: Sequence[Record] = matches
    for turn in range(MAX_ROUNDS):
        wanted = tuple(one for one in query.includes if one.iterate or turn == 0)
        rows = await _round(reader, wanted, front)
        front = []
        for record in rows:
            if (record.type, record.id) not in known and len(found) <= MAX_INCLUDED:
                known.add((record.type, record.id))
                found.append(record)
                front.append(record)
        if not front:
            break
    return found


async def _round(reader: Connected, includes: tuple[Include, ...], front: Sequence[Record]) -> Sequence[Record]:
    by_type: dict[str, list[str]] = {}
    for record in front:
        by_type.setdefault(record.type, []).append(record.id)
    types = tuple(sorted(by_type))
    visibility, statements = reader.visibility, reader.statements
    usable = tuple(one for one in includes if not visibility.hides(one.param) and (one.reverse or _source(one) in by_type))
    if not usable or not types:
        return ()
    key = ("include", usable, types, visibility.key)
    statement = statements.get(key, lambda: _build(reader, usable, types))
    named: dict[str, SqlValue] = {f"from_{type_}": text_list(ids, statements.dialect) for type_, ids in by_type.items()}
    return [Record._make(row) for row in await reader.fetch(statement, named)] if statement.text else ()


def _source(include: Include) -> str:
    return include.param.partition(".")[0]


def _build(reader: Connected, includes: tuple[Include, ...], types: tuple[str, ...]) -> Statement:
    compiler = Compiler(reader.statements.dialect, reader.statements.parameters, reader.visibility)
    parts: list[Select[*tuple[Any, ...]]] = []
    for include in includes:
        parts += _backward(include, types, compiler) if include.reverse else _forward(include, compiler, reader)
    if not parts:
        return Statement("", ())
    limited = [part.limit(literal_column(str(MAX_INCLUDED + 1), Integer)).subquery() for part in parts]
    return reader.statements.compiled(union_all(*(select(part) for part in limited)))


def _forward(include: Include, compiler: Compiler, reader: Connected) -> list[Select[*tuple[Any, ...]]]:
    source = _source(include)
    listed = f"from_{source}"
    targets = include.targets or tuple(sorted(reader.visibility.rules)) or compiler.parameter(include.param).targets
    if compiler.by_client(include.param):
        if "Patient" not in targets:
            return []
        pointing = resource.alias()
        clients = select(pointing.c.client).where(one_of(pointing.c.type, (source,)), in_list(pointing.c.id, listed, compiler.dialect))
        return [_reached(resource.c.id.in_(clients), ("Patient",), compiler)]
    row = search_index.alias()
    held = and_(one_of(row.c.param, compiler.numbers(include.param)), in_list(row.c.id, listed, compiler.dialect))
    return [
        _reached(resource.c.id.in_(select(row.c.value).where(held, one_of(row.c.system, (target,)))), (target,), compiler)
        for target in targets
    ]


def _backward(include: Include, types: tuple[str, ...], compiler: Compiler) -> list[Select[*tuple[Any, ...]]]:
    source = _source(include)
    targets = [type_ for type_ in types if not include.targets or type_ in include.targets]
    if compiler.by_client(include.param):
        if "Patient" not in targets:
            return []
        return [_reached(in_list(resource.c.client, "from_Patient", compiler.dialect), (source,), compiler)]
    row = search_index.alias()
    at = [and_(one_of(row.c.system, (type_,)), in_list(row.c.value, f"from_{type_}", compiler.dialect)) for type_ in targets]
    if not at:
        return []
    found = select(row.c.id).where(one_of(row.c.param, compiler.numbers(include.param)), or_(*at))
    return [_reached(resource.c.id.in_(found), (source,), compiler)]


def _reached(where: ColumnElement[bool], types: tuple[str, ...], compiler: Compiler) -> Select[*tuple[Any, ...]]:
    return select(*COLUMNS).where(where, compiler.visible(Scope(resource, types)))
