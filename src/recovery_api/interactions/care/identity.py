"""Who a referred person is among those whom we know (domain.md 5, duplicates): matched inside, and never told outside.

When a referral comes in it is matched in a round of its own (`screen`), so that its answer takes the same whoever it speaks of.
"""
from typing import NamedTuple

from recovery_api.domain import matching
from recovery_api.domain.codes import concept, local, ref
from recovery_api.domain.emergency import review_due
from recovery_api.domain.matching import Match
from recovery_api.domain.referrals import FULFILL, INQUIRY, client_of
from recovery_api.fhir.errors import Rule, Unprocessable
from recovery_api.fhir.instants import instant, moment
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import at, has_coding, references_at
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.care.once import each_once
from recovery_api.interactions.care.staffing import case_manager
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import change, found, make
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import SearchQuery
from recovery_api.store.writer import Writer

REVIEW = local("task-code", "identity-review", "Is this the same person?")
ANSWERS = frozenset({"same", "different"})
ANSWERED = Rule(
    "identity-answer",
    Unprocessable,
    "A review of an identity is completed with an output whose valueCode is same or different.",
)
MOST_COMPARED = 200
"""Patients that one search for candidates brings."""


class Candidate(NamedTuple):
    """A Patient, and how alike it is."""

    record: Record
    person: JsonObject
    match: Match


async def candidates(server: Server, reader: Reader, person: JsonObject, *within: tuple[str, str]) -> list[Candidate]:
    """The Patients that the reader sees, and for which the search parameters `within` hold, who may be this person; the likeliest first."""
    records: dict[str, Record] = {}
    for block in matching.blocks(person):
        query = SearchQuery(("Patient",), condition("Patient", [*block, *within], server.search), count=MOST_COMPARED)
        records |= {record.id: record for record in (await reader.search(query)).records}
    compared = [Candidate(one, other, matching.match(person, other)) for one in records.values() for other in [load(one.body or b"")]]
    likely = [one for one in compared if one.match.grade != "certainly-not"]
    return sorted(likely, key=lambda one: (-one.match.bits, one.record.id))


async def recognized(server: Server, writer: Writer, referral: JsonObject, copy: JsonObject, organization: str) -> str | None:
    """The one Patient of our own of whom it is certain that they are the person of a clinic's copy, "Patient/id".

    Where it is only probable, or more than one would be it, somebody is asked (a Task identity-review each).
    """
    ours = ("_has:EpisodeOfCare:patient:organization", organization)
    found = await candidates(server, writer.seeing(server.grants.system), copy, ours)
    likely = [one for one in found if one.match.grade in {"certain", "probable"} and one.record.id != copy["id"]]
    if [one.match.grade for one in likely].count("certain") == 1 and likely[0].match.grade == "certain":
        return likely[0].record.reference
    for one in likely:
        await _ask(server, writer, referral, copy, one, organization)
    return None


async def screen(server: Server) -> None:
    """Match the referrals that came in since the last round. Several rounds at once share them; none is matched twice."""
    async with server.store.reader(server.grants.system) as reader:
        codes = ",".join("|".join(code) for code in (FULFILL, INQUIRY))
        pending = await found(server, reader, "Task", ("status", "requested"), ("code", codes))
    await each_once(server, {f"screened:Task/{task['id']}": task for task in pending}, _screen)


async def prepare(written: Written) -> None:
    """A review of an identity ends with its answer."""
    task = written.after
    if has_coding(task, "code", *REVIEW[:2]) and written.became("status", "completed") and not ANSWERS & set(_answers(task)):
        raise ANSWERED.broken(at="Task.output")


async def follow(written: Written) -> None:
    """Who is the same person is linked to the clinic's copy, inside."""
    task = written.after
    if has_coding(task, "code", *REVIEW[:2]) and written.became("status", "completed") and "same" in _answers(task):
        copy = next(references_at(task, "input.valueReference"), None)
        person = client_of(task)
        if copy is not None and person is not None:
            await link(written.server, written.writer, person, copy)


async def link(server: Server, writer: Writer, person: str, copy: str) -> None:
    """Let our own Patient point at the clinic's copy of the same person."""
    one = {"other": ref(copy), "type": "seealso"}
    type, _, id = person.partition("/")
    await change(server, writer, type, id, lambda said: said | {"link": [*(each for each in said.get("link", ()) if each != one), one]})


async def _screen(server: Server, writer: Writer, task: JsonObject) -> None:
    client, organization = client_of(task), next(references_at(task, "owner"), None)
    record = await writer.read("Patient", client.removeprefix("Patient/")) if client else None
    if record is not None and record.body is not None and organization is not None:
        await recognized(server, writer, task, load(record.body), organization)


async def _ask(
    server: Server, writer: Writer, referral: JsonObject, copy: JsonObject, candidate: Candidate, organization: str
) -> None:
    """A Task for the case manager of somebody whom we know, else for our organization, once for each referral."""
    if not await writer.claim(f"identity-review:{referral['id']}:{candidate.record.id}"):
        return
    now, person = server.clock(), candidate.record.reference
    opened = moment(now, server.zone)
    owner = await case_manager(server, writer, candidate.record.id)
    task: JsonObject = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "priority": "routine",
        "code": concept(REVIEW),
        "focus": ref(f"Task/{referral['id']}"),
        "for": ref(person),
        "authoredOn": instant(now),
        "owner": ref(owner or organization),
        "restriction": {"period": {"start": opened.isoformat(timespec="seconds"), "end": review_due(opened).isoformat(timespec="seconds")}},
        "input": [
            {"type": {"text": "copy"}, "valueReference": ref(f"Patient/{copy['id']}")},
            {"type": {"text": "grade"}, "valueCode": candidate.match.grade},
        ],
    }
    await make(server, writer, task)


def _answers(task: JsonObject) -> list[str]:
    return [code for code in at(task, "output.valueCode") if isinstance(code, str)]
