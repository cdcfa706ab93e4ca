"""Subscriptions that are told over a websocket: the token that binds one, and what there is to tell since it was last looked.

Whichever process has the socket looks itself. The numbers of events are given under the same lease as for any other channel, so that
several sockets of one Subscription are told the same.
"""
from collections.abc import Sequence
from typing import Final

from recovery_api.fhir.errors import Conflict
from recovery_api.fhir.instants import MINUTE, SECOND
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.notifications import notification
from recovery_api.interactions.context import Server
from recovery_api.interactions.notifying.delivering import about, counts, subscriber_of
from recovery_api.interactions.notifying.numbering import Subscriber, again, next_events
from recovery_api.store import subscriptions

LIFETIME: Final = 5 * MINUTE
"""How long a token can be used to bind a websocket."""
LEASE: Final = 10 * SECOND
MOST: Final = 100
"""Events that are told in one look."""
_WHOSE: Final = b"websocket"


def bound(server: Server, ids: Sequence[str]) -> str:
    """A token for Subscriptions, by their ids."""
    return server.bindings.seal(dump({"ids": list(ids), "until": server.clock() + LIFETIME}), _WHOSE)


def binding(server: Server, token: str) -> list[str]:
    """The ids of the Subscriptions that a token is for; none for one that is not ours, or not good any more."""
    content = server.bindings.unseal(token, _WHOSE) if token.isascii() else None
    said: JsonObject = load(content) if content else {"until": 0}
    return said["ids"] if said["until"] > server.clock() else []


async def open_now(server: Server, id: str) -> Subscriber | None:
    """A Subscription that is active, and whose rights count; else None."""
    subscriber = await subscriber_of(server, id)
    if subscriber is None or subscriber.standing.status != "active" or not await counts(server, subscriber):
        return None
    return subscriber


def greeting(server: Server, subscriber: Subscriber, kind: str) -> bytes:
    """A handshake or a heartbeat."""
    return notification(about(server, subscriber), kind, now=server.clock())


async def news(server: Server, subscriber: Subscriber, last: int) -> tuple[int, list[bytes]]:
    """What is to be told after the event with the number `last`: notifications in their order, and the last number that is in them."""
    subscriber = await _numbered(server, subscriber)
    standing, most = subscriber.standing, subscriber.wanted.most
    if standing.number <= last:
        return last, []
    async with server.store.reader(server.grants.system) as reader:
        told = [one for one, _ in await again(server, reader, subscriber, last + 1, standing.number, MOST)]
    groups = [told[start : start + most] for start in range(0, len(told), most)]
    said = [notification(about(server, subscriber), "event-notification", group, now=server.clock()) for group in groups]
    return (told[-1].number if told else standing.number), said


async def _numbered(server: Server, subscriber: Subscriber) -> Subscriber:
    """The Subscription when its events have their numbers, unless somebody else is about to give them."""
    async with server.store.reader(server.grants.system) as reader:
        if not await subscriptions.unnumbered(reader, subscriber.id, 1):
            return subscriber
    async with server.store.writer(server.grants.system) as writer:
        if not await subscriptions.lease(writer, subscriber.id, server.clock() + LEASE):
            return subscriber
    held = await subscriber_of(server, subscriber.id)
    if held is None:
        return subscriber
    try:
        standing, _ = await next_events(server, held, MOST)
    except Conflict:
        return subscriber
    async with server.store.writer(server.grants.system) as writer:
        changed = await subscriptions.change(writer, standing, delivered=standing.number, leased_until=0)
    return held._replace(standing=changed or standing)
