"""Content that is not FHIR JSON: sent to a Binary as it is, and answered as it is, whole or a range of it (docs/decisions/0040).

Its ETag is a strong one, of the bytes that are served: notice and page are in them.
"""
import base64
import hashlib
import re
from collections.abc import Mapping

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.media_types import JSON_TYPES, essence
from recovery_api.interactions.target import Target
from recovery_api.routers.asgi import Headers
from recovery_api.routers.ranges import selected

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}(\s*;.{1,128})?")
NEVER_RAW = JSON_TYPES | {"application/fhir+xml", "application/x-www-form-urlencoded", "multipart/form-data"}
"""Media types in which nobody sends the content of a Binary: they have another meaning here, or none."""
INERT = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox")
"""A page of somebody's does nothing in a browser but be read."""

CONDITIONS = ("if-none-match", "if-range", "range")
"""The headers that say which part of content is wanted, and when."""


def serves_more(asked: Target) -> bool:
    """Whether what is asked for can be had as more than FHIR JSON."""
    return (asked.interaction in {"read", "vread"} and asked.type == "Binary") or asked.operation == "document"


def is_raw(asked: Target, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body is the content of a Binary itself (https://hl7.org/fhir/R4/binary.html#rest)."""
    said = headers.get(b"content-type", b"").decode("latin-1").strip()
    writes = asked.interaction in {"create", "update"} and asked.type == "Binary"
    return writes and essence(said) not in NEVER_RAW and bool(_MEDIA_TYPE.fullmatch(said))


def binary(content: bytes, asked: Target, headers: Mapping[bytes, bytes]) -> JsonObject:
    """The Binary whose content is sent as it is; the header X-Security-Context says to what it belongs."""
    context = headers.get(b"x-security-context", b"").decode("latin-1").strip()
    return {
        "resourceType": "Binary",
        **({"id": asked.id} if asked.id else {}),
        "contentType": " ".join(headers[b"content-type"].decode("latin-1").split()),
        **({"securityContext": {"reference": context}} if context else {}),
        "data": base64.b64encode(content).decode(),
    }


def part(body: bytes, type: str, asked: Mapping[str, str | None], *, head: bool) -> tuple[int, Headers, bytes]:
    """Status, headers and bytes of an answer with content of a media type.

    `asked` are the request's headers by their names in CONDITIONS. Raises RangeNotSatisfiable.
    """
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers: Headers = [(b"etag", etag.encode()), (b"accept-ranges", b"bytes"), (b"content-type", type.encode("latin-1")), INERT]
    known = asked["if-none-match"]
    if known is not None and {tag.strip().removeprefix("W/") for tag in known.split(",")} & {etag, "*"}:
        return 304, headers[:1], b""
    chosen = None if head else selected(asked["range"], asked["if-range"], etag, len(body))
    if chosen is None:
        return 200, [*headers, (b"content-length", str(len(body)).encode())], b"" if head else body
    told = f"bytes {chosen.start}-{chosen.stop - 1}/{len(body)}".encode()
    found = body[chosen.start : chosen.stop]
    return 206, [*headers, (b"content-range", told), (b"content-length", str(len(found)).encode())], found
