"""`/openapi.json` and `/docs`, the page that shows it; nothing comes from another host."""
import gzip
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

JSON = "application/json"
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


def documentation(document: Callable[[], bytes]) -> APIRouter:
    """The routes `/openapi.json`, `/docs` and `/docs/{asset}`. `document` gives the OpenAPI document; it is asked once, when needed."""
    router = APIRouter(include_in_schema=False)

    @cache
    def described() -> Static:
        return _static(document(), JSON)

    @cache
    def asset(name: str, media_type: str) -> Static:
        return _static((files("recovery_api.routers") / "docs_page" / name).read_bytes(), media_type)

    # Not async: they run in a thread, so that what is made once holds up no other request.
    @router.api_route("/openapi.json", methods=["GET", "HEAD"])
    def openapi(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return _answer(request, described(), {"access-control-allow-origin": "*"})

    @router.api_route("/docs", methods=["GET", "HEAD"])
    def page(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        headers = {"content-security-policy": POLICY, "referrer-policy": "no-referrer", "x-frame-options": "DENY"}
        return _answer(request, asset("index.html", "text/html; charset=utf-8"), headers)

    @router.api_route("/docs/{name}", methods=["GET", "HEAD"])
    def part(request: Request, name: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        return _answer(request, asset(name, ASSETS[name]), {}) if name in ASSETS else Response(status_code=404)

    return router


def _static(content: bytes, media_type: str) -> Static:
    return Static(content, gzip.compress(content, compresslevel=6, mtime=0), f'"{sha256(content).hexdigest()[:32]}"', media_type)


def _answer(request: Request, found: Static, more: Mapping[str, str]) -> Response:
    headers = {"etag": found.etag, "cache-control": "no-cache", "vary": "Accept-Encoding", "x-content-type-options": "nosniff", **more}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.compressed, headers={**headers, "content-encoding": "gzip"}, media_type=found.media_type)
    return Response(found.content, headers=headers, media_type=found.media_type)
