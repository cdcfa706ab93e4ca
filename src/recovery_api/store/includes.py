"""`_include` and `_revinclude` (https://hl7.org/fhir/R4/search.html#include): what matches point at, and what points at them."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Integer, Select, and_, case, literal_column, or_, select, tuple_, union_all

from recovery_api.fhir.search.expression import param_number
from recovery_api.store.compile import Compiler, Scope
from recovery_api.store.connected import Connected
from recovery_api.store.follow import linked, record_columns
from recovery_api.store.records import Record
from recovery_api.store.search import Include, SearchQuery
from recovery_api.store.statement import SqlValue, Statement, in_list, one_of, text, text_list
from recovery_api.store.tables import resource, search_index

Part: TypeAlias = Select[*tuple[Any, ...]]

MAX_INCLUDED = 1000
MAX_ROUNDS = 8


async def included(reader: Connected, query: SearchQuery, matches: Sequence[Record]) -> list[Record]:
    """What the matches include, each once and not a match itself, by type and id; at most one more than MAX_INCLUDED."""
    known = {(record.type, record.id) for record in matches}
    found: list[Record] = []
    front: Sequence[Record] = matches
    for turn in range(MAX_ROUNDS):
        wanted = tuple(one for one in query.includes if one.iterate or turn == 0)
        rows = await _round(reader, wanted, front)
        front = []
        for record in sorted(rows, key=lambda record: (record.type, record.id)):
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
    known = tuple(sorted(reader.visibility.rules))
    by_client, by_rows = ([one for one in includes if compiler.by_client(one.param) is wanted] for wanted in (True, False))
    parts = [
        *_clients(tuple(dict.fromkeys(_source(one) for one in by_client if not one.reverse and _aims_at(one, "Patient"))), compiler),
        *_of_clients(tuple(dict.fromkeys(_source(one) for one in by_client if one.reverse and _aims_at(one, "Patient"))), types, compiler),
        *_forward([one for one in by_rows if not one.reverse], known, compiler),
        *_backward([one for one in by_rows if one.reverse], types, compiler),
    ]
    if not parts:
        return Statement("", ())
    limited = [part.limit(literal_column(str(MAX_INCLUDED + 1), Integer)).subquery() for part in parts]
    together = union_all(*(select(part) for part in limited)).subquery("reached")
    return reader.statements.compiled(select(*record_columns(compiler, together, known)))


def _aims_at(include: Include, type_: str) -> bool:
    return not include.targets or type_ in include.targets


def _clients(sources: tuple[str, ...], compiler: Compiler) -> list[Part]:
    """The Patients to whom the listed resources of these types belong."""
    pointing = resource.alias()
    of = [select(pointing.c.client).where(one_of(pointing.c.type, (type_,)), _listed(pointing.c.id, type_, compiler)) for type_ in sources]
    return [_reached(or_(*(resource.c.id.in_(clients) for clients in of)), ("Patient",), compiler)] if of else []


def _of_clients(sources: tuple[str, ...], types: tuple[str, ...], compiler: Compiler) -> list[Part]:
    """The resources of these types that belong to the listed Patients."""
    return [_reached(_listed(resource.c.client, "Patient", compiler), sources, compiler)] if sources and "Patient" in types else []


def _forward(includes: Sequence[Include], known: tuple[str, ...], compiler: Compiler) -> list[Part]:
    """What the listed resources' index rows point at."""
    row = search_index.alias()
    alike: dict[tuple[str, tuple[str, ...]], list[Include]] = {}
    for one in includes:
        alike.setdefault((_source(one), one.targets), []).append(one)
    at = [
        and_(
            one_of(row.c.param, _numbers(those, compiler)),
            _listed(row.c.id, source, compiler),
            one_of(row.c.system, targets) if targets else row.c.system != text(""),
        )
        for (source, targets), those in alike.items()
    ]
    if not at:
        return []
    aims = [one.targets or compiler.parameter(one.param).targets or known for one in includes]
    targets = tuple(sorted({type_ for aim in aims for type_ in aim}))
    found = select(row.c.system, row.c.value).where(or_(*at))
    return [_reached(tuple_(resource.c.type, resource.c.id).in_(found), targets, compiler)]


def _backward(includes: Sequence[Include], types: tuple[str, ...], compiler: Compiler) -> list[Part]:
    """The resources whose index rows point at the listed ones."""
    row = search_index.alias()
    aimed = {type_: [one for one in includes if _aims_at(one, type_)] for type_ in types}
    at = [
        and_(one_of(row.c.param, _numbers(those, compiler)), one_of(row.c.system, (type_,)), _listed(row.c.value, type_, compiler))
        for type_, those in aimed.items()
        if those
    ]
    if not at:
        return []
    sources = tuple(sorted({_source(one) for one in includes}))
    named = case(*((row.c.type == param_number(type_), text(type_)) for type_ in sources))
    return [_reached(tuple_(resource.c.type, resource.c.id).in_(select(named, row.c.id).where(or_(*at))), sources, compiler)]


def _numbers(includes: Sequence[Include], compiler: Compiler) -> list[int]:
    """The numbers of the index rows of all their parameters."""
    return sorted({number for one in includes for number in compiler.numbers(one.param)})


def _listed(column: ColumnElement[str], type_: str, compiler: Compiler) -> ColumnElement[bool]:
    return in_list(column, f"from_{type_}", compiler.dialect)


def _reached(where: ColumnElement[bool], types: tuple[str, ...], compiler: Compiler) -> Part:
    return select(*linked(resource)).where(where, compiler.visible(Scope(resource, types)))
