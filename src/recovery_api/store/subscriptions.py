"""How Subscriptions stand, and their events: who is to be told of what, in which order, and what has arrived.

An event has no number until its subscriber may be told. Numbers are given in the order of stamps, by the one worker that has leased the
Subscription, and stay: what is sent again has the number that it had.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, ClauseElement, Integer, LargeBinary, Select, Text, and_, delete, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from recovery_api.store.connected import Connected
from recovery_api.store.outbox import Event
from recovery_api.store.reader import Reader
from recovery_api.store.statement import Dialect, SqlValue, bind, text
from recovery_api.store.tables import subscription, subscription_event
from recovery_api.store.writer import Writer


class Standing(NamedTuple):
    """How a Subscription stands; see the table. Stamps are microseconds, UTC."""

    id: str
    topic: str
    client: str
    channel: str
    status: str
    caller: bytes
    since: int
    number: int
    delivered: int
    due: int
    beat: int
    failing: int
    leased_until: int
    failures: int


class Happened(NamedTuple):
    """An event of a Subscription: the version of a resource that it is about. `number` is 0 until it may be told."""

    subscription: str
    stamp: int
    type: str
    id: str
    version: int
    number: int


async def listening(reader: Reader) -> list[Standing]:
    """The Subscriptions for which events are kept."""
    return await _standing(reader, "listening")


async def about(reader: Reader, client: str) -> list[Standing]:
    """Those that are about one client ("Patient/id") alone, and for which events are kept."""
    return await _standing(reader, "about", of_client=client)


async def find(reader: Reader, id: str) -> Standing | None:
    """How one stands."""
    found = await _standing(reader, "find", of_id=id)
    return found[0] if found else None


async def due(reader: Reader, now: int) -> list[str]:
    """The ids of those whose endpoint is to be called now, and that nobody has leased."""
    statement = reader.statements.fixed("subscriptions-due", _due)
    rows = await reader.connection.fetch(statement.text, statement.values({"now": now}))
    return [cast("str", row[0]) for row in rows]


async def lease(writer: Writer, id: str, until: int) -> bool:
    """Have a Subscription alone until the stamp; False where somebody else has it."""
    statement = writer.statements.fixed("subscription-lease", _lease)
    values = statement.values({"of_id": id, "until": until, "now": writer.stamp})
    return await writer.connection.execute(statement.text, values) == 1


async def keep(writer: Writer, standing: Standing) -> None:
    """Write how a Subscription stands, a new one or one that was changed; its numbers go on."""
    dialect = writer.statements.dialect
    statement = writer.statements.fixed("subscription-keep", lambda: _keep(dialect))
    await writer.connection.execute(statement.text, statement.values(standing._asdict()))


async def change(writer: Writer, held: Standing, **changes: SqlValue) -> Standing | None:
    """How a Subscription stands after these changes, made by whoever holds its lease; None where the lease was lost."""
    changed = held._replace(**cast("Any", changes))
    statement = writer.statements.fixed("subscription-change", _change)
    values = statement.values({**changed._asdict(), "held_until": held.leased_until})
    return changed if await writer.connection.execute(statement.text, values) == 1 else None


async def forget(writer: Writer, id: str) -> None:
    """Nothing is kept of a Subscription that is gone."""
    for statement in writer.statements.steps("subscription-forget", _forget):
        await writer.connection.execute(statement.text, statement.values({"of_id": id}))


async def add(writer: Writer, found: Iterable[tuple[str, Event]]) -> None:
    """Keep events for Subscriptions (by id), still without numbers."""
    rows = [(id_, event.stamp, event.type, event.id, event.version, 0) for id_, event in found]
    if rows:
        await writer.connection.copy("subscription_event", Happened._fields, rows)


async def unnumbered(reader: Reader, id: str, limit: int) -> list[Happened]:
    """The oldest events of a Subscription that have no number yet."""
    return await _events(reader, "unnumbered", of_id=id, most=limit)


async def numbered(reader: Reader, id: str, first: int, last: int, limit: int) -> list[Happened]:
    """The events of a Subscription with these numbers, both ends included, from the first on."""
    return await _events(reader, "numbered", of_id=id, first=first, last=last, most=limit)


async def number(writer: Writer, events: Sequence[Happened]) -> None:
    """Give events the numbers that they say."""
    statement = writer.statements.fixed("event-number", lambda: update(subscription_event).values(number=_NUMBER).where(*_EVENT))
    await writer.connection.executemany(statement.text, [statement.values(_key(each)) for each in events])


async def drop(writer: Writer, events: Sequence[Happened]) -> None:
    """Forget events of which the subscriber must not hear."""
    statement = writer.statements.fixed("event-drop", lambda: delete(subscription_event).where(*_EVENT))
    await writer.connection.executemany(statement.text, [statement.values(_key(each)) for each in events])


async def abandon(writer: Writer, id: str) -> None:
    """Forget the events of a Subscription that have no number."""
    nameless = (subscription_event.c.subscription == bind("of_id", Text()), subscription_event.c.number == literal_column("0"))
    statement = writer.statements.fixed("events-abandon", lambda: delete(subscription_event).where(*nameless))
    await writer.connection.execute(statement.text, statement.values({"of_id": id}))


async def expire(writer: Writer, before: int) -> None:
    """Forget events older than the stamp that have arrived, or whose Subscription is off."""
    statement = writer.statements.fixed("events-expire", _expire)
    await writer.connection.execute(statement.text, statement.values({"before": before}))


async def _standing(reader: Connected, name: str, **values: SqlValue) -> list[Standing]:
    statement = reader.statements.fixed(f"subscription-{name}", lambda: _STANDING[name])
    rows = await reader.connection.fetch(statement.text, statement.values(values))
    return [Standing._make(cast("Any", row)) for row in rows]


async def _events(reader: Connected, name: str, **values: SqlValue) -> list[Happened]:
    statement = reader.statements.fixed(f"events-{name}", lambda: _EVENTS[name])
    rows = await reader.connection.fetch(statement.text, statement.values(values))
    return [Happened._make(cast("Any", row)) for row in rows]


def _key(event: Happened) -> dict[str, SqlValue]:
    return {f"of_{name}": value for name, value in event._asdict().items()}


def _integer(name: str) -> Any:
    return bind(name, BigInteger())


_TYPES: Mapping[str, TypeEngine[Any]] = {
    **dict.fromkeys(("id", "topic", "client", "channel", "status"), Text()),
    "caller": LargeBinary(),
    **dict.fromkeys(("since", "number", "delivered", "due", "beat", "failing", "leased_until"), BigInteger()),
    "failures": Integer(),
}
_KEPT = subscription.c.status != text("off")
_THIS = subscription.c.id == bind("of_id", Text())
_NUMBER = _integer("of_number")
_EVENT = (
    subscription_event.c.subscription == bind("of_subscription", Text()),
    subscription_event.c.stamp == _integer("of_stamp"),
    subscription_event.c.type == bind("of_type", Text()),
    subscription_event.c.id == bind("of_id", Text()),
    subscription_event.c.version == _integer("of_version"),
)


def _all() -> Select[Any]:
    return select(*(subscription.c[name] for name in Standing._fields)).order_by(subscription.c.id)


_STANDING: Mapping[str, ClauseElement] = {
    "listening": _all().where(_KEPT),
    "about": _all().where(subscription.c.client == bind("of_client", Text()), _KEPT),
    "find": _all().where(_THIS),
}


def _of_one() -> Select[Any]:
    found = select(*(subscription_event.c[name] for name in Happened._fields))
    return found.where(subscription_event.c.subscription == bind("of_id", Text())).limit(_integer("most"))


_ORDER = [subscription_event.c[name] for name in ("stamp", "type", "id", "version")]
_EVENTS: Mapping[str, ClauseElement] = {
    "unnumbered": _of_one().where(subscription_event.c.number == literal_column("0")).order_by(*_ORDER),
    "numbered": _of_one()
    .where(subscription_event.c.number >= _integer("first"), subscription_event.c.number <= _integer("last"))
    .order_by(subscription_event.c.number),
}


def _due() -> ClauseElement:
    one = literal_column("1", Integer)
    mine = subscription_event.c.subscription == subscription.c.id
    fresh = select(one).where(mine, subscription_event.c.number == literal_column("0")).exists()
    to_do = or_(subscription.c.delivered < subscription.c.number, subscription.c.beat <= _integer("now"), fresh)
    wanted = or_(subscription.c.status == text("requested"), and_(subscription.c.status == text("active"), to_do))
    free = (subscription.c.leased_until <= _integer("now"), subscription.c.due <= _integer("now"))
    return select(subscription.c.id).where(subscription.c.channel == text("rest-hook"), *free, wanted).order_by(subscription.c.due)


def _lease() -> ClauseElement:
    return update(subscription).values(leased_until=_integer("until")).where(_THIS, subscription.c.leased_until <= _integer("now"))


def _keep(dialect: Dialect) -> ClauseElement:
    insert = (postgresql if dialect == "postgresql" else sqlite).insert
    given = {name: bind(name, type_) for name, type_ in _TYPES.items()}
    kept = {"id", "since", "number", "delivered"}
    anew = {name: value for name, value in given.items() if name not in kept}
    return insert(subscription).values(given).on_conflict_do_update(index_elements=["id"], set_=anew)


def _change() -> ClauseElement:
    given = {name: bind(name, type_) for name, type_ in _TYPES.items() if name != "id"}
    mine = (subscription.c.id == bind("id", Text()), subscription.c.leased_until == _integer("held_until"))
    return update(subscription).values(given).where(*mine)


def _forget() -> tuple[ClauseElement, ...]:
    return (
        delete(subscription_event).where(subscription_event.c.subscription == bind("of_id", Text())),
        delete(subscription).where(_THIS),
    )


def _expire() -> ClauseElement:
    mine = (subscription.c.id == subscription_event.c.subscription, _KEPT)
    to_come = or_(subscription_event.c.number == literal_column("0"), subscription_event.c.number > subscription.c.delivered)
    wanted = select(subscription.c.id).where(*mine, to_come).exists()
    return delete(subscription_event).where(subscription_event.c.stamp < _integer("before"), ~wanted)
