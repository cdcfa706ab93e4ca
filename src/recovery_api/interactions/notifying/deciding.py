"""Whether a subscriber may hear of an event now: by the rights that their Subscription keeps, by consent, and by its filters.

They hear of what they could read at this moment, in the version that made the event as in the present one, and filters see their copy.
"""
from collections.abc import Sequence
from typing import Final

from recovery_api.domain.escalations import PRIORITIES
from recovery_api.domain.subscriptions import Filter, Wanted
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.search.expression import Own, both
from recovery_api.fhir.search.match import Resources, View, match
from recovery_api.fhir.search.parse import condition
from recovery_api.fhir.topics import topics
from recovery_api.identity.actor import Actor
from recovery_api.interactions.care.escalations import TELLING, fire
from recovery_api.interactions.context import Server
from recovery_api.interactions.present import copied
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import SearchQuery
from recovery_api.store.subscriptions import Happened
from recovery_api.store.writer import Writer

HIGHEST: Final = PRIORITIES[-1]


async def allowed(server: Server, writer: Writer, actor: Actor, wanted: Wanted, event: Happened) -> Record | None:
    """The version that an event is about, if the subscriber may hear of it."""
    record = await readable(server, writer, actor, event)
    if record is None:
        return None
    seen = copied(server, actor, record).seen
    priority = await _priority(server, writer, actor, wanted, record, seen)
    if priority is None:
        return None
    for each in wanted.filters:
        if each.type == event.type and not await _meets(server, writer, actor, wanted, each, record, seen, priority):
            return None
    return record


async def readable(server: Server, reader: Reader, actor: Actor, event: Happened) -> Record | None:
    """The version that an event is about, if the subscriber may read it, and the present one too."""
    now, (type, id) = server.clock(), (event.type, event.id)
    if not actor.allows(type, "r"):
        return None
    seeing = reader.seeing(server.grants.sight(actor, "r", now))
    current = await seeing.read(type, id)
    if current is None or current.body is None:
        return None
    granular = server.grants.is_granular(actor, "r", type)
    record = await (reader.seeing(server.grants.rows(actor, now)) if granular else seeing).vread(type, id, event.version)
    if record is None or record.body is None:
        return None
    if granular and not server.grants.admits(actor, "r", copied(server, actor, record).seen, record.client):
        return None
    return record


async def _priority(server: Server, writer: Writer, actor: Actor, wanted: Wanted, record: Record, seen: JsonObject) -> str | None:
    """How pressing it is; None where rules must hold of it and, by what the subscriber sees, none does."""
    if not topics()[wanted.topic].triggers[record.type].rules:
        return HIGHEST
    if seen.get("status") not in TELLING[record.type]:
        return None
    fired = await fire(server, writer.seeing(server.grants.sight(actor, "r", server.clock())), seen, record.client)
    return max((each.action.priority for each in fired), key=PRIORITIES.index, default=None)


async def _meets(
    server: Server, writer: Writer, actor: Actor, wanted: Wanted, each: Filter, record: Record, seen: JsonObject, priority: str
) -> bool:
    names = topics()[wanted.topic].filters[each.type]
    pairs = [(names[name], value) for name, value in each.pairs if name != "priority"]
    if any(name == "priority" and value != priority for name, value in each.pairs):
        return False
    at_once, chained = [pair for pair in pairs if "." not in pair[0]], [pair for pair in pairs if "." in pair[0]]
    view = View(record.type, record.id, server.extract(seen), client=record.client)
    if not match(condition(record.type, at_once, server.search), view, Resources(server.search.table, (), shows_all=True)):
        return False
    return not chained or await _found(server, writer, actor, record, chained)


async def _found(server: Server, writer: Writer, actor: Actor, record: Record, pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether the subscriber would find it by what it points at."""
    seeing = writer.seeing(server.grants.sight(actor, "s", server.clock()))
    where = both(Own("id", "=", record.id), condition(record.type, pairs, server.search))
    return bool((await seeing.search(SearchQuery((record.type,), where, count=1))).records)
