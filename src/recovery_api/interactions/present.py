"""The copy of a resource that a caller is given: the stored bytes, save where something is left out or added."""
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.paths import references_at
from recovery_api.fhir.search.expression import ClientOf
from recovery_api.identity.actor import Actor
from recovery_api.interactions.context import Server
from recovery_api.policy.redact import leave_out, with_members
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import SearchQuery

MOST_MEMBERS = 1_000


def is_whole(server: Server, actor: Actor, type: str) -> bool:
    """Whether resources of the type are given to the caller as they are stored."""
    row = server.matrix.of(actor.role, type)
    return type != "Group" and not (row and row.leaves_out)


async def present(server: Server, actor: Actor, reader: Reader, record: Record) -> bytes:
    """The bytes of a version's body for this caller."""
    body = record.body or b""
    if is_whole(server, actor, record.type):
        return body
    resource = load(body)
    row = server.matrix.of(actor.role, record.type)
    if row and row.leaves_out:
        resource = leave_out(resource, row.leaves_out)
    if record.type == "Group":
        resource = await _recipients(reader, resource)
    return dump(resource)


async def _recipients(reader: Reader, group: JsonObject) -> JsonObject:
    return with_members(group, await members(reader, group))


async def members(reader: Reader, group: JsonObject) -> list[str]:
    """The clients whom the recipient group has now for this caller, by id."""
    managing = next(references_at(group, "managingEntity"), "")
    opened = ClientOf(("consent-permit",), managing)
    page = await reader.search(SearchQuery(("Patient",), opened, count=MOST_MEMBERS))
    return sorted(record.id for record in page.records)
