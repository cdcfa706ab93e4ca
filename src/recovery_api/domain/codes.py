"""The code systems that recovery work speaks (domain.md 2), and the small parts of FHIR that are made from them."""

from typing import TypeAlias

from recovery_api.fhir.json import JsonObject

Coded: TypeAlias = tuple[str, str] | tuple[str, str, str | None]  # system, code, display

CANON = "https://recovery-api.example.org/fhir"
NUCC = "http://nucc.org/provider-taxonomy"
SCT = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
THO = "http://terminology.hl7.org/CodeSystem/"
ACT, REASON, PARTICIPATION = THO + "v3-ActCode", THO + "v3-ActReason", THO + "v3-ParticipationType"

def coding(system: str, code: str, display: str | None = None) -> JsonObject:
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(*codings: Coded, text: str | None = None) -> JsonObject:
    return {"coding": [coding(system, code, *display) for system, code, *display in codings]} | ({"text": text} if text else {})


def local(name: str, code: str, display: str | None = None) -> Coded:
    """A code of one of the product's own code systems."""
    return (f"{CANON}/CodeSystem/{name}", code, display)


def structure(name: str) -> str:
    """The canonical URL of one of the product's own extensions."""
    return f"{CANON}/StructureDefinition/{name}"


def ref(target: str) -> JsonObject:
    return {"reference": target}
