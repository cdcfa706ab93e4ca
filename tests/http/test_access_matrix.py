"""Every cell of the access matrix, role by type by interaction: 403 or not, against the page itself (domain.md 4.1, told here again)."""

from collections.abc import Mapping

import pytest

from recovery_api.fhir import capability
from recovery_api.policy import matrix
from recovery_api.policy.writes import RULES
from tests.api import Api, Client
from tests.callers import APP_ANA, CHEN, KIM, MAYA, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, Caller
from tests.http.resources import bundle

BATCH = 60
"""Entries of a batch: each statement is built for the first time, which takes its time."""
DIRECTORY = ("Organization", "Practitioner", "PractitionerRole")
DEFINITIONS = (
    "ActivityDefinition", "CodeSystem", "ConceptMap", "Endpoint", "HealthcareService", "Location", "Measure", "Medication",
    "PlanDefinition", "Questionnaire", "StructureDefinition", "ValueSet",
)  # fmt: skip
OTHERS = (
    "AllergyIntolerance", "ClinicalImpression", "Coverage", "Device", "DiagnosticReport", "FamilyMemberHistory", "Immunization",
    "MedicationDispense", "MedicationRequest", "NutritionOrder", "Procedure", "RelatedPerson", "Specimen",
)  # fmt: skip
LOADED = ("Claim", "ExplanationOfBenefit", "ImagingStudy", "MeasureReport", "Media", "MedicationAdministration", "SupplyDelivery")

ROLES: Mapping[str, Caller] = {
    "companion": MAYA, "case-manager": RUTH, "treatment-team": CHEN, "ehr": SYS_RIVERBEND, "referrer": SYS_LAKESIDE, "client": APP_ANA,
    "auditor": SAM, "admin": KIM,
}  # fmt: skip

# The page's rows, with its corrections and completions; columns in the order of ROLES; d where "Delete" of the page gives it.
PAGE: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("Patient",): ("rs", "crus", "rs", "rs", "c", "rs", "", ""),
    ("CareTeam",): ("rs", "crus", "rs", "rs", "", "rs", "", "crus"),
    ("EpisodeOfCare",): ("rs", "crus", "rs", "rs", "", "rs", "", ""),
    ("CarePlan",): ("rs", "crus", "rs", "rs", "", "rs", "", ""),
    ("Goal",): ("crus", "crus", "rs", "rs", "", "crs", "", ""),
    ("Encounter",): ("crus", "crus", "rs", "rs", "", "rs", "", ""),
    ("Observation",): ("crusd", "crusd", "rs", "rs", "", "crs", "", ""),
    ("DocumentReference",): ("crusd", "crusd", "rs", "rs", "c", "rs", "rs", ""),
    ("Composition",): ("rs", "crus", "rs", "rs", "", "rs", "", ""),
    ("Binary",): ("cru", "cru", "r", "r", "c", "r", "r", ""),
    ("Condition",): ("rs", "crus", "rs", "rs", "c", "rs", "", ""),
    ("Consent",): ("rs", "crus", "rs", "rs", "c", "crus", "rus", ""),
    ("ServiceRequest",): ("rus", "crus", "crs", "", "crus", "rs", "", ""),
    ("Task",): ("rus", "crus", "crs", "", "crus", "crus", "rs", ""),
    ("Communication",): ("crs", "crus", "crs", "", "", "crs", "", ""),
    ("Flag", "RiskAssessment"): ("rs", "crus", "rs", "rs", "", "", "", ""),
    ("AuditEvent",): ("", "", "", "", "", "", "rs", ""),
    ("Provenance",): ("rs", "crs", "rs", "rs", "", "rs", "rs", ""),
    OTHERS: ("rs", "crus", "rs", "rs", "", "rs", "", ""),
    LOADED: ("rs", "rs", "rs", "rs", "", "rs", "", ""),
    ("QuestionnaireResponse",): ("crusd", "crus", "rs", "rs", "c", "crs", "", ""),
    ("Appointment",): ("rus", "crus", "rs", "", "", "rs", "", ""),
    ("Subscription",): ("crusd", "crusd", "", "crusd", "crusd", "crusd", "rs", "rus"),
    ("Group",): ("", "rs", "", "rs", "", "", "", ""),
    DIRECTORY: ("rs", "rs", "rs", "rs", "rs", "r", "rs", "crusd"),
    DEFINITIONS: ("rs", "rs", "rs", "rs", "rs", "rs", "rs", "crusd"),
    ("OperationDefinition",): ("rs", "rs", "rs", "rs", "rs", "rs", "rs", "rs"),
}  # fmt: skip
MAY = {(role, type): cells[n] for types, cells in PAGE.items() for type in types for n, role in enumerate(ROLES)}

