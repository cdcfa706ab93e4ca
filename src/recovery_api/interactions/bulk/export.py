"""Exporting, step by step: first whom it is about, then file after file, at the end what is to be said of it.

Everything is read through the sight of whoever asked, at the moment at which it is read. A file is of one type, and is counted, audited
and left behind with the place where the next begins, in one transaction. If a worker ends within it, it never was.
"""
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Final, NamedTuple

import msgspec

from recovery_api.fhir.errors import Issue, ServiceUnavailable
from recovery_api.fhir.json import dump, load
from recovery_api.fhir.outcome import outcome
from recovery_api.fhir.search.expression import EVERYTHING, Expression, Own, both
from recovery_api.fhir.summary import with_elements
from recovery_api.identity.actor import Actor
from recovery_api.interactions.bulk.asked import EXPORT, Export
from recovery_api.interactions.bulk.criteria import criteria
from recovery_api.interactions.bulk.packing import Packing, packing
from recovery_api.interactions.bulk.steps import Step, Withdrawn
from recovery_api.interactions.context import Server
from recovery_api.interactions.disclosure import disclosure
from recovery_api.interactions.present import in_group, looks_as_stored, present
from recovery_api.interactions.shown import POINTING, shown
from recovery_api.policy.audit import Asked, Facts, answered
from recovery_api.policy.consent import consent_rules
from recovery_api.policy.grant import Sight
from recovery_api.store.gathered import gather, next_clients, opened_since, standing
from recovery_api.store.jobs import Job, JobFile
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.sweep import Part, Place, Sweep, part

MOST_RESOURCES: Final = 50_000
MOST_BYTES: Final = 256 << 20
"""In a file: what one holds is done again where a worker ends within it."""
CLIENTS: Final = 100
"""Clients whose resources are looked for at a time."""
PART: Final = 4 << 20
"""Bytes of resources that are held at a time, save where one alone is larger."""
OUTPUT, SCOPE, OUTCOME = "output", "scope", "outcome"
"""Where a file stands in the manifest."""
END: Final = "~"
"""Behind all ids."""
FOREVER: Final = (1 << 63) - 1

log = logging.getLogger(__name__)


class Pass(NamedTuple):
    """One going through a type. `own`: what is new by itself, where what it points at is not."""

    type: str
    part: str = OUTPUT
    own: bool = False


class Progress(msgspec.Struct, kw_only=True):
    """How far an export came."""

    time: int
    """The stamp up to which everything is in it."""
    made_until: int
    """The stamp until which what is in it was made."""
    standing: str = ""
    """What opened its clients to whoever asked, when it began."""
    passed: int = 0
    client: str = ""
    id: str = ""
    files: int = 0
    resources: int = 0
    noticed: bool = False
    consents: list[str] = []
    """Logical ids of those on which it rests."""
    problems: list[str] = []
    """Types of which something could not be exported."""

    def next_pass(self) -> None:
        """Begin with the next."""
        self.passed, self.client, self.id = self.passed + 1, "", ""


async def export(server: Server, job: Job) -> Step:
    """The next step of an export. Raises Withdrawn where its clients are not open any more as they were when it began."""
    asked = msgspec.json.decode(job.asked, type=Export)
    if not job.progress:
        return await _begun(server, job, asked)
    progress = msgspec.json.decode(job.progress, type=Progress)
    now = await stands(server, job.id, asked.by.actor)
    if progress.standing not in {"", now}:
        raise Withdrawn
    progress.standing = now
    return await _Exporting(server, job, asked, progress).step()


async def stands(server: Server, job: str, actor: Actor) -> str:
    """What opens the clients of a job to the actor now, in short."""
    async with server.store.reader(_sight(server, actor, job)) as reader:
        return await standing(reader, job)


