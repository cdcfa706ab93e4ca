"""Why somebody may or may not see something of a client: the relations and consent rules that bear on it, as queries would judge them."""

from typing import NamedTuple, cast

from sqlalchemy import BigInteger, Text, literal, null, select

from recovery_api.store.connected import Connected
from recovery_api.store.consented import Consents
from recovery_api.store.records import Relation
from recovery_api.store.statement import bind
from recovery_api.store.tables import relation


class Bearing(NamedTuple):
    """A consent rule that applies: the Consent's logical id, the place of the provision in it ("0": its root), permit or deny."""

    consent: str
    path: str
    effect: str


class Explained(NamedTuple):
    """What consent says of a resource like the one asked about."""

    permitted: bool
    denied_in_person: bool
    rules: tuple[Bearing, ...]


async def explained(reader: Connected, client: str, type: str, labels: int) -> Explained:
    """How the Consents of a client bear on a resource of the type with these labels (bits), without codes or a clinical date.

    The reader's visibility says who asks, for which purpose and when.
    """
    like = (
        select(
            literal(client, Text).label("client"),
            literal(type, Text).label("type"),
            literal("", Text).label("id"),
            literal(labels, BigInteger).label("labels"),
            null().label("happened_from"),
            null().label("happened_until"),
        )
    ).subquery("resource_like")
    consents = Consents(like, (type,), person=type == "Patient")
    statement = reader.statements.compiled(select(consents.permitted(), consents.denied_in_person()).select_from(like))
    [decided] = await reader.fetch(statement, {})
    rules = reader.statements.compiled(consents.bearing())
    found = [Bearing(*cast("tuple[str, str, str]", row)) for row in await reader.fetch(rules, {})]
    return Explained(bool(decided[0]), bool(decided[1]), tuple(found))


async def relations_of(reader: Connected, client: str, now: int) -> list[Relation]:
    """Who stands in which relation to the client now: members of the care team, their supervisors, representatives, recipients."""
    at = bind("now", BigInteger())
    statement = reader.statements.fixed(
        "relations-of-client",
        lambda: (
            select(*(relation.c[name] for name in Relation._fields))
            .where(relation.c.client == bind("client", Text()), relation.c.starts <= at, relation.c.ends > at)
            .distinct()
            .order_by(relation.c.kind, relation.c.holder)
        ),
    )
    rows = await reader.connection.fetch(statement.text, statement.values({"client": client, "now": now}))
    return [Relation(*cast("tuple[str, str, str, str, str, int, int]", row)) for row in rows]
