"""Which companions are supervised now and have no open check-in: one look for all of them."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import BigInteger, ColumnElement, FromClause, Integer, Select, Text, literal_column, select

from recovery_api.fhir.search.expression import param_number
from recovery_api.store.connected import Connected
from recovery_api.store.existing import existing
from recovery_api.store.statement import bind, one_of, text
from recovery_api.store.tables import party, relation, resource, search_index

_ONE = literal_column("1", Integer)


async def without_check_in(reader: Connected, now: int, open: Sequence[str], supervisor: str | None = None) -> list[str]:
    """The companions' PractitionerRoles (references) to whom somebody is supervisor at `now` and whose check-in Tasks are in none of the
    states `open`. `supervisor`: only those of this PractitionerRole (a reference).
    """
    key = f"without-check-in-{'of' if supervisor else 'all'}-{'.'.join(open)}"
    statement = reader.statements.fixed(key, lambda: _waiting(open, of_one=supervisor is not None))
    named = {"now": now} | ({"supervisor": supervisor} if supervisor else {})
    rows = await reader.connection.fetch(statement.text, statement.values(named))
    return [f"PractitionerRole/{cast('str', row[0])}" for row in rows]


def _waiting(open: Sequence[str], *, of_one: bool) -> Select[str]:
    role = resource.alias("role")
    reference = text("PractitionerRole/") + role.c.id
    at = bind("now", BigInteger())
    supervised = [relation.c.client == reference, relation.c.kind == text("supervises"), relation.c.starts <= at, relation.c.ends > at]
    if of_one:
        supervised.append(relation.c.holder == bind("supervisor", Text()))
    task, status = resource.alias("task"), search_index.alias("status")
    waits = [
        *_named(party, task, reference),
        task.c.kind == text("supervision"),
        status.c.param == literal_column(str(param_number("Task.status")), Integer),
        status.c.id == task.c.id,
        one_of(status.c.value, open),
    ]
    return (
        select(role.c.id)
        .where(
            role.c.type == text("PractitionerRole"),
            existing(select(_ONE).where(*supervised).correlate_except(relation)),
            ~existing(select(_ONE).where(*waits).correlate_except(party, task, status)),
        )
        .order_by(role.c.id)
    )


def _named(named: FromClause, task: FromClause, reference: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """The Task is about the role."""
    return [
        named.c.holder == reference,
        named.c.role == text("focus"),
        named.c.type == text("Task"),
        task.c.type == text("Task"),
        task.c.id == named.c.id,
        task.c.version == named.c.version,
    ]


async def supervised(reader: Connected, holder: str, now: int) -> list[tuple[str, str]]:
    """Whom somebody ("Practitioner/id") supervises at `now`, herself or for whom she stands in: (PractitionerRole, Practitioner)."""
    statement = reader.statements.fixed("supervised-by", _supervised)
    rows = await reader.connection.fetch(statement.text, statement.values({"holder": holder, "now": now}))
    return [(cast("str", row[0]), cast("str", row[1])) for row in rows]


def _supervised() -> Select[str, str]:
    role, own, at = relation.alias("role"), relation.alias("own"), bind("now", BigInteger())
    now = [one for each in (role, own) for one in (each.c.starts <= at, each.c.ends > at)]
    joined = [own.c.client == role.c.client, own.c.kind == text("own-role")]
    mine = [role.c.holder == bind("holder", Text()), role.c.kind == text("supervises-role")]
    return select(role.c.client, own.c.holder).where(*mine, *joined, *now).distinct().order_by(role.c.client)
