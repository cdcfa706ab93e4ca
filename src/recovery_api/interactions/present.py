"""The copy of a resource that a caller is given: the stored bytes, save where something is left out or added."""
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.paths import references_at
from recovery_api.fhir.search.expression import ClientOf, Consented, Expression, both
from recovery_api.identity.actor import Actor
from recovery_api.interactions.context import Server
from recovery_api.interactions.disclosure import ended, is_ended
from recovery_api.policy.redact import Copy, copy, with_members
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import SearchQuery

MOST_MEMBERS = 1_000


def is_whole(server: Server, actor: Actor, type: str) -> bool:
    """Whether resources of the type are given to the caller as they are stored, but for references that they may not follow."""
    row = server.matrix.of(actor.role, type)
    return type != "Group" and not (row and row.leaves_out)


def looks_the_same(server: Server, actor: Actor, record: Record) -> bool:
    """Whether the version looks the same to the caller whenever they may read it: nothing in it depends on what else they may see."""
    return record.hidden is None and not record.labels and is_whole(server, actor, record.type)


def looks_as_stored(server: Server, actor: Actor, record: Record) -> bool:
    """Whether the caller's copy of a version is what is stored: nothing is left out, nothing rides along in it."""
    return not record.hidden and is_whole(server, actor, record.type) and not is_ended(actor, record)


async def present(server: Server, actor: Actor, reader: Reader, record: Record) -> bytes:
    """The bytes of a version's body for this caller."""
    body = record.body or b""
    if looks_as_stored(server, actor, record):
        return body
    seen = copied(server, actor, record).seen
    if is_ended(actor, record):
        seen = await ended(server, reader, record, seen)
    return dump(await _recipients(reader, seen) if record.type == "Group" and seen.get("type") == "person" else seen)


def copied(server: Server, actor: Actor, record: Record) -> Copy:
    """The caller's copy of a version that has a body."""
    return copy(load(record.body or b""), server.matrix.of(actor.role, record.type), record.hidden or "", server.matrix)


async def _recipients(reader: Reader, group: JsonObject) -> JsonObject:
    return with_members(group, await members(reader, group))


async def members(reader: Reader, group: JsonObject) -> list[str]:
    """The clients whom the recipient group has now for this caller, by id."""
    page = await reader.search(SearchQuery(("Patient",), in_group(managing_entity(group)), count=MOST_MEMBERS))
    return sorted(record.id for record in page.records)


def managing_entity(group: JsonObject) -> str:
    """The recipient whose group it is, a reference; '' where it says none."""
    return next(references_at(group, "managingEntity"), "")


def in_group(recipient: str) -> Expression:
    """A client is in the group of the recipient (a reference) now."""
    return both(ClientOf(("consent-permit",), recipient), Consented(person=True, recipient=recipient))
