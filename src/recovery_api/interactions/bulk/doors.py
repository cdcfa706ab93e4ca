"""The addresses of a job: how far it is, its end, its files (https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request).

Whoever is not the one who asked for it finds nothing, and so does that one where what it rests on has changed.
"""
from collections.abc import AsyncIterator

import msgspec

from recovery_api.fhir.errors import FhirError, NotFound, ServiceUnavailable
from recovery_api.fhir.instants import SECOND, http_date
from recovery_api.fhir.json import dump
from recovery_api.interactions.audited import keep
from recovery_api.interactions.bulk.asked import EXPORT, IMPORT, Export, Import, owner
from recovery_api.interactions.bulk.export import OUTPUT, Progress, passes, stands
from recovery_api.interactions.bulk.import_ import Progress as Brought
from recovery_api.interactions.bulk.import_ import summary
from recovery_api.interactions.bulk.manifest import NDJSON, file_name, manifest
from recovery_api.interactions.context import FhirRequest, FhirResult, Packed, Server
from recovery_api.policy.decide import decide
from recovery_api.store import jobs
from recovery_api.store.jobs import DONE, FAILED, Job, JobFile

SLOWEST = 30
"""Seconds after which to ask again, at most."""


async def status(server: Server, request: FhirRequest) -> FhirResult:
    """How far a job is: 202, or in the end 200 with what came of it. Raises NotFound, and the error with which it failed."""
    job = await _mine(server, request)
    if job.outcome == FAILED:
        raise FhirError("The job could not be done, and nothing is left of it; ask for another.")
    if job.outcome != DONE:
        seconds = (server.clock() - job.created) // SECOND
        wait = b"%d" % min(SLOWEST, max(1, seconds // 10))
        return FhirResult(202, headers=((b"x-progress", _progress(job).encode()), (b"retry-after", wait)))
    files = await _files(server, job)
    if job.kind == IMPORT:
        wanted, brought = msgspec.json.decode(job.asked, type=Import), msgspec.json.decode(job.progress, type=Brought)
        body = dump(summary(server.base, wanted, brought, files))
        return FhirResult(200, body, headers=_expires(job), media_type="application/json")
    progress = msgspec.json.decode(job.progress, type=Progress)
    body = dump(manifest(server.base, msgspec.json.decode(job.asked, type=Export).request, progress.time, files))
    return FhirResult(200, body, headers=_expires(job), media_type="application/json", noticed=progress.noticed)


async def cancel(server: Server, request: FhirRequest) -> FhirResult:
    """End a job, and forget all that came of it. Raises NotFound."""
    job = await _mine(server, request)
    result = FhirResult(202, recorded=True)
    async with server.store.writer(server.grants.system) as writer:
        await jobs.drop(writer, job.id)
        records = await keep(server, writer, [(request, result)])
    await server.audit.link(records)
    await server.jobs.files.remove(job.id)
    return result


async def file(server: Server, request: FhirRequest) -> FhirResult:
    """A file of a job that is done. Raises NotFound, and Forbidden without a scope for its type."""
    job = await _mine(server, request)
    there = await _files(server, job) if job.outcome == DONE else ()
    found = next((one for one in there if file_name(one) == request.version), None)
    if found is None:
        raise NotFound
    if found.part == OUTPUT and job.kind == EXPORT:
        decide(server.matrix, request.actor, found.type, "r")
    noticed = job.kind == EXPORT and msgspec.json.decode(job.progress, type=Progress).noticed
    chunks = await _begun(server, found)
    file = Packed(chunks, found.packed, found.size)
    return FhirResult(200, file=file, headers=_expires(job), media_type=NDJSON, noticed=noticed)


async def _mine(server: Server, request: FhirRequest) -> Job:
    """The caller's job, which rests on what holds. Raises NotFound."""
    now = server.clock()
    async with server.store.reader(server.grants.system) as reader:
        job = await jobs.find(reader, request.id or "", now)
    if job is None or job.owner != owner(request.actor):
        raise NotFound
    if job.kind == EXPORT and job.progress:
        standing = msgspec.json.decode(job.progress, type=Progress).standing
        if standing and standing != await stands(server, job.id, request.actor):
            raise NotFound
    return job


async def _files(server: Server, job: Job) -> list[JobFile]:
    async with server.store.reader(server.grants.system) as reader:
        return await jobs.files(reader, job.id)


async def _begun(server: Server, file: JobFile) -> AsyncIterator[bytes]:
    """The bytes of a file, of which the first are there already. Raises NotFound where it is gone, ServiceUnavailable."""
    chunks = server.jobs.files.reading(file.name)
    try:
        first = await anext(chunks, b"")
    except FileNotFoundError:
        raise NotFound from None
    except OSError as error:
        raise ServiceUnavailable from error

    async def all_of_it() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_of_it()


def _progress(job: Job) -> str:
    if not job.progress:
        return "waiting"
    if job.kind == IMPORT:
        brought, sources = msgspec.json.decode(job.progress, type=Brought).brought, msgspec.json.decode(job.asked, type=Import).sources
        return f"{len(brought)} of {len(sources)} files"
    done = msgspec.json.decode(job.progress, type=Progress)
    many = len(passes(msgspec.json.decode(job.asked, type=Export)))
    return f"{done.passed} of {many} parts, {done.resources} resources"


def _expires(job: Job) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"expires", http_date(job.expires).encode()),)
