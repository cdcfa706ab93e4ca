"""Calling the endpoints of rest-hooks: the handshake, the events in their order, heartbeats; again and again where nobody answers.

One worker at a time has a Subscription, by a lease that ends by itself if the worker does. An event is told until its endpoint has taken
it, at least once, each time with the same number.
"""
from collections.abc import Sequence
from typing import Final

from recovery_api.domain.subscriptions import wanted
from recovery_api.fhir.errors import Conflict
from recovery_api.fhir.instants import DAY, HOUR, SECOND
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.notifications import About, Told, notification
from recovery_api.identity.endpoints import EndpointRefused
from recovery_api.identity.remembered import recalled
from recovery_api.interactions.care.subscriptions import switch_off
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import change
from recovery_api.interactions.notifying.numbering import Subscriber, again, next_events
from recovery_api.store import subscriptions
from recovery_api.store.records import NEVER

FIRST_PAUSE: Final = 2 * SECOND
LONGEST_PAUSE: Final = HOUR
"""Between two attempts: twice as long after each that fails, up to the longest."""
GIVEN_UP_AFTER: Final = 3 * DAY
"""How long an endpoint may fail before its Subscription is in error, where it waits for its subscriber."""
KEPT: Final = 30 * DAY
"""How long events that have arrived can be asked for ($events)."""
SLACK: Final = 2 * SECOND
"""How much longer than a call the lease lasts."""
OVER: Final = "The Subscription has come to its end."
RIGHTS_ENDED: Final = "What the subscriber was given has ended."
LOOKING: Final = 60 * SECOND
"""The lease until it is known how long a call may last."""


async def attend(server: Server, id: str) -> None:
    """Do what is due for a Subscription: nothing where another worker has it."""
    subscriber = await _held(server, id)
    if subscriber is None:
        return
    try:
        if subscriber.standing.status == "requested":
            subscriber = await _handshake(server, subscriber)
        while subscriber.standing.status == "active" and (told := await _to_tell(server, subscriber)):
            subscriber = await _tell(server, *told)
        if subscriber.standing.status == "active" and subscriber.standing.beat <= server.clock():
            subscriber = await _heartbeat(server, subscriber)
        await _changed(server, subscriber, leased_until=0)
    except Conflict:
        return  # the subscriber has changed it, or another worker has it


async def sweep(server: Server) -> None:
    """End the Subscriptions that count no more, and forget events that are long past."""
    async with server.store.reader(server.grants.system) as reader:
        listening = await subscriptions.listening(reader)
    for one in listening:
        subscriber = await subscriber_of(server, one.id)
        if subscriber is not None:
            await counts(server, subscriber)
    async with server.store.writer(server.grants.system) as writer:
        await subscriptions.expire(writer, server.clock() - KEPT)


async def subscriber_of(server: Server, id: str) -> Subscriber | None:
    """A Subscription as it is now, with the rights that it keeps; None where it is gone."""
    async with server.store.reader(server.grants.system) as reader:
        record, standing = await reader.read("Subscription", id), await subscriptions.find(reader, id)
    if record is None or record.body is None or standing is None:
        return None
    return Subscriber(id, wanted(load(record.body)), recalled(standing.caller), standing)


async def counts(server: Server, subscriber: Subscriber) -> bool:
    """Whether a Subscription still counts: it has not come to its end, nor have its rights. Where not, it is off from now on."""
    over = subscriber.wanted.ends <= server.clock()
    if not over and await server.remembered.counts(subscriber.actor):
        return True
    async with server.store.writer(server.grants.system) as writer:
        await switch_off(server, writer, subscriber.id, OVER if over else RIGHTS_ENDED)
    return False


def about(server: Server, subscriber: Subscriber, *, status: str | None = None) -> About:
    """What a notification says of its Subscription. With an empty payload the topic is not named."""
    topic = subscriber.wanted.topic if subscriber.wanted.content != "empty" else ""
    return About(server.base, subscriber.id, status or subscriber.standing.status, topic, subscriber.standing.number)


async def _held(server: Server, id: str) -> Subscriber | None:
    """The Subscription, leased for as long as a call may last; None where it is another's, or ends."""
    async with server.store.writer(server.grants.system) as writer:
        if not await subscriptions.lease(writer, id, server.clock() + LOOKING):
            return None
    subscriber = await subscriber_of(server, id)
    if subscriber is None or not await counts(server, subscriber):
        return None
    return await _changed(server, subscriber, leased_until=_lease(server, subscriber))


