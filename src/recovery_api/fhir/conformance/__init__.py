"""Conformance: whether a resource is what a profile asks for (https://hl7.org/fhir/R4/profiling.html)."""
from recovery_api.fhir.conformance.check import check
from recovery_api.fhir.conformance.structures import is_known, known, own, structure
from recovery_api.fhir.json import JsonObject

__all__ = ["check", "claims", "is_known", "known", "own", "structure"]


def claims(resource: JsonObject) -> list[str]:
    """The profiles that a resource, whose structure is sound, says it keeps (`meta.profile`)."""
    return [url for url in resource.get("meta", {}).get("profile", ()) if url]