def passes(asked: Export) -> list[Pass]:
    """All that is gone through, in order."""
    found: list[Pass] = []
    for type in asked.types:
        found.append(Pass(type))
        if type in POINTING and asked.since is not None and not (type == "Provenance" and asked.associated):
            found.append(Pass(type, own=True))
    return found if "Consent" in asked.types else [*found, Pass("Consent", SCOPE)]


def _sight(server: Server, actor: Actor, job: str) -> Sight:
    return server.grants.gathered(server.grants.rows(actor, server.clock(), reading=True), job)


async def _begun(server: Server, job: Job, asked: Export) -> Step:
    """Whom it is about."""
    sight = server.grants.rows(asked.by.actor, server.clock(), reading=True)
    where = in_group(asked.group) if asked.group else EVERYTHING
    clients: list[str] = []
    opened: set[str] = set()
    async with server.store.reader(sight) as reader:
        now, horizon = server.clock(), await reader.horizon()
        async for some in _everybody(reader, where):
            chosen = [id for id in some if asked.patients is None or id in asked.patients]
            clients += chosen
            if asked.since is not None:
                opened |= await opened_since(reader, chosen, asked.since, lambda body: consent_rules(load(body), server.zone))
    progress = Progress(time=min(now, horizon), made_until=horizon)
    return Step(msgspec.json.encode(progress), also=partial(gather, job=job.id, clients=clients, opened=frozenset(opened)))


async def _everybody(reader: Reader, where: Expression) -> AsyncIterator[list[str]]:
    after = Place()
    while True:
        found, is_last = await part(reader, Sweep("Patient", None, FOREVER, where), after)
        if found:
            yield [record.id for record in found]
            after = Place(id=found[-1].id)
        if is_last or not found:
            return


