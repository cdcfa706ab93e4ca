"""What policy asks of a resource beside its own content: who stands in which relation to its client, and whom it names."""

from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy import BigInteger, ColumnElement, FromClause, Integer, Select, Text, and_, literal_column, not_, or_, select

from recovery_api.fhir.search.expression import And, ClientOf, Expression, Not, Or, Party, PartyIn, Value, Via
from recovery_api.store.existing import existing
from recovery_api.store.statement import bind, one_of, sql_value
from recovery_api.store.tables import party, relation, resource

Clause: TypeAlias = ColumnElement[bool]


def standing_now(kinds: Sequence[str], holder: Value, *, lately: bool = False) -> list[Clause]:
    """A row of `relation` says that the holder stands in a relation of one of the kinds now, or did lately."""
    now = bind("now", BigInteger())
    return [
        relation.c.holder == sql_value(holder, Text()),
        one_of(relation.c.kind, kinds),
        relation.c.starts <= now,
        relation.c.ends > (bind("lately", BigInteger()) if lately else now),
    ]


def related(node: ClientOf) -> Select[str]:
    """The clients who stand in the relation now."""
    where = standing_now(node.kinds, node.holder, lately=node.lately)
    if node.organization is not None:
        where.append(relation.c.organization == sql_value(node.organization, Text()))
    if node.qualifiers:
        where.append(or_(*(relation.c.qualifier == sql_value(value, Text()) for value in node.qualifiers)))
    return select(relation.c.client).where(*where)


def named_in(node: Party | PartyIn, table: FromClause) -> Clause:
    """The version names whom the node asks for."""
    return existing(select(literal_column("1", Integer)).where(*of_version(party, table), naming(node, party)))


def naming(node: Party | PartyIn, named: FromClause) -> Clause:
    """A row of `party` names whom the node asks for."""
    if isinstance(node, Party):
        holder = named.c.holder == sql_value(node.holder, Text())
    else:
        holder = named.c.holder.in_(select(relation.c.client).where(*standing_now(node.kinds, node.holder)))
    return and_(one_of(named.c.role, node.roles), holder)


def of_version(named: FromClause, table: FromClause) -> tuple[Clause, ...]:
    """A row of `party` belongs to the version."""
    return named.c.id == table.c.id, named.c.type == table.c.type, named.c.version == table.c.version


def looks_further(rule: Expression) -> bool:
    """The rule itself looks at what the resource points at: one step is enough."""
    match rule:
        case And(parts) | Or(parts):
            return any(map(looks_further, parts))
        case Not(part):
            return looks_further(part)
        case Via():
            return True
        case _:
            return False


def lack_now_too(version: FromClause, value: Value) -> Clause:
    """The current version has none of these bits of labels: a superseded one is under them too (world.md, decision 3)."""
    now = resource.alias()
    labelled = now.c.labels.bitwise_and(sql_value(value, BigInteger())) != literal_column("0", BigInteger)
    there = select(literal_column("1", Integer)).where(now.c.type == version.c.type, now.c.id == version.c.id, labelled)
    return not_(existing(there.correlate_except(now)))
