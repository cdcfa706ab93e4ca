"""Notes (domain.md 1.4): who wrote them, who reads them over, and how they become final."""
from typing import Final

from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding

FORM: Final = (f"{CANON}/CodeSystem/document-category", "consent-form")


def is_note(document: JsonObject) -> bool:
    """Whether a DocumentReference is a note, and not a form that somebody signed."""
    return "docStatus" in document and not has_coding(document, "category", *FORM)
