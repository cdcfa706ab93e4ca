"""`/openapi.json` and `/docs`, the page that shows it; nothing comes from another host."""
import gzip
from collections.abc import Callable, Collection, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from recovery_api.fhir.errors import BadRequest, FhirError
from recovery_api.fhir.json import dump
from recovery_api.fhir.openapi.responses import FHIR_JSON
from recovery_api.fhir.outcome import outcome

JSON = "application/json"
FOR_ALL: Mapping[str, str] = {"access-control-allow-origin": "*"}
ASSETS: Mapping[str, str] = {
    "favicon-32x32.png": "image/png",
    "page.js": "text/javascript; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
}
"""What the page is made of, and its media types."""

POLICY = "; ".join(  # noqa: FLY002 - a line each is easier to read
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy of the page: it loads from, and speaks with, this server alone."""


class Static(NamedTuple):
    """Bytes that do not change while the server runs."""

    content: bytes
    compressed: bytes
    etag: str
    media_type: str


def documentation(document: Callable[[str], bytes], audiences: Collection[str]) -> APIRouter:
    """The routes `/openapi.json`, `/docs` and `/docs/{asset}`. `document` gives the OpenAPI document of an audience ('' for
    all of it); it is asked once for each, when needed.
    """
    router = APIRouter(include_in_schema=False)

    @cache
    def described(audience: str) -> Static:
        return _static(document(audience), JSON)

    @cache
    def asset(name: str, media_type: str) -> Static:
        return _static((files("recovery_api.routers") / "docs_page" / name).read_bytes(), media_type)

    # Not async: they run in a thread, so that what is made once holds up no other request.
    @router.api_route("/openapi.json", methods=["GET", "HEAD"])
    def openapi(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        try:
            audience = _audience(request, audiences)
        except BadRequest as refusal:
            return _refused(refusal)
        return _answer(request, described(audience), FOR_ALL)

    @router.api_route("/docs", methods=["GET", "HEAD"])
    def page(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        try:
            _audience(request, audiences)
        except BadRequest as refusal:
            return _refused(refusal)
        headers = {"content-security-policy": POLICY, "referrer-policy": "no-referrer", "x-frame-options": "DENY"}
        return _answer(request, asset("index.html", "text/html; charset=utf-8"), headers)

    @router.api_route("/docs/{name}", methods=["GET", "HEAD"])
    def part(request: Request, name: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        return _answer(request, asset(name, ASSETS[name]), {}) if name in ASSETS else Response(status_code=404)

    return router


def _audience(request: Request, audiences: Collection[str]) -> str:
    """The audience that a query names, or ''. Raises BadRequest, also for any other parameter."""
    given = request.query_params.multi_items()
    for name, _ in given:
        if name != "audience":
            raise BadRequest(f"There is no parameter {name[:100]} here; there is: audience.")
    known = ", ".join(audiences)
    if len(given) > 1:
        raise BadRequest(f"audience is given once; it is one of: {known}.")
    if given and given[0][1] not in audiences:
        raise BadRequest(f"There is no audience {given[0][1][:100] or '(empty)'}; there are: {known}. Without one, the document is whole.")
    return given[0][1] if given else ""


def _refused(refusal: FhirError) -> Response:
    return Response(dump(outcome(refusal.issues)), status_code=refusal.status, headers=dict(FOR_ALL), media_type=FHIR_JSON)


def _static(content: bytes, media_type: str) -> Static:
    return Static(content, gzip.compress(content, compresslevel=6, mtime=0), f'"{sha256(content).hexdigest()[:32]}"', media_type)


def _answer(request: Request, found: Static, more: Mapping[str, str]) -> Response:
    headers = {"etag": found.etag, "cache-control": "no-cache", "vary": "Accept-Encoding", "x-content-type-options": "nosniff", **more}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.compressed, headers={**headers, "content-encoding": "gzip"}, media_type=found.media_type)
    return Response(found.content, headers=headers, media_type=found.media_type)