SERVED = capability.interactions(capability.definition())
MATRIX = matrix.load(SERVED, RULES)
ASKED = {
    "r": [("GET", "{type}/absent"), ("GET", "{type}/absent/_history/1"), ("GET", "{type}/absent/_history")],
    "s": [("GET", "{type}?_id=absent"), ("GET", "{type}/_history")],
    "c": [("POST", "{type}")],
    "u": [("PUT", "{type}/absent"), ("PATCH", "{type}/absent")],
    "d": [("DELETE", "{type}/absent")],
}
NAMES = {"c": "create", "r": "read", "u": "update", "d": "delete", "s": "search-type"}


def test_the_page_speaks_of_every_type_that_is_served_once() -> None:
    assert sorted(type for types in PAGE for type in types) == sorted(SERVED)


def _asked() -> list[tuple[str, str, str, str]]:
    """Type, letter, method and url of every cell."""
    return [
        (type, letter, method, path.format(type=type)) for type in SERVED for letter, requests in ASKED.items() for method, path in requests
    ]


async def _statuses(client: Client, requests: list[tuple[str, str]]) -> list[int]:
    """The status of each request (method and url), sent as the entries of batches."""
    entries = [
        {
            "resource": {"resourceType": "Parameters" if method == "PATCH" else url.partition("/")[0]},
            "request": {"method": method, "url": url},
        }
        for method, url in requests
    ]
    answers = [await client.post("", bundle("batch", *entries[start : start + BATCH])) for start in range(0, len(entries), BATCH)]
    assert {answer.status for answer in answers} == {200}
    return [int(entry["response"]["status"][:3]) for answer in answers for entry in answer.json["entry"]]


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_what_the_page_says_and_nothing_else(shared: Api, role: str) -> None:
    everything = shared.as_(ROLES[role], scopes=f"recovery/{role} {_context(role)}/*.cruds")
    asked = _asked()
    statuses = await _statuses(everything, [(method, url) for _, _, method, url in asked])
    said = {
        (method, url): (status, MAY[role, type])
        for (type, letter, method, url), status in zip(asked, statuses, strict=True)
        if (status != 403) != (letter in MAY[role, type]) and not (letter == "c" and letter in MAY[role, type] and _by_rule(role, type))
    }
    assert said == {}
    assert max(statuses) < 500


def _by_rule(role: str, type: str) -> bool:
    """Whether an empty resource is refused as what it says, and not as a create: the rules for writes ask for an author and more,
    and what has no client would be nobody's."""
    return bool(MATRIX.access[role, type].writes) or type in {"CareTeam", "Device", "Patient", "Specimen"}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_without_resource_scopes_may_do_nothing(shared: Api, role: str) -> None:
    bare = shared.as_(ROLES[role], scopes=f"recovery/{role} openid fhirUser")
    assert set(await _statuses(bare, [(method, url) for _, _, method, url in _asked()])) == {403}
    for path in ("?_type=Patient", "", "_history", "Patient/ana", "Patient", "Patient/ana/*"):
        assert (await bare.get(path)).status == 403


@pytest.mark.parametrize("letter", list("cruds"))
async def test_each_letter_of_a_scope_opens_its_own_interactions(shared: Api, letter: str) -> None:
    one = shared.as_(MAYA, scopes=f"recovery/companion user/Observation.{letter}")
    for other, requests in ASKED.items():
        for method, path in requests:
            answer = await one.request(method, path.format(type="Observation"), {"POST": b"{}", "PUT": b"{}", "PATCH": b"[]"}.get(method))
            assert (answer.status == 403) == (other != letter) or method == "POST", (method, path)
            if other == letter and method == "POST":
                assert "scope" not in answer.json["issue"][0]["diagnostics"]


def test_the_capability_statement_names_what_somebody_may_do() -> None:
    for type, interactions in SERVED.items():
        letters = {letter for (_, each), may in MAY.items() if each == type for letter in may}
        assert {NAMES[letter] for letter in letters} == interactions & set(NAMES.values()), type


def _context(role: str) -> str:
    return {"ehr": "system", "referrer": "system", "client": "patient"}.get(role, "user")
