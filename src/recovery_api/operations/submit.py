"""DocumentReference/{id}/$submit: an author gives a note to their supervisor to read over (domain.md 1.4)."""
from recovery_api.interactions import reviews
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating


async def submit(operating: Operating) -> FhirResult:
    """The Task of the review. Raises what `interactions/reviews.py` says."""
    task, _ = await reviews.submit(operating.server, operating.request, operating.given)
    return operating.answer(**{"return": task})._replace(recorded=True)
