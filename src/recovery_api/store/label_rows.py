"""The rows that labels are found in and kept in. References are "Type/id", clients are Patients' ids."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, cast

from sqlalchemy import (
    BigInteger,
    ClauseElement,
    FromClause,
    Integer,
    LargeBinary,
    Text,
    and_,
    column,
    delete,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import ARRAY

from recovery_api.fhir.json import Json, JsonObject, dump, load
from recovery_api.fhir.labels import mark
from recovery_api.fhir.search.emit import Emit, token
from recovery_api.fhir.search.expression import IndexRow, param_number
from recovery_api.store import writes
from recovery_api.store.connected import Connected
from recovery_api.store.engine import Row
from recovery_api.store.reader import Reader
from recovery_api.store.records import Context
from recovery_api.store.statement import SqlValue, Statement, bind, in_list, text_list
from recovery_api.store.statements import Statements
from recovery_api.store.tables import client_context, history, party, relation, resource, search_index
from recovery_api.store.writer import type_number

MANAGED_BY: Final = "managing-organization"


class Stored(NamedTuple):
    """A current version, held until the transaction ends."""

    type: str
    id: str
    version: int
    client: str
    labels: int
    raised: int
    body: bytes


class Relabelled(NamedTuple):
    """A stored resource with other labels."""

    resource: JsonObject
    client: str
    labels: int


Build: TypeAlias = Callable[[Statements], ClauseElement]


async def _ask(on: Connected, key: str, build: Build, **lists: Iterable[str]) -> Sequence[Row]:
    statement, values = _prepared(on, key, build, lists)
    return await on.connection.fetch(statement.text, values)


async def _run(on: Connected, key: str, build: Build, **lists: Iterable[str]) -> None:
    statement, values = _prepared(on, key, build, lists)
    await on.connection.execute(statement.text, values)


def _prepared(on: Connected, key: str, build: Build, lists: Mapping[str, Iterable[str]]) -> tuple[Statement, list[SqlValue]]:
    statement = on.statements.fixed(f"label-{key}", lambda: build(on.statements))
    return statement, statement.values({name: text_list(sorted(values), on.statements.dialect) for name, values in lists.items()})


async def _ask_by_key(on: Connected, key: str, build: Build, references: Collection[str]) -> list[Row]:
    """The rows, which begin with type and id, of these references."""
    split = [reference.partition("/") for reference in references]
    rows = await _ask(on, key, build, types={type_ for type_, _, _ in split}, ids={id_ for _, _, id_ in split})
    return [row for row in rows if f"{row[0]}/{row[1]}" in references]


def _keyed(statements: Statements, table: FromClause) -> tuple[Any, Any]:
    return in_list(table.c.type, "types", statements.dialect), in_list(table.c.id, "ids", statements.dialect)


# Contexts


async def hold(on: Reader, clients: Collection[str], *, alone: bool, begin: bool) -> dict[str, int]:
    """The contexts of the clients, held until the transaction ends: against change, or alone. `begin` makes those that are not there."""
    unknown = {client for client in clients if client not in on.contexts or on.contexts[client].alone < alone}
    if unknown and begin:
        await _run(on, "begin", _beginning, clients=unknown)
    if unknown:

        def held(statements: Statements) -> ClauseElement:
            context = client_context.c
            found = select(context.client, context.labels).where(in_list(context.client, "clients", statements.dialect))
            return found.order_by(context.client).with_for_update(read=not alone)

        rows = cast("Sequence[tuple[str, int]]", await _ask(on, "hold-alone" if alone else "hold", held, clients=unknown))
        on.contexts |= {client: Context(labels, alone) for client, labels in rows}
    return {client: on.contexts[client].labels for client in clients if client in on.contexts}


def _beginning(statements: Statements) -> ClauseElement:
    if statements.dialect == "postgresql":
        found = select(func.unnest(bind("clients", ARRAY(Text()))), literal_column("0", BigInteger))
        return postgresql.insert(client_context).from_select(["client", "labels"], found).on_conflict_do_nothing()
    each = select(column("value", Text), literal_column("0", BigInteger)).select_from(func.json_each(bind("clients", Text())))
    found = each.where(column("value", Text).is_not(None))  # SQLite needs a WHERE before ON CONFLICT
    return sqlite.insert(client_context).from_select(["client", "labels"], found).on_conflict_do_nothing()


async def keep_contexts(on: Reader, contexts: Mapping[str, int]) -> None:
    """These are the contexts from now on."""

    def kept(statements: Statements) -> ClauseElement:
        into = (postgresql if statements.dialect == "postgresql" else sqlite).insert(client_context)
        given = into.values({"client": bind("client", Text()), "labels": bind("labels", BigInteger())})
        return given.on_conflict_do_update(index_elements=["client"], set_={"labels": given.excluded.labels})

    statement = on.statements.fixed("label-context", lambda: kept(on.statements))
    await on.connection.executemany(statement.text, [statement.values({"client": one, "labels": contexts[one]}) for one in contexts])
    on.contexts |= {client: Context(labels, alone=True) for client, labels in contexts.items()}


async def programs(on: Connected, organizations: Collection[str]) -> set[str]:
    """Those of the organizations that are Part 2 programs."""

    def found(statements: Statements) -> ClauseElement:
        of = (relation.c.kind == "part2-program", in_list(relation.c.holder, "holders", statements.dialect))
        return select(relation.c.holder).where(*of)

    return {cast("str", row[0]) for row in await _ask(on, "programs", found, holders=organizations)}


def _named_by(table: FromClause) -> tuple[Any, ...]:
    return party.c.id == table.c.id, party.c.type == table.c.type, party.c.version == table.c.version


async def episodes(on: Connected, clients: Collection[str]) -> list[tuple[str, str, int, str]]:
    """(reference, client, labels, managing organization) of the clients' episodes."""

    def found(statements: Statements) -> ClauseElement:
        managed = resource.join(party, and_(party.c.role == MANAGED_BY, *_named_by(resource)), isouter=True)
        of = (resource.c.type == "EpisodeOfCare", in_list(resource.c.client, "clients", statements.dialect))
        return select(resource.c.id, resource.c.client, resource.c.labels, party.c.holder).select_from(managed).where(*of)

    rows = cast("Sequence[tuple[str, str, int, str | None]]", await _ask(on, "episodes", found, clients=clients))
    return [(f"EpisodeOfCare/{id_}", client, labels, managing or "") for id_, client, labels, managing in rows]


