"""DocumentReference/{id}/$cosign: a supervisor makes a note final (domain.md 1.4)."""
from collections.abc import Sequence

from recovery_api.fhir.json import JsonObject, dump
from recovery_api.interactions import reviews
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating


async def cosign(operating: Operating) -> FhirResult:
    """The note as it was signed. Raises what `interactions/reviews.py` says."""

    def given() -> tuple[str, Sequence[JsonObject]]:
        said = operating.given()
        return said.one("attestation"), said.all("securityLabel")

    note, record = await reviews.cosign(operating.server, operating.request, given)
    if note is None or record is None:
        return FhirResult(200, recorded=True)
    return FhirResult(200, dump(note), record.version, record.last_updated, recorded=True)
