"""Measure/$evaluate-measure: how reliably supervision happens (https://hl7.org/fhir/R4/measure-operation-evaluate-measure.html)."""
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, cast

from recovery_api.domain import measures
from recovery_api.domain.codes import local
from recovery_api.domain.measures import Promise
from recovery_api.domain.sessions import SESSION_TYPE
from recovery_api.domain.supervision import CHECK_IN, ESCALATION, NOTE_REVIEW, ended
from recovery_api.fhir.errors import BadRequest, Forbidden, Issue, NotFound
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.parameters import Given
from recovery_api.fhir.paths import references_at
from recovery_api.fhir.search.expression import ClientOf, Expression, Party, both, either
from recovery_api.fhir.search.parse import condition
from recovery_api.fhir.shipped import shipped
from recovery_api.identity.actor import local_reference
from recovery_api.interactions.care.staffing import persons
from recovery_api.interactions.context import FhirResult, Server
from recovery_api.operations.frame import Operating
from recovery_api.policy.decide import decide
from recovery_api.policy.periods import Interval, interval
from recovery_api.store.reader import Reader
from recovery_api.store.search import Include, SearchQuery
from recovery_api.store.supervision import supervised

READ = ("DocumentReference", "Encounter", "Provenance", "Task")
AT_ONCE = 100
SESSION = "|".join(SESSION_TYPE)


@dataclass(frozen=True, slots=True)
class Evaluating:
    """One evaluation: of whom (PractitionerRoles, Practitioners; and herself, where it is of a case manager), from when to when."""

    server: Server
    reader: Reader
    measure: JsonObject
    roles: Sequence[str]
    people: Sequence[str]
    manager: str | None
    period: Interval

    def moment(self, text: str) -> int:
        """The instant that a dateTime or instant says (microseconds, UTC)."""
        return interval({"start": text}, self.server.zone)[0]

    async def found(self, type: str, where: Expression, *includes: Include) -> list[JsonObject]:
        """All resources for which it holds, so far as the caller sees them, with what they include."""
        query = SearchQuery((type,), where, count=AT_ONCE, includes=includes)
        found: dict[tuple[str, str], JsonObject] = {}
        async for page in self.reader.pages(query):
            found |= {(one.type, one.id): load(one.body or b"") for one in (*page.records, *page.included)}
        return list(found.values())

    def where(self, type: str, *pairs: tuple[str, str]) -> Expression:
        """What search parameters say."""
        return condition(type, pairs, self.server.search)

    def task(self, code: str, *pairs: tuple[str, str]) -> Expression:
        """Tasks of a code of ours."""
        return self.where("Task", ("code", "|".join(local("task-code", code)[:2])), *pairs)

    def within(self, param: str) -> list[tuple[str, str]]:
        """Of the period, by a date parameter."""
        starts, ends = self.period
        return [(param, f"ge{instant(starts)}"), (param, f"lt{instant(ends)}")]


Promises: TypeAlias = Callable[[Evaluating, int], Awaitable[list[Promise]]]


async def evaluate_measure(operating: Operating) -> FhirResult:
    """A summary MeasureReport over what the caller supervises and sees.

    Raises NotFound for a Measure that is not ours, BadRequest, and Forbidden for the measure of whom the caller does not supervise.
    """
    server, request, actor = operating.server, operating.request, operating.request.actor
    for type in READ:
        decide(server.matrix, actor, type, "s")
    known = {one["id"]: one for one in shipped("Measure")}
    if request.id is not None and request.id not in known:
        raise NotFound
    given = operating.given()
    measure = known[request.id] if request.id else _named(known, given)
    during = {"start": str(given.one("periodStart")), "end": str(given.one("periodEnd"))}
    period = interval(during, server.zone)
    if period[0] >= period[1]:
        raise BadRequest(Issue("value", "The period ends before it begins.", "Parameters.parameter"))
    if given.one("reportType") not in {None, "summary"}:
        raise BadRequest(Issue("not-supported", "The parameter 'reportType' is summary here.", "Parameters.parameter"))
    async with server.store.reader(server.grants.sight(actor, "s", server.clock())) as reader:
        staff = await supervised(reader, actor.holder, server.clock())
        subject = _subject(server, given)
        is_own = subject in {None, actor.holder} or actor.holder in await persons(server, reader, str(subject))
        if not is_own:
            staff = [each for each in staff if subject in each]
            if not staff:
                raise Forbidden("A measure of supervision is for who supervises.")
        manager = actor.holder if is_own else None
        evaluating = Evaluating(server, reader, measure, [role for role, _ in staff], [who for _, who in staff], manager, period)
        rates = [
            (code, measures.rate(await PROMISES[code](evaluating, measures.hours(measure, code)), period, server.clock()))
            for code in measures.groups(measure)
        ]
    about = staff[0][0] if manager is None else subject
    body = measures.report(measure, rates, about, actor.holder, during, instant(server.clock()))
    return FhirResult(200, dump({"resourceType": "MeasureReport", "id": server.new_id()} | body))


def _named(known: Mapping[str, JsonObject], given: Given) -> JsonObject:
    """The Measure that a parameter names, by its canonical URL or a reference. Raises BadRequest, NotFound."""
    named = cast("str | None", given.one("measure"))
    if named is None:
        raise BadRequest(Issue("required", "The parameter 'measure' is missing.", "Parameters.parameter"))
    url = named.partition("|")[0]
    found = [one for one in known.values() if url in {one["url"], f"Measure/{one['id']}"}]
    if not found:
        raise NotFound
    return found[0]