async def clients_managed_by(on: Connected, organizations: Collection[str]) -> set[str]:
    """The clients of the episodes that the organizations manage."""

    def found(statements: Statements) -> ClauseElement:
        of = (party.c.role == MANAGED_BY, in_list(party.c.holder, "holders", statements.dialect))
        return select(resource.c.client).where(*of, *_named_by(resource)).distinct()

    return {cast("str", row[0]) for row in await _ask(on, "managed", found, holders=organizations)} - {""}


# Resources


async def clients_of(on: Connected, references: Collection[str]) -> set[str]:
    """The clients whom the resources belong to."""

    def found(statements: Statements) -> ClauseElement:
        return select(resource.c.type, resource.c.id, resource.c.client).where(*_keyed(statements, resource))

    return {cast("str", row[2]) for row in await _ask_by_key(on, "clients", found, references)} - {""}


async def standing(on: Connected, references: Collection[str]) -> dict[str, tuple[str, int]]:
    """Client and labels of the resources, held against change."""

    def found(statements: Statements) -> ClauseElement:
        columns = (resource.c.type, resource.c.id, resource.c.client, resource.c.labels)
        return select(*columns).where(*_keyed(statements, resource)).with_for_update(read=True)

    rows = await _ask_by_key(on, "standing", found, references)
    return {f"{type_}/{id_}": (cast("str", client), cast("int", labels)) for type_, id_, client, labels in rows}


async def dependents(on: Connected, references: Collection[str], roles: Collection[str]) -> set[str]:
    """The resources whose current version names one of these in one of the roles."""

    def found(statements: Statements) -> ClauseElement:
        of = (in_list(party.c.holder, "holders", statements.dialect), in_list(party.c.role, "roles", statements.dialect))
        return select(party.c.type, party.c.id).where(*of, *_named_by(resource))

    return {f"{type_}/{id_}" for type_, id_ in await _ask(on, "dependents", found, holders=references, roles=roles)}


