"""Where people work, as their active PractitionerRoles say."""

from typing import cast

from sqlalchemy import BigInteger, Text, select

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