def _subject(server: Server, given: Given) -> str | None:
    """Of whom it is ("Practitioner/id" or "PractitionerRole/id"); None: of all whom the caller supervises. Raises BadRequest."""
    said = {str(value) for name in ("practitioner", "subject") for value in given.all(name)}
    if not said:
        return None
    [text, *others] = said
    named = local_reference(text, server.base, frozenset({"Practitioner", "PractitionerRole"}))
    if named is None or others:
        raise BadRequest(Issue("value", "A measure is of one Practitioner or PractitionerRole.", "Parameters.parameter"))
    return named


# What was promised -------------------------------------------------------------------------------------------------------


async def _check_ins(evaluating: Evaluating, within: int) -> list[Promise]:
    """Each check-in is held by its own deadline, after which it counts as of the day when it was due."""
    if not evaluating.roles:
        return []
    where = evaluating.task(CHECK_IN, ("focus", ",".join(evaluating.roles)), ("status:not", "cancelled"))
    promises: list[Promise] = []
    for task in await evaluating.found("Task", where):
        if task["status"] != "entered-in-error" and (period := task.get("restriction", {}).get("period", {})).get("end"):
            _, due = interval(period, evaluating.server.zone)
            promises.append(Promise(due, due + within, evaluating.moment(ended(task)) if task["status"] == "completed" else None))
    return promises


async def _submissions(evaluating: Evaluating, within: int) -> list[Promise]:
    """Each finished session's note is submitted, or signed, within the time after the session's end."""
    if not evaluating.people:
        return []
    of_theirs = (("participant", ",".join(evaluating.people)), ("type", SESSION), ("status", "finished"))
    found = await evaluating.found(
        "Encounter",
        evaluating.where("Encounter", *of_theirs, *evaluating.within("date")),
        Include("DocumentReference.encounter", ("Encounter",), reverse=True),
        Include("Task.focus", ("DocumentReference",), iterate=True, reverse=True),
    )
    reviews = [one for one in found if one["resourceType"] == "Task"]
    promises: list[Promise] = []
    for session in (one for one in found if one["resourceType"] == "Encounter" and one.get("period", {}).get("end")):
        notes = [one for one in found if one["resourceType"] == "DocumentReference" and _is_of(one, session)]
        at = [evaluating.moment(one["authoredOn"]) for note in notes for one in reviews if _is_about(one, note) and "authoredOn" in one]
        if not at:
            at = [evaluating.moment(note["date"]) for note in notes if note.get("docStatus") == "final" and "date" in note]
        end = evaluating.moment(session["period"]["end"])
        promises.append(Promise(end, end + within, min(at, default=None)))
    return promises


async def _signatures(evaluating: Evaluating, within: int) -> list[Promise]:
    """Each note that is submitted is signed within the time; one that went back to its author is submitted anew."""
    if not evaluating.people:
        return []
    found = await evaluating.found(
        "Task",
        evaluating.task(NOTE_REVIEW, ("requester", ",".join(evaluating.people)), *evaluating.within("authored-on")),
        Include("Task.focus", ("DocumentReference",)),
        Include("Provenance.target", ("DocumentReference",), iterate=True, reverse=True),
    )
    signed = [one for one in found if one["resourceType"] == "Provenance"]
    promises: list[Promise] = []
    for review in (one for one in found if one["resourceType"] == "Task" and not measures.is_returned(one)):
        made = evaluating.moment(review["authoredOn"])
        note = set(references_at(review, "focus"))
        at = [evaluating.moment(one["recorded"]) for one in signed if note & set(references_at(one, "target"))]
        if not at and review["status"] == "completed":
            at = [evaluating.moment(ended(review))]
        if review["status"] not in {"cancelled", "entered-in-error"}:
            promises.append(Promise(made, made + within, min((one for one in at if one >= made), default=None)))
    return promises


async def _contacts(evaluating: Evaluating, within: int) -> list[Promise]:
    """After each escalation somebody is in contact within the time."""
    theirs = [ClientOf(("companion",), who) for who in evaluating.people]
    if evaluating.manager:
        theirs += [Party(("owner",), evaluating.manager), ClientOf(("case-manager",), evaluating.manager)]
    where = both(evaluating.task(ESCALATION, *evaluating.within("authored-on")), either(*theirs))
    promises: list[Promise] = []
    for task in await evaluating.found("Task", where):
        if task["status"] not in {"cancelled", "entered-in-error"}:
            made = evaluating.moment(task["authoredOn"])
            promises.append(Promise(made, made + within, evaluating.moment(ended(task)) if measures.had_contact(task) else None))
    return promises


def _is_of(note: JsonObject, session: JsonObject) -> bool:
    return f"Encounter/{session['id']}" in references_at(note, "context.encounter")


def _is_about(review: JsonObject, note: JsonObject) -> bool:
    return f"DocumentReference/{note['id']}" in references_at(review, "focus")


PROMISES: Mapping[str, Promises] = MappingProxyType(
    {
        "check-in-in-time": _check_ins,
        "submitted-24h": _submissions,
        "signed-48h": _signatures,
        "contact-24h": _contacts,
    }
)
"""By the code of a Measure's group."""
