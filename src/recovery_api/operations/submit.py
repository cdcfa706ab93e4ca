"""DocumentReference/{id}/$submit: an author gives a note to their supervisor to read over (domain.md 1.4)."""
from recovery_api.domain.language import hurting
from recovery_api.fhir.outcome import outcome
from recovery_api.interactions import reviews
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating

PLACE = "DocumentReference.content.attachment"


async def submit(operating: Operating) -> FhirResult:
    """The Task of the review, and words in the note for which there are better ones. Raises what `interactions/reviews.py` says."""
    task, text = await reviews.submit(operating.server, operating.request, operating.given)
    found = [issue._replace(expression=PLACE) for issue in hurting(text, PLACE)]
    return operating.answer(**{"return": task, "language": outcome(found) if found else None})._replace(recorded=True)