async def of_clients(on: Connected, clients: Collection[str], types: Collection[str]) -> set[str]:
    """The resources of the types that belong to the clients."""

    def found(statements: Statements) -> ClauseElement:
        of = (in_list(resource.c.type, "types", statements.dialect), in_list(resource.c.client, "clients", statements.dialect))
        return select(resource.c.type, resource.c.id).where(*of)

    return {f"{type_}/{id_}" for type_, id_ in await _ask(on, "of-clients", found, clients=clients, types=types)}


async def fetch(on: Connected, references: Collection[str]) -> list[Stored]:
    """The current versions of the resources, held alone."""

    def found(statements: Statements) -> ClauseElement:
        return select(*(resource.c[name] for name in Stored._fields)).where(*_keyed(statements, resource)).with_for_update()

    return [Stored._make(cast("Any", row)) for row in await _ask_by_key(on, "fetch", found, set(references))]


async def keep(on: Connected, changed: Sequence[Relabelled]) -> None:
    """These are the labels of the resources from now on, in column, body and index; versions stay as they are."""
    change, forget = on.statements.steps("relabel", _relabelling)
    rows: list[tuple[SqlValue, ...]] = []
    gone: list[list[SqlValue]] = []
    changes: list[list[SqlValue]] = []
    for said, client, labels in changed:
        type_, id_ = said["resourceType"], said["id"]
        plain, text = (param_number(f"{type_}._security{modifier}") for modifier in ("", ":text"))
        changes.append(change.values({"of_type": type_, "of_id": id_, "new_labels": labels, "new_body": dump(said)}))
        gone.append(forget.values({"of_id": id_, "of_number": type_number(type_), "plain": plain, "text": text}))
        found = security_rows(type_, said["meta"].get("security", []))
        rows += [(row[0], type_number(type_), id_, client, *row[1:]) for row in found]
    await on.connection.executemany(change.text, changes)
    await on.connection.executemany(forget.text, gone)
    await on.connection.copy("search_index", writes.INDEX_COLUMNS, rows)


def _relabelling() -> tuple[ClauseElement, ...]:
    of_this = (resource.c.type == bind("of_type", Text()), resource.c.id == bind("of_id", Text()))
    param, type_ = search_index.c.param, search_index.c.type
    indexed = (search_index.c.id == bind("of_id", Text()), type_ == bind("of_number", Integer()))
    return (
        update(resource).values(labels=bind("new_labels", BigInteger()), body=bind("new_body", LargeBinary())).where(*of_this),
        delete(search_index).where(*indexed, (param == bind("plain", Integer())) | (param == bind("text", Integer()))),
    )


@lru_cache(maxsize=512)
def _emitter(type_: str) -> Emit:
    return token(f"{type_}._security", "Coding")


def security_rows(type: str, security: Iterable[Json]) -> list[IndexRow]:
    """The index rows of a `meta.security`."""
    rows: list[IndexRow] = []
    for coding in security:
        _emitter(type)(coding, rows)
    return rows


async def bind_history(on: Connected, references: Collection[str], labels: int) -> None:
    """The superseded versions of the resources have these labels too."""

    def found(statements: Statements) -> ClauseElement:
        columns = (history.c.type, history.c.id, history.c.version, history.c.labels, history.c.body)
        return select(*columns).where(*_keyed(statements, history), history.c.body.is_not(None))

    [change] = on.statements.steps("relabel-history", _relabelling_history)
    changes: list[list[SqlValue]] = []
    rows = cast("list[tuple[str, str, int, int, bytes]]", await _ask_by_key(on, "history", found, set(references)))
    for type_, id_, version, before, body in rows:
        said = load(body)
        mark(said, before | labels)
        named: dict[str, SqlValue] = {"of_type": type_, "of_id": id_, "of_version": version}
        changes.append(change.values(named | {"new_labels": before | labels, "new_body": dump(said)}))
    await on.connection.executemany(change.text, changes)


def _relabelling_history() -> tuple[ClauseElement, ...]:
    of_this = (
        history.c.type == bind("of_type", Text()),
        history.c.id == bind("of_id", Text()),
        history.c.version == bind("of_version", BigInteger()),
    )
    return (update(history).values(labels=bind("new_labels", BigInteger()), body=bind("new_body", LargeBinary())).where(*of_this),)