async def _handshake(server: Server, subscriber: Subscriber) -> Subscriber:
    problem = await _post(server, subscriber, notification(about(server, subscriber), "handshake", now=server.clock()))
    if problem is None:
        return await _become(server, subscriber, "active", "")
    return await _become(server, subscriber, "error", problem)


async def _heartbeat(server: Server, subscriber: Subscriber) -> Subscriber:
    problem = await _post(server, subscriber, notification(about(server, subscriber), "heartbeat", now=server.clock()))
    return await (_heard(server, subscriber) if problem is None else _failed(server, subscriber, problem))


async def _to_tell(server: Server, subscriber: Subscriber) -> tuple[Subscriber, list[Told]] | None:
    """The events that come next, those first that were told before and have not arrived."""
    standing, most = subscriber.standing, subscriber.wanted.most
    if standing.due > server.clock():
        return None
    if standing.delivered < standing.number:
        async with server.store.reader(server.grants.system) as reader:
            found = await again(server, reader, subscriber, standing.delivered + 1, standing.number, most)
        return subscriber, [told for told, _ in found]
    standing, told = await next_events(server, subscriber, most)
    return (subscriber._replace(standing=standing), told) if told else None


async def _tell(server: Server, subscriber: Subscriber, told: Sequence[Told]) -> Subscriber:
    body = notification(about(server, subscriber), "event-notification", told, now=server.clock())
    problem = await _post(server, subscriber, body)
    if problem is not None:
        return await _failed(server, subscriber, problem)
    return await _heard(server, subscriber, delivered=told[-1].number)


async def _post(server: Server, subscriber: Subscriber, body: bytes) -> str | None:
    """Call the endpoint; what went wrong, or None."""
    ours = subscriber.wanted
    headers = [("Content-Type", "application/fhir+json"), *ours.headers]
    try:
        await server.endpoints.post(ours.endpoint, body, headers, ours.timeout)
    except EndpointRefused as refused:
        return str(refused)
    return None


async def _heard(server: Server, subscriber: Subscriber, **more: int) -> Subscriber:
    until = {"leased_until": _lease(server, subscriber), "beat": _beat(server, subscriber)}
    return await _changed(server, subscriber, **until, **more, failures=0, failing=0, due=0)


async def _failed(server: Server, subscriber: Subscriber, problem: str) -> Subscriber:
    now, standing = server.clock(), subscriber.standing
    failing = standing.failing or now
    if now - failing >= GIVEN_UP_AFTER:
        return await _become(server, subscriber, "error", problem)
    pause = min(FIRST_PAUSE << min(standing.failures, 20), LONGEST_PAUSE)
    return await _changed(server, subscriber, failures=standing.failures + 1, failing=failing, due=now + pause)


async def _become(server: Server, subscriber: Subscriber, status: str, problem: str) -> Subscriber:
    """The Subscription in another state, for everybody to see. Raises Conflict where it is not the worker's any more."""

    def revise(said: JsonObject) -> JsonObject:
        kept = {name: value for name, value in said.items() if name != "error"}
        return kept | {"status": status} | ({"error": problem} if problem else {})

    async with server.store.writer(server.grants.system) as writer:
        until = {"leased_until": _lease(server, subscriber), "beat": _beat(server, subscriber) if status == "active" else NEVER}
        changed = await subscriptions.change(writer, subscriber.standing, status=status, **until, failures=0, failing=0, due=0)
        if changed is None:
            raise Conflict
        await change(server, writer, "Subscription", subscriber.id, revise)
    return subscriber._replace(standing=changed)


async def _changed(server: Server, subscriber: Subscriber, **changes: int) -> Subscriber:
    async with server.store.writer(server.grants.system) as writer:
        changed = await subscriptions.change(writer, subscriber.standing, **changes)
    if changed is None:
        raise Conflict
    return subscriber._replace(standing=changed)


def _lease(server: Server, subscriber: Subscriber) -> int:
    return server.clock() + subscriber.wanted.timeout * SECOND + SLACK


def _beat(server: Server, subscriber: Subscriber) -> int:
    period = subscriber.wanted.heartbeat
    return server.clock() + period * SECOND if period else NEVER


