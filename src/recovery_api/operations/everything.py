"""Patient/{id}/$everything: one more door through the same visibility (https://hl7.org/fhir/R4/patient-operation-everything.html)."""
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from recovery_api.fhir.bundle import bundle, entry
from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.instants import instant
from recovery_api.fhir.parameters import Given
from recovery_api.fhir.search.expression import EVERYTHING, Expression, Not, Own, Row, both, either
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.disclosure import disclosure, noticed_entry
from recovery_api.interactions.present import present
from recovery_api.interactions.shown import shown
from recovery_api.operations.frame import Operating
from recovery_api.operations.paging import Asked, asked, links
from recovery_api.policy.decide import allowed_types, decide
from recovery_api.store.reader import Reader
from recovery_api.store.search import Include, Page, SearchQuery

PATIENT = "Patient"
ALONG = ("HealthcareService", "Location", "Medication", "Organization", "Practitioner", "PractitionerRole")
"""Types without a client that come along where what is answered refers to them."""
STATEMENTS = "Provenance"
"""The type that comes along where it is about what is answered."""

CLINICAL_DATE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "AllergyIntolerance", "Appointment", "CarePlan", "CareTeam", "ClinicalImpression", "Composition", "Consent",
                "DiagnosticReport", "DocumentReference", "Encounter", "EpisodeOfCare", "FamilyMemberHistory", "Flag", "Immunization",
                "MeasureReport", "Observation", "Procedure", "RiskAssessment",
            ),
            "date",
        ),
        "Claim": "created",
        "Communication": "sent",
        "Condition": "onset-date",
        "ExplanationOfBenefit": "created",
        "Goal": "start-date",
        "ImagingStudy": "started",
        "Media": "created",
        "MedicationAdministration": "effective-time",
        "MedicationDispense": "whenhandedover",
        "MedicationRequest": "authoredon",
        "NutritionOrder": "datetime",
        "QuestionnaireResponse": "authored",
        "ServiceRequest": "authored",
        "Task": "authored-on",
    }
)  # fmt: skip
"""The search parameter that holds a type's clinical date. What has none is of every time; so is a Specimen, whose date goes with its
collector."""


async def everything(operating: Operating) -> FhirResult:
    """A searchset of all of a client's record that the caller may read, the Patient first, then by type and id.

    Raises NotFound where the Patient is not there for the caller, the same for absent and hidden.
    """
    server, request, id = operating.server, operating.request, operating.request.id or ""
    wanted = asked(operating)
    record, along = _types(operating, _named(wanted))
    query = SearchQuery(
        types=tuple(record),
        where=both(Own("client", "=", id), _in_time(operating, wanted.given, record)),
        count=wanted.count,
        cursor=wanted.cursor,
        includes=tuple(_includes(operating, record, along)),
        behind_horizon=wanted.given.one("_since") is not None,
        by_type=True,
    )
    async with server.store.reader(server.grants.sight(request.actor, "r", server.clock())) as reader:
        page = await reader.search(query) if wanted.count else Page((), total=await reader.count(query))
        if all(one.type != PATIENT for one in page.records) and await reader.read(PATIENT, id) is None:
            raise NotFound
        entries = await _entries(operating, reader, page)
        given = [*page.records, *page.included]
        told = await shown(reader, given)
    consents, noticed = disclosure(request.actor, given)
    if noticed:
        entries.append(noticed_entry(server, consents))
    there = links(operating, wanted, page)
    body = bundle("searchset", entries, total=page.total, links=there, id=server.new_id(), updated=instant(server.clock()))
    return FhirResult(200, body, shown=told, consents=consents, pairs=wanted.said, noticed=noticed)


def _named(wanted: Asked) -> list[str]:
    """The types that are asked for; none: all."""
    return [name for text in wanted.given.all("_type") for name in text.split(",")]


def _types(operating: Operating, named: Sequence[str]) -> tuple[list[str], list[str]]:
    """The types of the record, and those that come along, of which something is to be answered."""
    matrix, actor = operating.server.matrix, operating.request.actor
    of_record = [PATIENT, *sorted(matrix.client)]
    if not named:
        allowed = allowed_types(matrix, actor, "r")
        return [type for type in of_record if type in allowed], [type for type in (*ALONG, STATEMENTS) if type in allowed]
    for type in named:
        if type not in (*of_record, *ALONG, STATEMENTS):
            raise BadRequest(Issue("value", f"The parameter '_type' names '{type[:64]}', of which a client's record holds nothing."))
        decide(matrix, actor, type, "r")
    record = [type for type in of_record if type in named]
    if not record:
        raise BadRequest(Issue("value", f"The parameter '_type' names only {', '.join(named)}: name what refers to it, too."))
    return record, [type for type in named if type not in record]


def _in_time(operating: Operating, given: Given, types: Iterable[str]) -> Expression:
    """What `start`, `end` and `_since` leave. Raises BadRequest."""
    search = operating.server.search
    since = condition(PATIENT, [("_lastUpdated", f"ge{text}") for text in given.all("_since")], search)
    bounds = [f"{prefix}{text}" for prefix, name in (("ge", "start"), ("le", "end")) for text in given.all(name)]
    if not bounds:
        return since
    each: list[Expression] = []
    for type in types:
        code = CLINICAL_DATE.get(type)
        dated = either(Not(Row(f"{type}.{code}")), condition(type, [(code, bound) for bound in bounds], search)) if code else EVERYTHING
        each.append(both(Own("type", "=", type), dated))
    return both(since, either(*each))


def _includes(operating: Operating, record: Iterable[str], along: Sequence[str]) -> Iterable[Include]:
    table = operating.server.search.table
    for type in record:
        for parameter in table[type].values():
            if parameter.kind == "reference" and not parameter.internal:
                targets = tuple(name for name in along if name != STATEMENTS and name in (parameter.targets or along))
                yield from (Include(row, targets) for row in parameter.rows if targets)
    if STATEMENTS in along:
        yield Include(f"{STATEMENTS}.target", reverse=True)


async def _entries(operating: Operating, reader: Reader, page: Page) -> list[bytes]:
    server, actor = operating.server, operating.request.actor
    return [
        entry(f"{server.base}/{record.reference}", await present(server, actor, reader, record), mode)
        for mode, records in (("match", page.records), ("include", page.included))
        for record in records
    ]
