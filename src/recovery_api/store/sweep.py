"""Going through all that somebody sees of a type, by key, in parts that a process can hold: for an export.

Of a type that belongs to clients, some clients at a time; of another, by id. A part is bounded in resources and in bytes, whatever
one resource weighs. What was made after a moment is not in it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, Text, and_, func, or_, select

from recovery_api.fhir.search.expression import EVERYTHING, Expression
from recovery_api.store.compile import Compiler, Scope
from recovery_api.store.follow import record_columns
from recovery_api.store.lift import hollow, lifted
from recovery_api.store.reader import WIDTH, Reader
from recovery_api.store.records import Record
from recovery_api.store.statement import Dialect, Statement, bind, in_list, text, text_list
from recovery_api.store.tables import resource


class Place(NamedTuple):
    """Where a part begins: after the resource of this client and id."""

    client: str = ""
    id: str = ""


class Sweep(NamedTuple):
    """What is gone through. `clients` None: of all clients and of none, by id; `made_until` is a stamp (microseconds, UTC)."""

    type: str
    clients: Sequence[str] | None
    made_until: int
    where: Expression = EVERYTHING
    most: int = 1_000
    """Resources of a part."""
    most_bytes: int = 8 << 20
    """Of their bodies, save where one alone is larger."""


class Part(NamedTuple):
    """Resources in order, and whether there are no more."""

    records: Sequence[Record]
    is_last: bool


async def part(reader: Reader, sweep: Sweep, after: Place) -> Part:
    """The next part."""
    visibility, statements = reader.visibility, reader.statements
    shape, values = lifted(sweep.where)
    key = ("sweep", visibility.key, sweep.type, sweep.clients is None, shape)
    statement = statements.get(key, lambda: _swept(reader, sweep))
    named: dict[str, Any] = {f"v{place}": value for place, value in enumerate(values)}
    named |= {"after_client": after.client, "after_id": after.id, "made_until": sweep.made_until}
    named |= {"limit": sweep.most, "most_bytes": sweep.most_bytes}
    if sweep.clients is not None:
        named["clients"] = text_list(sweep.clients, statements.dialect)
    rows = await reader.fetch(statement, named)
    found = cast("int", rows[0][WIDTH]) if rows else 0
    return Part([Record._make(cast("Any", row[:WIDTH])) for row in rows], len(rows) == found < sweep.most)


def _swept(reader: Reader, sweep: Sweep) -> Statement:
    dialect = reader.statements.dialect
    compiler = Compiler(dialect, reader.statements.parameters, reader.visibility)
    scope = Scope(resource, (sweep.type,), single=True)
    ordered = (resource.c.id,) if sweep.clients is None else (resource.c.client, resource.c.id)
    where = [*_after(sweep, dialect), resource.c.created <= bind("made_until", BigInteger()), compiler.found(hollow(sweep.where), scope)]
    weight = func.length(resource.c.body, type_=BigInteger).label("weight")
    keys = (resource.c.client, resource.c.id, weight)
    page = select(*keys).where(*where).order_by(*ordered).limit(bind("limit", BigInteger())).subquery("page")
    order = [page.c[column.name] for column in ordered]
    upto, found = func.sum(page.c.weight).over(order_by=order).label("upto"), func.count().over().label("found")
    weighed = select(*page.c, upto, found).subquery("weighed")
    fits = or_(weighed.c.upto <= bind("most_bytes", BigInteger()), weighed.c.upto == weighed.c.weight)
    whole = resource.alias("whole")
    this = (whole.c.type == text(sweep.type), whole.c.id == weighed.c.id, fits)
    records = select(*record_columns(compiler, whole, (sweep.type,)), weighed.c.found).where(*this)
    return reader.statements.compiled(records.order_by(*(weighed.c[column.name] for column in ordered)))


def _after(sweep: Sweep, dialect: Dialect) -> list[Any]:
    further = resource.c.id > bind("after_id", Text())
    if sweep.clients is None:
        return [further]
    last = bind("after_client", Text())
    of_some = in_list(resource.c.client, "clients", dialect)
    return [of_some, resource.c.client >= last, or_(resource.c.client > last, and_(resource.c.client == last, further))]
