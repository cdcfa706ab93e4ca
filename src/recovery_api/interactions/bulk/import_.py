"""Bringing in, a source at a time, by the rules of `recovery-api load` (interactions/load.py).

What is there already with the same content stays as it is. So a step that a worker did not end is done again by another, and nothing is
lost, and nothing written twice.
"""
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump
from recovery_api.fhir.outcome import outcome
from recovery_api.identity.endpoints import EndpointRefused
from recovery_api.interactions.bulk.asked import IMPORT, Import, Source
from recovery_api.interactions.bulk.packing import packing
from recovery_api.interactions.bulk.sources import fetched
from recovery_api.interactions.bulk.steps import Step
from recovery_api.interactions.context import Server
from recovery_api.interactions.load import Loader, Report
from recovery_api.interactions.load_links import Links, wanted
from recovery_api.interactions.load_sources import Incoming, Place, Reject, incoming, texts
from recovery_api.policy.audit import Asked, answered
from recovery_api.store.jobs import Job, JobFile

OUTCOME = "outcome"


class Brought(msgspec.Struct):
    """What came of a source."""

    stored: int
    unchanged: int
    rejected: int


class Progress(msgspec.Struct):
    """How far an import came: what came of each source that is done."""

    time: int
    brought: list[Brought] = []


async def bring_in(server: Server, job: Job) -> Step:
    """The next step of an import: a source."""
    asked = msgspec.json.decode(job.asked, type=Import)
    progress = msgspec.json.decode(job.progress, type=Progress) if job.progress else Progress(server.clock())
    number = len(progress.brought)
    rejects: list[Reject] = []
    try:
        path = await fetched(server.jobs, asked.sources[number], job.id, number)
        report = await _loaded(server, asked, number, path, await _linking(server, asked, job), rejects)
    except (EndpointRefused, BadRequest, ValueError) as error:
        rejects.append(Reject(Place(asked.sources[number].url), "", (Issue("incomplete", f"The source could not be read: {error}"),)))
        report = Report(rejected=1)
    progress.brought.append(Brought(report.stored, report.unchanged, report.rejected))
    is_last = len(progress.brought) == len(asked.sources)
    if is_last:
        shutil.rmtree(server.jobs.spool / job.id, ignore_errors=True)
    said = Asked("operation", operation=IMPORT, request=asked.trace, address=asked.address)
    facts = [answered(asked.by.actor, said, 200, ())]
    return Step(msgspec.json.encode(progress), await _told(server, job, number, rejects), facts, is_last)


async def _linking(server: Server, asked: Import, job: Job) -> list[Path]:
    """The files of all sources that can be read: references may mean what stands in any of them."""
    found: list[Path] = []
    for number, source in enumerate(asked.sources):
        with suppress(EndpointRefused, BadRequest):
            found.append(await fetched(server.jobs, source, job.id, number))
    return found


async def _loaded(server: Server, asked: Import, number: int, path: Path, paths: Sequence[Path], rejects: list[Reject]) -> Report:
    """Load one source."""
    links = Links(server, {each for one in paths for text in texts(one) for each in wanted(text.data)})
    for one in paths:
        for text in texts(one):
            for item in incoming(text, server.base):
                if isinstance(item, Incoming):
                    links.learn(item)
    await links.ask()
    source = asked.sources[number]
    loader = Loader(server, rejects.append, links=links.known, notify=asked.notify)
    for text in texts(path):
        for item in incoming(text, server.base):
            await loader.add(_of_type(item, source))
    await loader.finish()
    return loader.report


def _of_type(item: Incoming | Reject, source: Source) -> Incoming | Reject:
    if isinstance(item, Reject) or not source.type or item.resource.get("resourceType") == source.type:
        return item
    said = f"The file was said to hold {source.type} only."
    return Reject(item.place, str(item.resource.get("resourceType", "")), (Issue("invalid", said),))


async def _told(server: Server, job: Job, number: int, rejects: Iterable[Reject]) -> list[JobFile]:
    """The file of what was not taken, and why."""
    lines = [dump(outcome(tuple(_placed(issue, reject) for issue in reject.issues))) for reject in rejects]
    if not lines:
        return []
    new = JobFile(job.id, number + 1, OUTCOME, "OperationOutcome", f"{job.id}/{number + 1}-{job.lease}.ndjson.gz", 0, 0, 0)
    async with packing(server.jobs.files, new.name) as made:
        await made.add(lines)
    return [made.of(new)]


def _placed(issue: Issue, reject: Reject) -> Issue:
    where = f"Line {reject.place.line}" + (f", {reject.reference}" if reject.reference else "")
    return issue._replace(diagnostics=f"{where}: {issue.diagnostics}")


def summary(base: str, asked: Import, progress: Progress, files: Sequence[JobFile]) -> JsonObject:
    """What came of an import, in the words of the proposal for it (https://github.com/smart-on-fhir/bulk-import)."""
    pairs = list(zip(asked.sources, progress.brought, strict=True))
    urls = {file.number: f"{base}/_jobs/{job}/{file.number}.OperationOutcome.ndjson" for file in files for job in (file.job,)}
    return {
        "transactionTime": instant(progress.time),
        "request": asked.request,
        "requiresAccessToken": True,
        "output": [{"type": one.type, "inputUrl": one.url, "count": came.stored + came.unchanged} for one, came in pairs],
        "error": [
            {"type": "OperationOutcome", "inputUrl": one.url, "count": came.rejected, "url": urls[number]}
            for number, (one, came) in enumerate(pairs, start=1)
            if number in urls
        ],
    }
