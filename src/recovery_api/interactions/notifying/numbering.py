"""The next events of a Subscription: decided, numbered, and recorded as told, in one transaction."""
from typing import Final, NamedTuple

from recovery_api.domain.subscriptions import Wanted
from recovery_api.fhir.errors import Conflict
from recovery_api.fhir.notifications import Told
from recovery_api.identity.actor import Actor
from recovery_api.interactions.context import Server
from recovery_api.interactions.disclosure import disclosure
from recovery_api.interactions.notifying.deciding import allowed, readable
from recovery_api.interactions.shown import shown
from recovery_api.policy.audit import Asked, answered, encoded
from recovery_api.store import subscriptions
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.subscriptions import Happened, Standing
from recovery_api.store.writer import Writer

LOOKED_AT: Final = 200
"""Events that are looked at in one transaction."""


class Subscriber(NamedTuple):
    """A Subscription, who made it, and how it stands."""

    id: str
    wanted: Wanted
    actor: Actor
    standing: Standing


async def next_events(server: Server, subscriber: Subscriber, most: int) -> tuple[Standing, list[Told]]:
    """The next events that the subscriber may hear of, at most so many, with their numbers; and how the Subscription stands then.

    What they may not hear of gets no number and is forgotten. Each is recorded as disclosed before anybody tells it.
    Raises Conflict where the lease was lost.
    """
    standing, told, looked, numbered = subscriber.standing, list[Told](), LOOKED_AT, 0
    while len(told) < most and looked == LOOKED_AT:
        async with server.store.writer(server.grants.system) as writer:
            waiting = await subscriptions.unnumbered(writer, subscriber.id, LOOKED_AT)
            looked, gone, shown_now = len(waiting), list[Happened](), list[tuple[Happened, Record]]()
            for event in waiting:
                record = await allowed(server, writer, subscriber.actor, subscriber.wanted, event)
                if record is None:
                    gone.append(event)
                    continue
                numbered = standing.number + len(shown_now) + 1
                shown_now.append((event._replace(number=numbered), record))
                if len(told) + len(shown_now) == most:
                    break
            await subscriptions.drop(writer, gone)
            await subscriptions.number(writer, [event for event, _ in shown_now])
            changed = await subscriptions.change(writer, standing, number=standing.number + len(shown_now))
            if changed is None:
                raise Conflict
            records = await server.audit.keep(writer, await _facts(subscriber, writer, [record for _, record in shown_now]))
        await server.audit.link(records)
        standing = changed
        told += [tell(subscriber, event) for event, _ in shown_now]
    return standing, told


async def again(
    server: Server, reader: Reader, subscriber: Subscriber, first: int, last: int, most: int
) -> list[tuple[Told, Record | None]]:
    """Events that have their numbers already, and what they are about. What the subscriber may not read any more is told without its
    place: that there was something, they were told when they might."""
    found = await subscriptions.numbered(reader, subscriber.id, first, last, most)
    records = [await readable(server, reader, subscriber.actor, event) for event in found]
    return [(tell(subscriber, event, hidden=record is None), record) for event, record in zip(found, records, strict=True)]


def tell(subscriber: Subscriber, event: Happened, *, hidden: bool = False) -> Told:
    """What a notification says of an event, by the content that was asked for."""
    named = subscriber.wanted.content == "id-only" and not hidden
    return Told(event.number, event.stamp, f"{event.type}/{event.id}" if named else "", event.version == 1)


async def _facts(subscriber: Subscriber, writer: Writer, records: list[Record]) -> list[bytes]:
    if not records:
        return []
    said = Asked("operation", "Subscription", subscriber.id, "events")
    return [encoded(answered(subscriber.actor, said, 200, await shown(writer, records), disclosure(subscriber.actor, records).consents))]
