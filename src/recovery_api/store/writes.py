"""The statements of a write. PostgreSQL does each write in one statement; SQLite, where a call costs little, in a few."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ClauseElement,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import ARRAY, TypeEngine

from recovery_api.fhir.search.expression import IndexRow
from recovery_api.store.statement import Dialect, bind
from recovery_api.store.tables import VERSION_COLUMNS, history, outbox, party, resource, search_index

_TYPES: dict[str, TypeEngine[Any]] = {
    **dict.fromkeys(
        ("version", "last_updated", "created", "expected", "labels", "raised", "happened_from", "happened_until"), BigInteger()
    ),
    "released": Boolean(),
    "body": LargeBinary(),
    "type_number": Integer(),
}
_INDEX_TYPES: dict[str, TypeEngine[Any]] = {
    "param": Integer(),
    **dict.fromkeys(("system", "value", "system2", "value2"), Text()),
    **dict.fromkeys(("low", "high"), Double()),
}
INDEX_COLUMNS = ("param", "type", "id", "client", "system", "value", "system2", "value2", "low", "high")
PARTY_COLUMNS = ("type", "id", "version", "role", "holder", "holder_type", "holder_id")
RESOURCE_COLUMNS = (*VERSION_COLUMNS, "created")
OUTBOX_COLUMNS = ("stamp", "type", "id", "version", "method", "client")


def new(name: str) -> ColumnElement[Any]:
    """A value of the version that is written."""
    return bind(f"new_{name}", _TYPES.get(name, Text()))


def _filled(table: Table, columns: Sequence[str], rows: Select[*tuple[Any, ...]]) -> Any:
    return insert(table).from_select(list(columns), rows)


def _mine(table: FromClause) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.c.type == new("type"), table.c.id == new("id")


def _insert_ignoring(dialect: Dialect) -> Any:
    into = (postgresql if dialect == "postgresql" else sqlite).insert(resource)
    return into.values({name: new(name) for name in RESOURCE_COLUMNS}).on_conflict_do_nothing()


def _changes() -> dict[str, ColumnElement[Any]]:
    kept = {"type", "id", "creator"}
    return {name: new(name) for name in VERSION_COLUMNS if name not in kept}


def _superseded(table: FromClause, *where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return select(*(table.c[name] for name in VERSION_COLUMNS)).where(*where)


def _deletion(table: FromClause, *where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    given = {"version": new("version"), "last_updated": new("last_updated"), "method": new("method"), "body": null()}
    return select(*(given.get(name, table.c[name]) for name in VERSION_COLUMNS)).where(*where)


def _parties_of_deletion(*where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    given = {"version": new("version")}
    mine = (*_mine(party), party.c.version == bind("expected", BigInteger()))
    return select(*(given.get(name, party.c[name]) for name in PARTY_COLUMNS)).where(*mine, *where)


def _announced() -> list[ColumnElement[Any]]:
    return [new("last_updated"), *(new(name) for name in OUTBOX_COLUMNS[1:])]


# PostgreSQL: one statement, and the number of versions that it wrote


def _unnested(columns: dict[str, TypeEngine[Any]], prefix: str) -> Any:
    arrays = [bind(f"{prefix}_{name}", ARRAY(type_)) for name, type_ in columns.items()]
    return func.unnest(*arrays).table_valued(*columns).render_derived(name=prefix)


def _index_rows(made: FromClause) -> Any:
    row = _unnested(_INDEX_TYPES, "index_row")
    given = {"type": new("type_number"), "id": new("id"), "client": new("client")}
    rows = select(*(given.get(name, literal_column(f"index_row.{name}", _INDEX_TYPES.get(name))) for name in INDEX_COLUMNS)).select_from(
        row, made
    )
    return _filled(search_index, INDEX_COLUMNS, rows).cte("indexed")


def _parties(made: FromClause) -> Any:
    row = _unnested(dict.fromkeys(PARTY_COLUMNS[3:], Text()), "party_row")
    given = {"type": new("type"), "id": new("id"), "version": new("version")}
    rows = select(*(given.get(name, literal_column(f"party_row.{name}", Text)) for name in PARTY_COLUMNS)).select_from(row, made)
    return _filled(party, PARTY_COLUMNS, rows).cte("named")


def _outbox(made: FromClause) -> Any:
    return _filled(outbox, OUTBOX_COLUMNS, select(*_announced()).select_from(made)).cte("announced")


def create_at_once() -> ClauseElement:
    """Insert resource, index rows, parties and outbox row, unless the id is taken."""
    made = _insert_ignoring("postgresql").returning(resource.c.id).cte("made")
    return select(func.count()).select_from(made).add_cte(_index_rows(made), _parties(made), _outbox(made))


def _old() -> Any:
    expected = resource.c.version == bind("expected", BigInteger())
    return select(resource).where(*_mine(resource), expected).with_for_update().cte("old")


def update_at_once() -> ClauseElement:
    """The expected version goes to history, the new one takes its place."""
    old = _old()
    moved = _filled(history, VERSION_COLUMNS, _superseded(old)).cte("moved")
    changed = (
        update(resource)
        .values(_changes())
        .where(*_mine(resource), resource.c.version == old.c.version)
        .returning(resource.c.id)
        .cte("changed")
    )
    return (
        select(func.count()).select_from(changed).add_cte(moved, _unindexed(old), _index_rows(changed), _parties(changed), _outbox(changed))
    )


def delete_at_once() -> ClauseElement:
    """The expected version goes to history, and the deletion after it."""
    old = _old()
    moved = _filled(history, VERSION_COLUMNS, _superseded(old)).cte("moved")
    ended = _filled(history, VERSION_COLUMNS, _deletion(old)).cte("ended")
    there = select(literal_column("1", Integer)).select_from(old).exists()
    named = _filled(party, PARTY_COLUMNS, _parties_of_deletion(there)).cte("named")
    gone = delete(resource).where(*_mine(resource), resource.c.version == old.c.version).returning(resource.c.id).cte("gone")
    return select(func.count()).select_from(gone).add_cte(moved, ended, named, _unindexed(old), _outbox(gone))


def _unindexed(old: FromClause) -> Any:
    there = select(literal_column("1", Integer)).select_from(old).exists()
    return delete(search_index).where(search_index.c.id == new("id"), search_index.c.type == new("type_number"), there).cte("unindexed")


# SQLite: the same in steps; the first one counts


def create_in_steps() -> tuple[ClauseElement, ...]:
    """Insert the resource unless its id is taken; its outbox row."""
    return _insert_ignoring("sqlite"), _filled(outbox, OUTBOX_COLUMNS, select(*_announced()))


def _expected() -> tuple[ColumnElement[bool], ...]:
    return (*_mine(resource), resource.c.version == bind("expected", BigInteger()))


def update_in_steps() -> tuple[ClauseElement, ...]:
    """The expected version goes to history, the new one takes its place; its index rows go."""
    return (
        _filled(history, VERSION_COLUMNS, _superseded(resource, *_expected())),
        update(resource).values(_changes()).where(*_mine(resource)),
        delete(search_index).where(search_index.c.id == new("id"), search_index.c.type == new("type_number")),
        _filled(outbox, OUTBOX_COLUMNS, select(*_announced())),
    )


def delete_in_steps() -> tuple[ClauseElement, ...]:
    """The expected version goes to history, and the deletion after it."""
    return (
        _filled(history, VERSION_COLUMNS, _superseded(resource, *_expected())),
        _filled(history, VERSION_COLUMNS, _deletion(resource, *_mine(resource))),
        _filled(party, PARTY_COLUMNS, _parties_of_deletion()),
        delete(resource).where(*_mine(resource)),
        delete(search_index).where(search_index.c.id == new("id"), search_index.c.type == new("type_number")),
        _filled(outbox, OUTBOX_COLUMNS, select(*_announced())),
    )


def index_columns(rows: Sequence[IndexRow]) -> dict[str, Any]:
    """The rows as one array per column, by the names of their binds."""
    columns = zip(*rows, strict=True) if rows else [()] * len(_INDEX_TYPES)
    return {f"index_row_{name}": list(column) for name, column in zip(_INDEX_TYPES, columns, strict=True)}


def party_columns(parties: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The parties as one array per column, by the names of their binds."""
    holders = [holder for _, holder in parties]
    split = [holder.rpartition("/") for holder in holders]
    return {
        "party_row_role": [role for role, _ in parties],
        "party_row_holder": holders,
        "party_row_holder_type": [type_ for type_, _, _ in split],
        "party_row_holder_id": [id_ for _, _, id_ in split],
    }
