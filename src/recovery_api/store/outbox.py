"""The outbox: what was written, told in the order of stamps and only behind the horizon, so that nothing is told too late."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import BigInteger, ClauseElement, Text, delete, select, tuple_

from recovery_api.fhir.errors import Conflict
from recovery_api.store.reader import Reader
from recovery_api.store.statement import bind, text
from recovery_api.store.statements import horizon
from recovery_api.store.tables import outbox, subscription
from recovery_api.store.writer import Writer


class Event(NamedTuple):
    """One written version. `stamp` is its lastUpdated (microseconds, UTC)."""

    stamp: int
    type: str
    id: str
    version: int
    method: str
    client: str


_COLUMNS = [outbox.c[name] for name in Event._fields]
_KEY = [outbox.c[name] for name in ("stamp", "type", "id", "version")]
_ORDER: Final = tuple(_KEY)


async def waiting(reader: Reader, limit: int) -> Sequence[Event]:
    """The oldest events behind the horizon that nobody has settled."""
    dialect = reader.statements.dialect
    statement = reader.statements.fixed("outbox-waiting", lambda: _oldest(horizon(dialect)))
    rows = await reader.connection.fetch(statement.text, statement.values({"most": limit}))
    return [Event._make(cast("Any", row)) for row in rows]


async def settle(writer: Writer, events: Sequence[Event]) -> None:
    """Forget events that were found waiting, all of them.

    Raises Conflict where somebody else has settled some of them: then all that this transaction made of them must go.
    """
    statement = writer.statements.fixed("outbox-settle", _settling)
    values = statement.values({f"of_{name}": getattr(events[-1], name) for name in ("stamp", "type", "id", "version")})
    if await writer.connection.execute(statement.text, values) != len(events):
        raise Conflict


async def drain(writer: Writer) -> None:
    """Forget all events up to the horizon, unless somebody is to be told of them after all."""
    dialect = writer.statements.dialect
    statement = writer.statements.fixed("outbox-drain", lambda: _draining(horizon(dialect)))
    await writer.connection.execute(statement.text)


def _draining(until: Any) -> ClauseElement:
    somebody = select(subscription.c.id).where(subscription.c.status != text("off")).exists()
    return delete(outbox).where(outbox.c.stamp <= until.scalar_subquery(), ~somebody)


def _oldest(until: Any) -> ClauseElement:
    found = select(*_COLUMNS).where(outbox.c.stamp <= until.scalar_subquery())
    return found.order_by(*_ORDER).limit(bind("most", BigInteger()))


def _settling() -> ClauseElement:
    numbers = {"stamp", "version"}
    last = [bind(f"of_{column.name}", cast("Any", BigInteger() if column.name in numbers else Text())) for column in _KEY]
    return delete(outbox).where(outbox.c.stamp <= last[0], tuple_(*_KEY) <= tuple_(*last))
