"""The outbox, matched to the topics that somebody listens to: each version that triggers one becomes an event of its Subscriptions.

Whether a subscriber may hear of it is not asked here: that is decided when it is told (`deciding.py`).
"""
from collections.abc import Collection, Iterable
from typing import Final

from recovery_api.fhir.errors import Conflict
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.topics import Topic, topics
from recovery_api.interactions.context import Server
from recovery_api.store import outbox, subscriptions
from recovery_api.store.outbox import Event
from recovery_api.store.reader import Reader
from recovery_api.store.subscriptions import Standing

BATCH: Final = 500


async def match_all(server: Server) -> None:
    """Make events of all that was written. Several workers may do so at once: what one has done, another does not do again."""
    try:
        while await _match(server):
            pass
    except Conflict:
        return  # another worker was quicker


async def _match(server: Server) -> bool:
    """Make events of the oldest that was written; whether there is more."""
    async with server.store.reader(server.grants.system) as reader:
        events = await outbox.waiting(reader, BATCH)
        listening = await subscriptions.listening(reader) if events else []
        found = await _triggered(reader, events, listening)
    if events:
        async with server.store.writer(server.grants.system) as writer:
            if listening:
                await outbox.settle(writer, events)
                await subscriptions.add(writer, found)
            else:
                await outbox.drain(writer)
    return len(events) == BATCH


async def _triggered(reader: Reader, events: Iterable[Event], listening: Collection[Standing]) -> list[tuple[str, Event]]:
    """The events with the ids of the Subscriptions that they are for."""
    wanted = [topics()[url] for url in dict.fromkeys(one.topic for one in listening) if url in topics()]
    found: list[tuple[str, Event]] = []
    for event in events:
        about = [topic for topic in wanted if event.type in topic.triggers]
        fired = await _fired(reader, event, about) if about and event.method != "DELETE" else set[str]()
        found += ((one.id, event) for one in listening if one.topic in fired and one.since < event.stamp)
    return found


async def _fired(reader: Reader, event: Event, about: Iterable[Topic]) -> set[str]:
    after = await _version(reader, event, event.version)
    if after is None:
        return set()
    before = await _version(reader, event, event.version - 1) if event.version > 1 else None
    return {topic.url for topic in about if topic.fires(before, after)}


async def _version(reader: Reader, event: Event, version: int) -> JsonObject | None:
    record = await reader.vread(event.type, event.id, version)
    return load(record.body) if record and record.body else None
