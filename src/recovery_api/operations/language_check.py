"""$language-check: words in a text that may hurt, with better ones (domain.md 7)."""
from recovery_api.domain.language import hurting
from recovery_api.fhir.errors import Issue
from recovery_api.fhir.json import dump
from recovery_api.fhir.outcome import outcome
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating

FINE = Issue("informational", "No words were found for which there are better ones.", severity="information")
PLACE = "Parameters.parameter.where(name = 'text').value"


async def language_check(operating: Operating) -> FhirResult:
    """An OperationOutcome with a warning for each; 200 whatever it says. Nothing is stored, and nothing of the text recorded."""
    found = hurting(operating.given().one("text"), PLACE)
    return FhirResult(200, dump(outcome(found or [FINE])))
