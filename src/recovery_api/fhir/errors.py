"""The errors of the FHIR REST API: every refusal is one of these, with one or more issues.

An issue is what an OperationOutcome says (https://hl7.org/fhir/R4/operationoutcome.html): a severity, a code of the
IssueType value set, a sentence that helps, and the place as FHIRPath.
"""
from typing import ClassVar, NamedTuple


class Issue(NamedTuple):
    """One OperationOutcome issue. `key` is the key of the broken rule or invariant, where there is one."""

    code: str
    diagnostics: str
    expression: str | None = None
    severity: str = "error"
    key: str | None = None


class FhirError(Exception):
    """A request that can't be answered as asked; `status` is the HTTP status of the answer."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "exception"
    diagnostics: ClassVar[str] = "The server met an unexpected condition."

    def __init__(self, *issues: Issue | str) -> None:
        """Take issues, or sentences that become issues of this error's usual code; none gives the usual sentence."""
        self.issues = tuple(Issue(self.code, issue) if isinstance(issue, str) else issue for issue in issues) or (
            Issue(self.code, self.diagnostics),
        )
        super().__init__("; ".join(issue.diagnostics for issue in self.issues))


class BadRequest(FhirError):
    status, code, diagnostics = 400, "invalid", "The request is not well formed."


class Unauthorized(FhirError):
    status, code, diagnostics = 401, "login", "A valid bearer token is needed."


class Forbidden(FhirError):
    status, code, diagnostics = 403, "forbidden", "This caller may not do that."


class NotFound(FhirError):
    status, code, diagnostics = 404, "not-found", "There is no such resource here."


class MethodNotAllowed(FhirError):
    status, code, diagnostics = 405, "not-supported", "This interaction is not possible here."


class NotAcceptable(FhirError):
    status, code, diagnostics = 406, "not-supported", "Only FHIR JSON (application/fhir+json) is served."


class Conflict(FhirError):
    status, code, diagnostics = 409, "conflict", "The resource is not in a state that allows this change."


class Gone(FhirError):
    status, code, diagnostics = 410, "deleted", "The resource was deleted."


class PreconditionFailed(FhirError):
    status, code, diagnostics = 412, "conflict", "The resource has another version than the one named in If-Match."


class TooLarge(FhirError):
    status, code, diagnostics = 413, "too-long", "The body is larger than this server takes."


class UnsupportedMediaType(FhirError):
    status, code, diagnostics = 415, "not-supported", "The body must be FHIR JSON (application/fhir+json)."


class Unprocessable(FhirError):
    status, code, diagnostics = 422, "processing", "The resource breaks a rule."


class PreconditionRequired(FhirError):
    status, code, diagnostics = 428, "required", "The header If-Match is needed here."


class ServiceUnavailable(FhirError):
    status, code, diagnostics = 503, "transient", "The server can't do that at the moment; try again."
