"""Makes AuditEvents of audit records, which are then read and searched as resources of any type are."""
import asyncio
from typing import Final

from recovery_api.fhir.json import dump
from recovery_api.interactions.context import FhirRequest, Server
from recovery_api.policy.audit import decoded
from recovery_api.policy.audit_event import audit_event
from recovery_api.policy.decide import allowed_types
from recovery_api.store import bulk
from recovery_api.store.audit_feed import Fed, done, take
from recovery_api.store.bulk import Item
from recovery_api.store.records import Facets

TYPE: Final = "AuditEvent"
BATCH: Final = 200
CREATOR: Final = "audit"


def speaks_of_audit(server: Server, request: FhirRequest) -> bool:
    """Whether a read or search may show AuditEvents, so that they must be there up to the present moment."""
    if request.type != TYPE and request.type is not None and not any(TYPE in part for pair in request.query for part in pair):
        return False
    return TYPE in {*allowed_types(server.matrix, request.actor, "s"), *allowed_types(server.matrix, request.actor, "r")}


async def project(server: Server) -> int:
    """Make the AuditEvents of all records that are linked now; how many. Whoever else does so at the same time waits, or finds none."""
    made = 0
    while True:
        count = await _some(server)
        made += count
        if count < BATCH:
            return made
        await asyncio.sleep(0)


async def _some(server: Server) -> int:
    async with server.store.writer(server.grants.system, creator=CREATOR) as writer:
        fed = await take(writer, BATCH)
        if fed:
            await bulk.create(writer, [_item(server, one, writer.stamp) for one in fed], "POST", notify=False)
            await done(writer, fed)
    return len(fed)


def _item(server: Server, fed: Fed, stamp: int) -> Item:
    resource = audit_event(fed.record, decoded(fed.record.body), server.base, stamp)
    return Item(TYPE, fed.record.id, 1, False, dump(resource), Facets(released=True), server.extract(resource))
