"""Responses and headers of the OpenAPI document: what each interaction answers, and every refusal as an OperationOutcome."""
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from recovery_api.fhir import errors
from recovery_api.fhir.errors import FhirError, Issue
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.openapi.schemas import ref
from recovery_api.fhir.outcome import outcome

FHIR_JSON = "application/fhir+json"

REFUSALS: Mapping[int, type[FhirError]] = MappingProxyType(
    {
        error.status: error
        for error in (
            errors.BadRequest,
            errors.Unauthorized,
            errors.Forbidden,
            errors.NotFound,
            errors.MethodNotAllowed,
            errors.NotAcceptable,
            errors.Conflict,
            errors.Gone,
            errors.PreconditionFailed,
            errors.TooLarge,
            errors.UnsupportedMediaType,
            errors.Unprocessable,
            errors.PreconditionRequired,
            errors.TooManyRequests,
            errors.ServiceUnavailable,
        )
    }
)
"""The errors by their status; each is a component response of its own name."""

_VERSION = ("ETag", "Last-Modified")
_HEADERS: Mapping[str, tuple[JsonObject, str]] = MappingProxyType(
    {
        "ETag": ({"type": "string", "pattern": '^W/"[0-9]+"$', "examples": ['W/"1"']}, "The version"),
        "Content-Location": ({"type": "string", "format": "uri"}, "Where the job says how it does: `[base]/_jobs/id`"),
        "Expires": ({"type": "string"}, "Until when the files are there"),
        "Retry-After": ({"type": "integer"}, "Seconds after which to ask again"),
        "X-Progress": ({"type": "string", "examples": ["3 of 41 parts, 50000 resources"]}, "How far the job is, in words"),
        "Last-Modified": ({"type": "string", "examples": ["Tue, 10 Nov 2026 12:00:00 GMT"]}, "When the version was made"),
        "Location": ({"type": "string", "format": "uri"}, "The version's address: `[base]/Type/id/_history/version`"),
        "WWW-Authenticate": ({"type": "string"}, "How to authenticate (RFC 6750)"),
        "X-Request-Id": ({"type": "string"}, "The request's id, as logs have it"),
    }
)
_PLACES: Mapping[int, str] = MappingProxyType({400: "Observation.status", 422: "Observation.value"})
"""A place that the example of a refusal names."""


_SENT: Mapping[int, tuple[str, ...]] = MappingProxyType({401: ("WWW-Authenticate",), 429: ("Retry-After",)})
"""Headers of refusals."""


def headers() -> dict[str, JsonObject]:
    """Component headers."""
    return {name: {"schema": schema, "description": text} for name, (schema, text) in _HEADERS.items()}


def responses() -> dict[str, JsonObject]:
    """Component responses: those that do not depend on a type."""
    found = {error.__name__: _refusal(error) for error in REFUSALS.values()}
    found["NotModified"] = {"description": "The caller has this version already.", "headers": _header_refs(_VERSION)}
    found["Deleted"] = {"description": "The resource is deleted; its versions stay.", "headers": _header_refs(())}
    for name, schema, text in (
        ("Acknowledged", "OperationOutcome", "It is deleted; `Prefer` asks to be told so."),
        ("Searchset", "Bundle", "A searchset: what matches and the caller may see."),
        ("History", "Bundle", "A history: the versions that the caller may see, newest first."),
        ("Processed", "Bundle", "A batch-response or transaction-response, with an entry for each that was sent."),
        ("Capabilities", "CapabilityStatement", "The CapabilityStatement."),
    ):
        found[name] = answer(text, ref(schema), (), example_ref(schema if name == "Acknowledged" else name))
    return found


def of_type(type: str) -> dict[str, JsonObject]:
    """Component responses of a stored type: read, and written, which the caller may prefer as an OperationOutcome or not at all."""
    either: JsonObject = {"oneOf": [ref(type), ref("OperationOutcome")]}
    example = example_ref(type)
    return {
        type: answer(f"The {type}.", ref(type), _VERSION, example),
        f"{type}Written": answer(f"The {type} as it is stored, or what `Prefer` asks for.", either, (*_VERSION, "Location"), example),
    }


def example_ref(name: str) -> JsonObject:
    """The examples of a body: the one component example of this name."""
    return {name: {"$ref": f"#/components/examples/{name}"}}


def answer(description: str, schema: JsonObject, sent: Iterable[str], examples: JsonObject | None = None) -> JsonObject:
    """A response with a body."""
    media: JsonObject = {"schema": schema} | ({"examples": examples} if examples else {})
    return {"description": description, "headers": _header_refs(sent), "content": {FHIR_JSON: media}}


def refusals(statuses: Iterable[int]) -> dict[str, Json]:
    """References to the component responses of these statuses, by status."""
    return {str(status): response_ref(REFUSALS[status].__name__) for status in statuses}


def response_ref(name: str) -> JsonObject:
    """A reference to a component response."""
    return {"$ref": f"#/components/responses/{name}"}


def _refusal(error: type[FhirError]) -> JsonObject:
    example = outcome([Issue(error.code, error.diagnostics, _PLACES.get(error.status))])
    said = answer(error.diagnostics, ref("OperationOutcome"), _SENT.get(error.status, ()))
    said["content"][FHIR_JSON]["example"] = example
    return said


def _header_refs(names: Iterable[str]) -> JsonObject:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, "X-Request-Id")}
