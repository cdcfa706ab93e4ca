"""DocumentReference/{id}/$return-note: a supervisor gives a note back to its author (domain.md 1.4)."""
from recovery_api.fhir.json import dump
from recovery_api.interactions import reviews
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating


async def return_note(operating: Operating) -> FhirResult:
    """The Task of the review, done. Raises what `interactions/reviews.py` says."""
    task = await reviews.give_back(operating.server, operating.request, lambda: operating.given().one("comment"))
    return FhirResult(200, None if task is None else dump(task), recorded=True)
