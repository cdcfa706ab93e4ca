"""What a resource says by itself: whose it is, when it happened, which codes stand in it. Plain Python over JSON."""

import re
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from tests.contract.periods import Span, span

CANON = "https://recovery-api.example.org/fhir"

Resource = dict[str, Any]
World = Mapping[tuple[str, str], Resource]
Code = tuple[str | None, str | None]
Codes = set[Code]

CLIENT_ELEMENT = {"Task": "for", "Coverage": "beneficiary"} | dict.fromkeys(
    ("AllergyIntolerance", "Claim", "Consent", "Device", "EpisodeOfCare", "ExplanationOfBenefit", "FamilyMemberHistory", "Immunization",
     "NutritionOrder", "RelatedPerson", "SupplyDelivery"), "patient")  # fmt: skip
CLINICAL_DATE = {  # where several are named, the first that the resource has
    "Appointment": ("start",),
    "Condition": ("onsetDateTime", "onsetPeriod", "recordedDate"),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod"),
    "DocumentReference": ("context.period", "date"),
    "Encounter": ("period",),
    "Immunization": ("occurrenceDateTime",),
    "MedicationRequest": ("authoredOn",),
    "Observation": ("effectiveDateTime", "effectivePeriod", "effectiveInstant"),
    "Procedure": ("performedDateTime", "performedPeriod"),
    "QuestionnaireResponse": ("authored",),
}


def reference(holder: Mapping[str, Any] | None) -> str:
    """The target of a Reference as `Type/id`, or ''."""
    return re.sub(r"/_history/.*$", "", (holder or {}).get("reference", ""))


def references(holders: list[Mapping[str, Any]] | None) -> set[str]:
    return {reference(each) for each in holders or []} - {""}


def codes(*concepts: Mapping[str, Any] | None) -> Codes:
    return {(each.get("system"), each.get("code")) for concept in concepts for each in (concept or {}).get("coding", [])}


def local(system: str, code: str) -> tuple[str, str]:
    return f"{CANON}/CodeSystem/{system}", code


def extension(holder: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    return (each for each in holder.get("extension", []) if each.get("url") == f"{CANON}/StructureDefinition/{name}")


BOUNDARY_EVENT, BOUNDARY_TASK = local("companion-observation", "boundary-event"), local("task-code", "boundary-event")
CHECK_IN = local("task-code", "supervision-check-in")


def client_of(resource: Resource) -> str:
    """`Patient/id` of the client whom a resource belongs to, or ''."""
    kind = resource["resourceType"]
    if kind == "Patient":
        return f"Patient/{resource['id']}"
    if kind == "Appointment":
        actors = references([each.get("actor", {}) for each in resource.get("participant", [])])
        return next((each for each in sorted(actors) if each.startswith("Patient/")), "")
    found = reference(resource.get(CLIENT_ELEMENT.get(kind, "subject")))
    return found if found.startswith("Patient/") else ""


def codings(resource: Resource) -> Codes:
    """Every coding anywhere in a resource, what it contains included; the server's own marks in `meta` are not its content."""
    return set(_codings({name: value for name, value in resource.items() if name != "meta"}))


def _codings(value: Any) -> Iterator[Code]:
    if isinstance(value, list):
        for each in value:
            yield from _codings(each)
    elif isinstance(value, dict):
        if isinstance(value.get("system"), str) and isinstance(value.get("code"), str):
            yield value["system"], value["code"]
        for each in value.values():
            yield from _codings(each)


def clinical_date(resource: Resource, zone: tzinfo) -> Span | None:
    """When what the resource tells of happened; None where it does not say."""
    for path in CLINICAL_DATE.get(resource["resourceType"], ()):
        found: Any = resource
        for name in path.split("."):
            found = found.get(name, {})
        if found:
            return span(found, zone)
    return None


def counselling_note(resource: Resource) -> bool:
    """Whether it is a counselling note, which is kept apart from the record."""
    if resource["resourceType"] not in ("DocumentReference", "Composition"):
        return False
    return local("note-type", "counseling-note") in codes(resource.get("type"), *resource.get("category", []))


def consent_form(resource: Resource) -> bool:
    return resource["resourceType"] == "DocumentReference" and local("document-category", "consent-form") in codes(
        *resource.get("category", [])
    )


def supervision(resource: Resource) -> bool:
    """Whether it tells of an employee, not of a client: a boundary event, a check-in, a word between companion and supervisor."""
    kind = resource["resourceType"]
    if kind == "Communication":
        return local("communication-category", "supervision") in codes(*resource.get("category", []))
    if kind == "Task":
        return bool(codes(resource.get("code")) & {BOUNDARY_TASK, CHECK_IN})
    return kind == "Observation" and BOUNDARY_EVENT in codes(resource.get("code"))
