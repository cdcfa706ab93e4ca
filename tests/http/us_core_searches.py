"""The searches that US Core 7 asks of a server (SHALL and SHOULD), and the values that its examples and patients have for them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import cast

from recovery_api.fhir.fhirpath import compile as fhirpath
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.search.parameters import ParameterTable

SEARCHES: Mapping[str, Sequence[str]] = {  # parameters with a plus between them
    "AllergyIntolerance": ("patient", "patient+clinical-status"),
    "CarePlan": ("patient+category", "patient+category+date", "patient+category+status", "patient+category+status+date"),
    "CareTeam": ("patient+status", "patient+role", "role"),
    "Condition": (
        "patient", "patient+category", "patient+clinical-status", "patient+code", "patient+onset-date", "patient+abatement-date",
        "patient+asserted-date", "patient+recorded-date", "patient+_lastUpdated", "patient+category+clinical-status",
        "patient+category+encounter",
    ),
    "Coverage": ("patient",),
    "Device": ("patient", "patient+type", "patient+status"),
    "DiagnosticReport": (
        "patient", "patient+category", "patient+category+date", "patient+category+_lastUpdated", "patient+code", "patient+code+date",
        "patient+status",
    ),
    "DocumentReference": (
        "_id", "patient", "patient+category", "patient+category+date", "patient+type", "patient+type+period", "patient+status",
    ),
    "Encounter": (
        "_id", "identifier", "patient", "patient+date", "patient+_lastUpdated", "class+patient", "patient+type", "patient+location",
        "patient+status", "patient+discharge-disposition",
    ),
    "Goal": ("patient", "patient+lifecycle-status", "patient+target-date", "patient+description"),
    "Immunization": ("patient", "patient+date", "patient+status"),
    "Location": ("name", "address", "address-city", "address-state", "address-postalcode"),
    "MedicationDispense": ("patient", "patient+status", "patient+status+type"),
    "MedicationRequest": (
        "patient+intent", "patient+intent+status", "patient+intent+encounter", "patient+intent+authoredon",
    ),
    "Observation": (
        "patient+category", "patient+category+date", "patient+category+status", "patient+category+_lastUpdated", "patient+code",
        "patient+code+date",
    ),
    "Organization": ("name", "address"),
    "Patient": (
        "_id", "identifier", "name", "birthdate+family", "birthdate+name", "death-date+family", "family+gender", "gender+name",
    ),
    "Practitioner": ("_id", "name", "identifier"),
    "PractitionerRole": ("specialty", "practitioner"),
    "Procedure": ("patient", "patient+date", "patient+status", "patient+code+date"),
    "QuestionnaireResponse": ("_id", "patient", "patient+status", "patient+authored", "patient+questionnaire"),
    "RelatedPerson": ("_id", "patient", "name", "patient+name"),
    "ServiceRequest": (
        "_id", "patient", "patient+status", "patient+category", "patient+category+authored", "patient+code", "patient+code+authored",
    ),
    "Specimen": ("_id", "patient"),
}  # fmt: skip

TABLE = ParameterTable()
NAMED = ("family", "given", "text", "city", "line", "postalCode", "state", "country")


@cache
def values(kind: str, code: str) -> "Values":
    return Values(kind, code)


class Values:
    """What resources of a type say for one search parameter, read by FHIRPath: as texts that a query may ask for."""

    def __init__(self, kind: str, code: str) -> None:
        parameter = TABLE[kind][code]
        self.kind = parameter.kind
        self._path = fhirpath(parameter.expression, kind)

    def __call__(self, resource: JsonObject) -> list[str]:
        return [text for node in self._path(resource) for text in self._texts(node.value) if text]

    def periods(self, resource: JsonObject) -> list[JsonObject]:
        """What lasts."""
        return [cast("JsonObject", node.value) for node in self._path(resource) if node.type in {"Period", "Timing"}]

    def _texts(self, value: Json) -> Iterator[str]:
        match value, self.kind:
            case {"coding": list(codings)}, _:
                for coding in codings:
                    yield from self._texts(coding)
            case {"reference": str(reference)}, _:
                yield reference
            case {"code": str(code), **rest}, "token":
                yield f"{rest.get('system', '')}|{code}"
            case {"value": str(text), **rest}, "token":
                yield f"{rest.get('system', '')}|{text}"
            case {"start": str(start)}, "date":
                yield day(start)
            case str(), "date":
                yield day(value)
            case dict(), "string":
                for name in NAMED:
                    said = value.get(name, [])
                    yield from [said] if isinstance(said, str) else said
            case str(), _:
                yield value
            case _:
                return


def day(written: str) -> str:
    """The day of a date or an instant in UTC; nothing of less than a day."""
    if len(written) < 10:
        return ""
    return datetime.fromisoformat(written).astimezone(UTC).date().isoformat() if "T" in written else date.fromisoformat(written).isoformat()
