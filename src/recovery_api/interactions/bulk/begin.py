"""Beginning a job."""
from recovery_api.fhir.errors import TooManyRequests
from recovery_api.fhir.instants import DAY
from recovery_api.interactions.audited import keep
from recovery_api.interactions.bulk.asked import owner
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.store import jobs
from recovery_api.store.jobs import Job


async def accepted(server: Server, request: FhirRequest, kind: str, asked: bytes) -> FhirResult:
    """The job is written, and audited: 202, and where it tells how it does. Raises TooManyRequests."""
    id, whose = server.new_id(), owner(request.actor)
    result = FhirResult(202, recorded=True, headers=((b"content-location", f"{server.base}/_jobs/{id}".encode()),))
    async with server.store.writer(server.grants.system) as writer:
        if await jobs.unfinished(writer, whose) >= server.jobs.at_once:
            raise TooManyRequests
        now = writer.stamp
        await jobs.add(writer, Job(id, kind, whose, "", now, now, 0, 0, 0, now + DAY, asked, b""))
        records = await keep(server, writer, [(request, result)])
    await server.audit.link(records)
    return result
