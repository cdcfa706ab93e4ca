"""$export of a Group, of all clients, or of all there is: begins a job (https://hl7.org/fhir/uv/bulkdata/STU2/export.html).

What is answered later is decided then: a job sees what its caller sees at that moment.
"""
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, cast

import msgspec

from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.instants import stamp_of
from recovery_api.fhir.json import Json, JsonObject, load
from recovery_api.fhir.parameters import Given
from recovery_api.fhir.search.expression import EVERYTHING, Expression, Own, both
from recovery_api.identity.actor import local_reference
from recovery_api.interactions.bulk.asked import EXPORT, Export, asking
from recovery_api.interactions.bulk.begin import accepted
from recovery_api.interactions.bulk.criteria import criteria
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.pages import link
from recovery_api.interactions.present import in_group, managing_entity
from recovery_api.operations.frame import Operating
from recovery_api.policy.decide import allowed_types, decide
from recovery_api.store.search import SearchQuery

FORMATS: Final = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
ALONG: Final = ("Binary", "HealthcareService", "Location", "Medication", "Organization", "Practitioner", "PractitionerRole", "Provenance")
"""Types that go with clients' records, though they belong to no client."""
ASSOCIATED: Final = "RelevantProvenanceResources"
MOST_PATIENTS: Final = 1_000
NEXT_FILTER: Final = re.compile(r",(?=[A-Z][A-Za-z]+\?)")
"""A comma between two searches, and not within one."""


async def export(operating: Operating) -> FhirResult:
    """202 with the address at which the job tells how it does.

    Raises BadRequest without `Prefer: respond-async` or for what can't be exported so, NotFound where the Group is not there for the
    caller, TooManyRequests where they have as many under way as they may.
    """
    server, request = operating.server, operating.request
    if not request.prefer.respond_async:
        raise BadRequest(Issue("required", "An export is answered later: send the header Prefer: respond-async."))
    given = _given(operating)
    group = await _group(operating)
    lenient = request.prefer.handling == "lenient"
    asked = Export(
        **cast("dict[str, Any]", asking(request, link(operating, request.query))),
        types=_types(operating, given, lenient=lenient),
        group=group,
        patients=await _patients(operating, given, group, lenient=lenient),
        since=_stamp(given, "_since"),
        until=_stamp(given, "_until"),
        filters=[one for value in given.all("_typeFilter") for one in NEXT_FILTER.split(str(value))],
        elements=_split(given.all("_elements")),
        associated=_associated(given, lenient=lenient),
    )
    criteria(asked.filters, server.search)
    return await accepted(server, request, EXPORT, msgspec.json.encode(asked))


def _given(operating: Operating) -> Given:
    """The parameters; where handling is lenient, without those that are unknown. Raises BadRequest."""
    given = operating.given(lenient=operating.request.prefer.handling == "lenient")
    said = given.one("_outputFormat")
    if said is not None and str(said).replace(" ", "+") not in FORMATS:
        raise BadRequest(Issue("value", f"The parameter '_outputFormat' is one of {', '.join(sorted(FORMATS))}."))
    return given


async def _group(operating: Operating) -> str:
    """The recipient whose Group is asked for, a reference; '' where none is. Raises NotFound."""
    server, request = operating.server, operating.request
    if request.id is None:
        return ""
    async with server.store.reader(server.grants.sight(request.actor, "r", server.clock())) as reader:
        record = await reader.read("Group", request.id)
    recipient = managing_entity(load(record.body)) if record and record.body else ""
    if not recipient:
        raise NotFound
    return recipient


def _types(operating: Operating, given: Given, *, lenient: bool) -> list[str]:
    """What is exported, the Patients first. Raises BadRequest for a type of which there is nothing, Forbidden for one without a scope."""
    server, actor = operating.server, operating.request.actor
    here = {"Patient", *server.matrix.client, *ALONG} if operating.request.type else set(server.interactions)
    allowed = [type for type in allowed_types(server.matrix, actor, "r") if type in here]
    named = _split(given.all("_type"))
    for type in named:
        if type not in here and not lenient:
            raise BadRequest(Issue("value", f"The parameter '_type' names '{type[:64]}', of which nothing can be exported here."))
        if type in here and not lenient:
            decide(server.matrix, actor, type, "r")
    wanted = [type for type in allowed if type in named or not named]
    if _associated(given, lenient=lenient) and "Provenance" in allowed and "Provenance" not in wanted:
        wanted.append("Provenance")
    if not wanted:
        raise BadRequest(Issue("value", "Nothing is left to export."))
    return sorted(wanted, key=lambda name: (name != "Patient", name))


async def _patients(operating: Operating, given: Given, group: str, *, lenient: bool) -> list[str] | None:
    """The ids of the clients that are named; None: all. Raises BadRequest for one who is not among them, the same whoever it is."""
    named = cast("Sequence[JsonObject]", given.all("patient"))
    if not named:
        return None
    if operating.request.type is None:
        raise BadRequest(Issue("not-supported", "The parameter 'patient' has no place in an export of the whole system."))
    if len(named) > MOST_PATIENTS:
        raise BadRequest(Issue("too-costly", f"The parameter 'patient' stands here {MOST_PATIENTS} times at most."))
    server, actor = operating.server, operating.request.actor
    where: Expression = in_group(group) if group else EVERYTHING
    found: list[str] = []
    async with server.store.reader(server.grants.rows(actor, server.clock(), reading=True)) as reader:
        for each in named:
            reference = local_reference(str(each.get("reference", "")), server.base, {"Patient"}) or ""
            id = reference.removeprefix("Patient/")
            if id and await reader.count(SearchQuery(("Patient",), both(where, Own("id", "=", id)))):
                found.append(id)
            elif not lenient:
                raise BadRequest(Issue("value", "The parameter 'patient' names somebody who is not among those to export."))
    return found


def _associated(given: Given, *, lenient: bool) -> bool:
    """Whether Provenances are those of what is exported. Raises BadRequest for what else is asked to come along."""
    named = _split(given.all("includeAssociatedData"))
    for one in named:
        if one != ASSOCIATED and not lenient:
            raise BadRequest(Issue("not-supported", f"The parameter 'includeAssociatedData' is {ASSOCIATED}, and not '{one[:64]}'."))
    return ASSOCIATED in named


def _stamp(given: Given, name: str) -> int | None:
    said = given.one(name)
    if said is None:
        return None
    try:
        return stamp_of(datetime.fromisoformat(str(said)))
    except ValueError:
        raise BadRequest(Issue("value", f"The parameter '{name}' is an instant like 2026-11-10T12:00:00Z.")) from None


def _split(values: Iterable[Json]) -> list[str]:
    """Values with commas between them, or repeated."""
    return list(dict.fromkeys(part.strip() for value in values for part in str(value).split(",") if part.strip()))
