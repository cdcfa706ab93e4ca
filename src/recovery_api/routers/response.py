"""From results and errors to HTTP responses, sent as raw ASGI messages."""
import gzip
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from recovery_api.fhir.errors import FhirError, RangeNotSatisfiable, TooManyRequests, Unauthorized
from recovery_api.fhir.instants import http_date
from recovery_api.fhir.json import dump, dump_pretty
from recovery_api.fhir.outcome import outcome
from recovery_api.interactions.context import FhirResult, Packed, Prefer
from recovery_api.policy.notice import HEADER
from recovery_api.routers import content
from recovery_api.routers.asgi import Headers

CONTENT_TYPE = "application/fhir+json;charset=utf-8"
NO_EMERGENCY_CHANNEL = (b"x-emergency-notice", b"not an emergency channel: call 911, or call or text 988")
GZIP_FROM = 1_400
"""Bytes: below this a body fits one packet, and gzip saves nothing."""

MOST_UNPACKED = 1 << 20
"""Bytes of a file that are unpacked at once."""

EXPOSED = (
    b"Accept-Ranges", b"Content-Location", b"Content-Range", b"ETag", b"Expires", b"Last-Modified", b"Location", b"Retry-After",
    b"WWW-Authenticate", b"X-Emergency-Notice", b"X-Progress", b"X-Redisclosure-Notice", b"X-Request-Id",
)  # fmt: skip
TAKEN = (
    b"Accept", b"Authorization", b"Content-Type", b"If-Match", b"If-Modified-Since", b"If-None-Exist", b"If-None-Match", b"If-Range",
    b"Prefer", b"Range", b"X-Request-Id", b"X-Security-Context",
)  # fmt: skip

ALWAYS: Sequence[tuple[bytes, bytes]] = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization, Accept, Accept-Encoding"),
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b", ".join(EXPOSED)),
)
PREFLIGHT: Sequence[tuple[bytes, bytes]] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers", b", ".join(TAKEN)),
    (b"access-control-max-age", b"3600"),
    (b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    (b"content-length", b"0"),
)


class Response(NamedTuple):
    """What goes on the wire."""

    status: int
    headers: Headers
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    """The body, where it comes bit by bit."""


class Wishes(NamedTuple):
    """How a caller wants the answer to look."""

    pretty: bool = False
    gzip: bool = False
    head: bool = False
    prefer: Prefer = Prefer()
    base: str = ""
    part: Mapping[str, str | None] = MappingProxyType(dict.fromkeys(content.CONDITIONS))
    """The headers that say which part of content is wanted, and when."""


def answer(result: FhirResult, wishes: Wishes) -> Response:
    """The response for a result."""
    headers: Headers = [*ALWAYS, *result.headers]
    if result.version is not None and not result.is_content:
        headers.append((b"etag", b'W/"%d"' % result.version))
    if result.last_updated is not None:
        headers.append((b"last-modified", http_date(result.last_updated).encode()))
    if result.noticed:
        headers.append(HEADER)
    if result.urgent:
        headers.append(NO_EMERGENCY_CHANNEL)
    if result.location is not None:
        headers.append((b"location", f"{wishes.base}/{result.location}".encode()))
    media_type = result.media_type or CONTENT_TYPE
    if result.file is not None:
        return _with_file(result.status, headers, result.file, wishes, media_type)
    if result.is_content and result.body is not None:
        status, more, sent = content.part(result.body, media_type, wishes.part, head=wishes.head)
        return Response(status, [*headers, *more], sent)
    body = dump(result.outcome) if result.urgent and result.body is None and result.outcome is not None else result.body
    if result.outcome is not None and wishes.prefer.returns in {"minimal", "OperationOutcome"}:
        body = None if wishes.prefer.returns == "minimal" else dump(result.outcome)
    status = 200 if body and result.status == 204 else result.status
    return _with_body(status, headers, body, wishes, media_type)


def refusal(error: FhirError, wishes: Wishes) -> Response:
    """The response for an error: an OperationOutcome, the same for the same error whoever asks."""
    headers: Headers = list(ALWAYS)
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b'Bearer realm="fhir", error="invalid_token"'))
    if isinstance(error, TooManyRequests):
        headers.append((b"retry-after", b"%d" % error.retry_after))
    if isinstance(error, RangeNotSatisfiable):
        headers.append((b"content-range", f"bytes */{error.size}".encode()))
    return _with_body(error.status, headers, dump(outcome(error.issues)), wishes)


def _with_file(status: int, headers: Headers, file: Packed, wishes: Wishes, media_type: str) -> Response:
    headers.append((b"content-type", media_type.encode()))
    if wishes.gzip:
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", b"%d" % (file.packed if wishes.gzip else file.size)))
    return Response(status, headers, stream=None if wishes.head else file.chunks if wishes.gzip else _unpacked(file.chunks))


async def _unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The bytes that were packed, never more than a part of them at once."""
    unpacking = zlib.decompressobj(wbits=31)
    async for chunk in chunks:
        rest = chunk
        while rest:
            yield unpacking.decompress(rest, MOST_UNPACKED)
            rest = unpacking.unconsumed_tail


def _with_body(status: int, headers: Headers, body: bytes | None, wishes: Wishes, media_type: str = CONTENT_TYPE) -> Response:
    if not body:
        if status not in {204, 304}:
            headers.append((b"content-length", b"0"))
        return Response(status, headers)
    if wishes.pretty:
        body = dump_pretty(body)
    headers.append((b"content-type", media_type.encode()))
    if wishes.gzip and len(body) >= GZIP_FROM:
        body = gzip.compress(body, compresslevel=5, mtime=0)
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", str(len(body)).encode()))
    return Response(status, headers, b"" if wishes.head else body)
