"""ETags and dates: If-Match, If-None-Match, If-Modified-Since (https://hl7.org/fhir/R4/http.html#concurrency)."""
import re

from recovery_api.fhir.errors import BadRequest, Issue, PreconditionFailed, PreconditionRequired
from recovery_api.fhir.instants import from_http_date
from recovery_api.interactions.context import FhirRequest
from recovery_api.store.records import Record

_ETAG = re.compile(r'(?:W/)?"(?P<version>[A-Za-z0-9\-.]{1,64})"')


def check_match(request: FhirRequest, current: Record) -> None:
    """Raise PreconditionFailed where If-Match names another version than the current one; BadRequest where it names none."""
    if request.if_match is None:
        return
    found = _ETAG.fullmatch(request.if_match.strip())
    if found is None:
        raise BadRequest(Issue("value", 'If-Match must be one version, as W/"3".'))
    if found["version"] != str(current.version):
        raise PreconditionFailed


def require_match(request: FhirRequest, current: Record) -> None:
    """Raise PreconditionRequired without If-Match, and else as `check_match` does."""
    if request.if_match is None:
        raise PreconditionRequired
    check_match(request, current)


def not_modified(request: FhirRequest, current: Record) -> bool:
    """Whether the caller already has this version, by ETag or else by date."""
    if request.if_none_match is not None:
        tags = [tag.strip() for tag in request.if_none_match.split(",")]
        return "*" in tags or any((found := _ETAG.fullmatch(tag)) and found["version"] == str(current.version) for tag in tags)
    if request.if_modified_since is not None:
        since = from_http_date(request.if_modified_since)
        return since is not None and current.last_updated // 1_000_000 * 1_000_000 <= since
    return False
