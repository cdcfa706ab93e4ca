"""Content negotiation: what a caller accepts, sends and prefers (https://hl7.org/fhir/R4/http.html#mime-type)."""
import re
from functools import lru_cache

from recovery_api.fhir.errors import BadRequest, Issue, NotAcceptable, UnsupportedMediaType
from recovery_api.fhir.media_types import FHIR_JSON, JSON_TYPES
from recovery_api.interactions.context import Prefer

ANY_TYPES = frozenset({"*/*", "application/*", "text/*"})
PATCH_TYPES = frozenset({"application/json-patch+json", FHIR_JSON, "application/json"})
FORM = "application/x-www-form-urlencoded"

NDJSON_TYPES = frozenset({"application/fhir+ndjson", "application/ndjson", "application/x-ndjson", "ndjson"})

_NEVER = re.compile(r"q\s*=\s*0(\.0*)?")
_RETURNS = frozenset({"minimal", "representation", "OperationOutcome"})
_HANDLING = frozenset({"strict", "lenient"})


@lru_cache(maxsize=256)
def check_accept(accept: str, *, ndjson: bool = False) -> None:
    """Raise NotAcceptable where a caller's Accept header or `_format` leaves no way to answer in FHIR JSON of version 4.0.

    In a `_format` the '+' may have come as a space. `ndjson`: what is asked for is a file of it.
    """
    taken = JSON_TYPES | ANY_TYPES | (NDJSON_TYPES if ndjson else frozenset[str]())
    for choice in accept.split(","):
        name, *parameters = (part.strip() for part in choice.split(";"))
        said = {key.strip().lower(): value.strip().strip('"') for key, _, value in (p.partition("=") for p in parameters)}
        version = said.get("fhirversion", said.get("fhir-version", "4.0"))
        refused = any(_NEVER.fullmatch(parameter) for parameter in parameters)
        if name.lower().replace(" ", "+") in taken and not refused and version in {"4.0", "4.0.1"}:
            return
    raise NotAcceptable


@lru_cache(maxsize=256)
def takes_gzip(accept_encoding: str) -> bool:
    """Whether a caller takes gzip (RFC 9110, 12.5.3): it is named, and not with the weight 0."""
    for choice in accept_encoding.split(","):
        name, *parameters = (part.strip().lower() for part in choice.split(";"))
        if name == "gzip":
            return not any(_NEVER.fullmatch(parameter) for parameter in parameters)
    return False


@lru_cache(maxsize=256)
def media_type(content_type: str) -> str:
    """The media type of a Content-Type header, in lower case, without parameters.

    Raises UnsupportedMediaType for a character set other than UTF-8, or another version of FHIR.
    """
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    said = {key.strip(): value.strip().strip('"') for key, _, value in (p.partition("=") for p in parameters)}
    if said.get("charset", "utf-8") not in {"utf-8", "utf8"} or said.get("fhirversion", "4.0") not in {"4.0", "4.0.1"}:
        raise UnsupportedMediaType("The body must be FHIR 4.0 JSON in UTF-8.")
    return name


@lru_cache(maxsize=256)
def prefer(header: str) -> Prefer:
    """What a Prefer header asks for (RFC 7240). Raises BadRequest for a `return` or `handling` that FHIR does not know."""
    parts = (part.partition("=") for part in header.replace(";", ",").split(","))
    said = {name.strip(): value.strip().strip('"') for name, _, value in parts}
    returns, handling = said.get("return", ""), said.get("handling", "strict")
    for name, value, known in (("return", returns, _RETURNS), ("handling", handling, _HANDLING)):
        if value and value not in known:
            raise BadRequest(Issue("value", f"Prefer: {name}={value} is unknown; it is one of {', '.join(sorted(known))}."))
    return Prefer(returns, handling, "respond-async" in said)