class _Exporting:
    """One step of an export that has begun."""

    def __init__(self, server: Server, job: Job, asked: Export, progress: Progress) -> None:
        self._server = server
        self._job = job
        self._asked = asked
        self._progress = progress
        self._actor = asked.by.actor
        self._where = criteria(asked.filters, server.search)
        self._facts: list[Facts] = []

    async def step(self) -> Step:
        """The next file; at the end what is to be said."""
        progress, all_passes = self._progress, passes(self._asked)
        while progress.passed < len(all_passes):
            one = all_passes[progress.passed]
            if one.part == SCOPE and not progress.noticed:
                progress.next_pass()
                continue
            try:
                made = await self._file(one)
            except (ServiceUnavailable, OSError):
                raise
            except Exception:
                log.exception("a type can't be exported")
                self._facts.clear()
                progress.problems.append(one.type)
                progress.next_pass()
                continue
            if made is not None:
                return self._step([made])
        return self._step(await self._said(), is_last=True)

    def _step(self, files: Sequence[JobFile], *, is_last: bool = False) -> Step:
        return Step(msgspec.json.encode(self._progress), files, self._facts, is_last)

    async def _file(self, one: Pass) -> JobFile | None:
        """The next file of a pass; None where there is nothing more in it."""
        new = self._new(one.part, one.type)
        progress = self._progress
        async with AsyncExitStack() as stack:
            made: Packing | None = None
            while made is None or (made.count < MOST_RESOURCES and made.size < MOST_BYTES):
                found = await self._part(one)
                if found is None:
                    progress.next_pass()
                    break
                if not found:
                    continue
                if made is None:
                    made = await stack.enter_async_context(packing(self._server.jobs.files, new.name))
                await made.add(found)
        if made is None:
            return None
        progress.files += 1
        progress.resources += made.count
        return made.of(new)

    async def _part(self, one: Pass) -> list[bytes] | None:
        """The bodies of the next part of a pass, maybe none; None where it is at its end."""
        progress, server = self._progress, self._server
        async with server.store.reader(self._seen(one), snapshot=True) as reader:
            found = await self._swept(reader, one)
            if found is None:
                return None
            records = await self._without_new(reader, found.records) if one.own else found.records
            bodies = [await self._body(reader, record) for record in records]
            consents, noticed = disclosure(self._actor, records)
            progress.noticed = progress.noticed or noticed
            progress.consents = sorted({*progress.consents, *(each.removeprefix("Consent/") for each in consents)})
            if records:
                said = Asked("operation", one.type, operation=EXPORT, request=self._asked.trace, address=self._asked.address)
                self._facts.append(answered(self._actor, said, 200, await shown(reader, records), consents))
            return bodies

    async def _swept(self, reader: Reader, one: Pass) -> Part | None:
        """The next part, and the place moved behind it."""
        progress = self._progress
        matrix, place = self._server.matrix, Place(progress.client, progress.id)
        if progress.id == END:
            return None
        clients: list[str] | None = None
        if one.type in matrix.client or one.type == "Patient":
            *clients, following = [*await next_clients(reader, self._job.id, progress.client, CLIENTS + 1), ""][: CLIENTS + 1]
            if not clients:
                return None
        else:
            following = ""
        found = await part(reader, Sweep(one.type, clients, progress.made_until, self._condition(one), most_bytes=PART), place)
        if not found.is_last and found.records:
            last = found.records[-1]
            progress.client, progress.id = (last.client if clients is not None else ""), last.id
        else:
            progress.client, progress.id = following, "" if following else END
        return found

    def _seen(self, one: Pass) -> Sight:
        """Through which sight a pass looks."""
        grants, now = self._server.grants, self._server.clock()
        if one.part == SCOPE:
            return _sight(self._server, self._actor, self._job.id)
        types = {*self._asked.types, one.type} if one.type == "Provenance" and self._asked.associated else None
        since = None if one.own else self._asked.since
        return grants.gathered(grants.sight(self._actor, "r", now), self._job.id, since, types)

    def _condition(self, one: Pass) -> Expression:
        """What a resource must be, beside seen."""
        asked = self._asked
        if one.part == SCOPE:
            return EVERYTHING
        parts = [self._where.get(one.type, EVERYTHING)]
        if one.own:
            parts.append(Own("last_updated", ">", asked.since or 0))
        if asked.until is not None and one.type != "Consent":
            parts.append(Own("last_updated", "<", asked.until))
        return both(*parts)

    async def _without_new(self, reader: Reader, records: Sequence[Record]) -> list[Record]:
        """Without those that an earlier pass found, because what they point at is new."""
        fresh = reader.seeing(self._seen(Pass(records[0].type))) if records else reader
        known = await fresh.references_visible([(one.type, one.id) for one in records])
        return [one for one in records if (one.type, one.id) not in known]

    async def _body(self, reader: Reader, record: Record) -> bytes:
        server, actor = self._server, self._actor
        body = record.body or b""
        if not looks_as_stored(server, actor, record):
            body = await present(server, actor, reader, record)
        named = [name for text in self._asked.elements for name in _element_of(text, record.type)]
        return dump(with_elements(load(body), named)) if named else body

    async def _said(self) -> list[JobFile]:
        """The file of what is to be said: the notice, and what could not be exported."""
        progress = self._progress
        lines = [self._server.notice.outcome(progress.consents)] if progress.noticed else []
        lines += [
            outcome((Issue("exception", f"Not all {type} resources could be exported; the files hold what could be.", severity="error"),))
            for type in progress.problems
        ]
        if not lines:
            return []
        new = self._new(OUTCOME, "OperationOutcome")
        async with packing(self._server.jobs.files, new.name) as made:
            await made.add(dump(line) for line in lines)
        progress.files += 1
        return [made.of(new)]

    def _new(self, part: str, type: str) -> JobFile:
        number = self._progress.files + 1
        return JobFile(self._job.id, number, part, type, f"{self._job.id}/{number}-{self._job.lease}.ndjson.gz", 0, 0, 0)


def _element_of(text: str, type: str) -> Sequence[str]:
    """The element that a text like "Patient.name" or "name" names in a type."""
    front, dot, last = text.rpartition(".")
    return (last,) if not dot or front == type else ()
