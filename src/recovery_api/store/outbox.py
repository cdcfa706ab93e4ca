"""The outbox: what was written, told in the order of stamps and only behind the horizon, so that nothing is told too late."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, ClauseElement, Text, delete, select, update
from sqlalchemy.types import TypeEngine

from recovery_api.store.statement import bind
from recovery_api.store.tables import outbox
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


async def take(writer: Writer, limit: int, until: int) -> Sequence[Event]:
    """The oldest events that nobody has leased, now leased until the stamp; other processes take others."""
    find, lease = writer.statements.steps("lease", _leasing)
    named = {"now": writer.stamp, "limit": limit, "horizon": await writer.horizon()}
    rows = await writer.connection.fetch(find.text, find.values(named))
    events = [Event._make(cast("Any", row)) for row in rows]
    await writer.connection.executemany(lease.text, [lease.values({"until": until, **_key(event)}) for event in events])
    return events


async def settle(writer: Writer, events: Sequence[Event]) -> None:
    """The events are delivered: forget them."""
    forget = writer.statements.fixed("settle", lambda: delete(outbox).where(*_this()))
    await writer.connection.executemany(forget.text, [forget.values(_key(event)) for event in events])


def _key(event: Event) -> dict[str, Any]:
    return {f"of_{name}": getattr(event, name) for name in ("stamp", "type", "id", "version")}


def _this() -> list[Any]:
    numbers = {"stamp", "version"}
    return [
        outbox.c[name] == bind(f"of_{name}", cast("TypeEngine[Any]", BigInteger() if name in numbers else Text()))
        for name in ("stamp", "type", "id", "version")
    ]


def _leasing() -> tuple[ClauseElement, ...]:
    find = (
        select(*_COLUMNS)
        .where(outbox.c.stamp <= bind("horizon", BigInteger()), outbox.c.leased_until <= bind("now", BigInteger()))
        .order_by(outbox.c.stamp, outbox.c.type, outbox.c.id, outbox.c.version)
        .limit(bind("limit", BigInteger()))
        .with_for_update(skip_locked=True)
    )
    return find, update(outbox).values(leased_until=bind("until", BigInteger())).where(*_this())
