"""The errors of the FHIR REST API: every refusal is one of these, with one or more issues.

An issue is what an OperationOutcome says (https://hl7.org/fhir/R4/operationoutcome.html): a severity, a code of the
IssueType value set, a sentence that helps, and the place as FHIRPath.
"""
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "business-rule": "A rule of this server is broken; the key says which.",
        "code-invalid": "A code is not in the value set that is required here.",
        "conflict": "The resource is not as the request takes it to be.",
        "deleted": "The resource was deleted.",
        "duplicate": "The same came before, and said something else.",
        "exception": "The server met what nobody expected.",
        "forbidden": "The caller may not do that.",
        "incomplete": "The answer leaves something out.",
        "informational": "It was done; this says something about it.",
        "invalid": "The request can't be read as what it should be.",
        "invariant": "A rule of FHIR is broken; the key is the specification's.",
        "login": "A valid token is needed.",
        "multiple-matches": "The criteria match several resources where one is meant.",
        "not-found": "It is not there, or not there for this caller.",
        "not-supported": "This server does not do that.",
        "processing": "The content can't be processed.",
        "required": "Something that must be there is missing.",
        "structure": "The content has not the form that its type has.",
        "too-costly": "The answer would be too large, or take too long.",
        "too-long": "The content is larger than this server takes.",
        "transient": "The server can't do that at the moment; the same request may succeed later.",
        "value": "A value is not of its type, or not among those that are allowed.",
    }
)
"""The codes of the issues that this server tells (https://hl7.org/fhir/R4/valueset-issue-type.html), and what each means here."""


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


class Rule(NamedTuple):
    """A rule of this server: its key, the error that refuses what breaks it, and what that says, with `{}` for what it is about."""

    key: str
    error: type[FhirError]
    says: str
    code: str = "business-rule"

    def issue(self, *about: str, at: str | None = None) -> Issue:
        """The issue that names the rule. `at` is the place as FHIRPath."""
        return Issue(self.code, self.says.format(*about), at, key=self.key)

    def broken(self, *about: str, at: str | None = None) -> FhirError:
        """The error that refuses what breaks the rule."""
        return self.error(self.issue(*about, at=at))


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


class RangeNotSatisfiable(FhirError):
    status, code, diagnostics = 416, "value", "The range of bytes that is asked for begins behind the end."

    def __init__(self, size: int) -> None:
        """`size`: how many bytes there are."""
        super().__init__()
        self.size = size


class Unprocessable(FhirError):
    status, code, diagnostics = 422, "processing", "The resource breaks a rule."


class PreconditionRequired(FhirError):
    status, code, diagnostics = 428, "required", "The header If-Match is needed here."


class TooManyRequests(FhirError):
    status, code, diagnostics = 429, "throttled", "This caller has too much under way; try again later."
    retry_after: ClassVar[int] = 60
    """Seconds."""


class ServiceUnavailable(FhirError):
    status, code, diagnostics = 503, "transient", "The server can't do that at the moment; try again."
