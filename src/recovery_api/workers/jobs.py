"""Doing what jobs ask for, a step at a time: each step is whoever's turn it is, so a long job holds up no short one."""
import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import Final

from recovery_api.fhir.errors import FhirError
from recovery_api.fhir.instants import SECOND
from recovery_api.interactions.bulk.asked import EXPORT, IMPORT
from recovery_api.interactions.bulk.export import export
from recovery_api.interactions.bulk.import_ import bring_in
from recovery_api.interactions.bulk.steps import Step, Steps, Withdrawn
from recovery_api.interactions.context import Server
from recovery_api.policy.audit import encoded
from recovery_api.store import jobs
from recovery_api.store.jobs import DONE, FAILED, Job
from recovery_api.workers.attempts import again

PAUSE: Final = 0.5
"""Seconds between two looks for a job."""
LEASE: Final = 20 * SECOND
"""How long a job stays with a worker of whom nothing is heard."""
HEARTBEAT: Final = 5.0
"""Seconds after which a worker says again that it is there."""
MOST_TRIES: Final = 5
"""How often a step is tried before the job has failed."""

STEPS: Mapping[str, Steps] = MappingProxyType({EXPORT: export, IMPORT: bring_in})


async def run(server: Server) -> None:
    """Do jobs as they come, until it is cancelled."""

    async def all_there_are() -> None:
        while await run_next(server):
            pass

    await again(all_there_are, "Jobs can't be done now.", PAUSE)


async def run_next(server: Server) -> bool:
    """Do a step of the job that has waited longest; False where none waits."""
    async with server.store.reader(server.grants.system) as reader:
        if not await jobs.is_due(reader, server.clock()):
            return False
    async with server.store.writer(server.grants.system) as writer:
        job = await jobs.take(writer, writer.stamp + LEASE)
    if job is None:
        return False
    try:
        async with _held(server, job):
            step = await STEPS[job.kind](server, job)
        await _keep(server, job, step)
    except Withdrawn:
        await forget(server, job.id)
    except Exception:
        if job.tries >= MOST_TRIES:
            await _end(server, job._replace(outcome=FAILED), Step(job.progress))
        raise
    return True


async def sweep(server: Server) -> None:
    """Forget the jobs that have expired, with their files."""
    async with server.store.reader(server.grants.system) as reader:
        expired = await jobs.expired(reader, server.clock())
    for id in expired:
        await forget(server, id)


async def forget(server: Server, id: str) -> None:
    """Forget a job and its files."""
    async with server.store.writer(server.grants.system) as writer:
        await jobs.drop(writer, id)
    await server.jobs.files.remove(id)


async def _keep(server: Server, job: Job, step: Step) -> None:
    """Keep what a step came to; where the job was ended meanwhile, nothing of it stays."""
    if not await _end(server, job._replace(outcome=DONE if step.is_last else "", tries=0), step):
        async with server.store.reader(server.grants.system) as reader:
            if await jobs.find(reader, job.id, server.clock()) is None:
                await server.jobs.files.remove(job.id)


async def _end(server: Server, job: Job, step: Step) -> bool:
    """Whether the job was still this worker's to go on with."""
    expires = server.clock() + server.jobs.kept * SECOND if job.outcome else job.expires
    said = job._replace(progress=step.progress, leased_until=0, expires=expires)
    async with server.store.writer(server.grants.system) as writer:
        if not await jobs.advance(writer, said, step.files):
            return False
        records = await server.audit.keep(writer, [encoded(each) for each in step.facts])
        if step.also is not None:
            await step.also(writer)
    await server.audit.link(records)
    return True


@asynccontextmanager
async def _held(server: Server, job: Job) -> AsyncGenerator[None]:
    """While it is open, the lease does not run out."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            with suppress(FhirError):
                async with server.store.writer(server.grants.system) as writer:
                    await jobs.hold(writer, job, writer.stamp + LEASE)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
