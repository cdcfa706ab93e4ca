"""Where people work and who answers for whom, as relations say."""

from typing import cast

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, Text, select

from recovery_api.store.connected import Connected
from recovery_api.store.statement import bind
from recovery_api.store.tables import relation
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM


async def organization_of(store: Store, practitioner: str, now: int) -> str | None:
    """The organization ("Organization/id") that employs a practitioner ("Practitioner/id") at a stamp: the latest, where several do."""
    at = bind("now", BigInteger())
    statement = store.statements.fixed(
        "organization-of",
        lambda: (
            select(relation.c.organization)
            .where(relation.c.holder == bind("practitioner", Text()), relation.c.kind == "employment")
            .where(relation.c.starts <= at, relation.c.ends > at)
            .order_by(relation.c.starts.desc(), relation.c.organization)
        ),
    )
    async with store.reader(SYSTEM) as reader:
        rows = await reader.connection.fetch(statement.text, statement.values({"practitioner": practitioner, "now": now}))
    return cast("str", rows[0][0]) if rows else None


def _current(row: FromClause, now: ColumnElement[int]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return row.c.starts <= now, row.c.ends > now


async def supervisor_of(reader: Connected, practitioner: str, now: int) -> str | None:
    """Who supervises a practitioner at a stamp, themselves and not as a delegate ("Practitioner/id"): the latest, where several do."""
    statement = reader.statements.fixed("supervisor-of", _supervisor)
    rows = await reader.connection.fetch(statement.text, statement.values({"practitioner": practitioner, "now": now}))
    return cast("str", rows[0][0]) if rows else None


def _supervisor() -> Select[str]:
    role, supervision, person, at = relation.alias(), relation.alias(), relation.alias(), bind("now", BigInteger())
    return (
        select(person.c.client)
        .where(role.c.kind == "practitioner-of", role.c.client == bind("practitioner", Text()), *_current(role, at))
        .where(supervision.c.kind == "supervises", supervision.c.client == role.c.holder, *_current(supervision, at))
        .where(person.c.kind == "practitioner-of", person.c.holder == supervision.c.holder, *_current(person, at))
        .order_by(supervision.c.starts.desc(), person.c.client)
    )


async def holders_of(reader: Connected, kind: str, client: str, now: int) -> list[str]:
    """Who stands in a relation of the kind to a client (a Patient's id, "Type/id" of staff) at a stamp, the latest first."""
    statement = reader.statements.fixed("holders-of", _holders)
    rows = await reader.connection.fetch(statement.text, statement.values({"kind": kind, "client": client, "now": now}))
    return [cast("str", row[0]) for row in rows]


def _holders() -> Select[str]:
    mine = (relation.c.kind == bind("kind", Text()), relation.c.client == bind("client", Text()))
    now = _current(relation, bind("now", BigInteger()))
    return select(relation.c.holder).where(*mine, *now).order_by(relation.c.starts.desc(), relation.c.holder)
