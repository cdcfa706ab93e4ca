"""OperationOutcome: the only mapping from issues to what a caller sees."""
from collections.abc import Iterable

from recovery_api.fhir.errors import Issue
from recovery_api.fhir.json import Json, JsonObject

RULES = "https://recovery-api.example.org/fhir/CodeSystem/rule"


def outcome(issues: Iterable[Issue]) -> JsonObject:
    """The OperationOutcome resource that says these issues (https://hl7.org/fhir/R4/operationoutcome.html)."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in issues]}


def _issue(issue: Issue) -> JsonObject:
    said: dict[str, Json] = {"severity": issue.severity, "code": issue.code}
    if issue.key:
        said["details"] = {"coding": [{"system": RULES, "code": issue.key}], "text": issue.key}
    said["diagnostics"] = issue.diagnostics
    if issue.expression:
        said["expression"] = [issue.expression]
    return said
