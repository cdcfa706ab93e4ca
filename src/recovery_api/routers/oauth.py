"""The endpoints of the authorization server that programs call: token, introspection, revocation, keys (RFC 6749, 7662, 7009, 7517)."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from fastapi import APIRouter, Request, Response

from recovery_api.fhir.errors import BadRequest, FhirError
from recovery_api.fhir.json import Json, dump
from recovery_api.identity.authorization_server import AuthorizationServer
from recovery_api.identity.discovery import STYLE
from recovery_api.identity.oauth_errors import OAuthError
from recovery_api.interactions.target import pairs
from recovery_api.routers.negotiation import FORM

JSON = "application/json"
MOST_BYTES = 1 << 16
"""The largest form that is taken."""

FOR_ALL: Mapping[str, str] = MappingProxyType({"access-control-allow-origin": "*", "x-content-type-options": "nosniff"})
SECRET: Mapping[str, str] = MappingProxyType({**FOR_ALL, "cache-control": "no-store", "pragma": "no-cache"})
PREFLIGHT: Mapping[str, str] = MappingProxyType(
    {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, POST, OPTIONS",
        "access-control-allow-headers": "Accept, Authorization, Content-Type",
        "access-control-max-age": "3600",
    }
)
Pairs = list[tuple[str, str]]


def oauth(server: AuthorizationServer) -> APIRouter:
    """The routes below `/oauth` that speak JSON. Browsers of any origin may call them: no cookie counts here."""
    router = APIRouter(include_in_schema=False)
    act = server.token

    @router.post("/oauth/token")
    async def token(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return await _answered(request, act.token)

    @router.post("/oauth/introspect")
    async def introspect(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return await _answered(request, act.introspect)

    @router.post("/oauth/revoke")
    async def revoke(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return await _answered(request, act.revoke)

    @router.get("/oauth/jwks.json")
    async def jwks() -> Response:  # pyright: ignore[reportUnusedFunction]
        return json_answer(server.jwks(), {"cache-control": "public, max-age=300"})

    @router.get("/oauth/smart-style.json")
    async def style() -> Response:  # pyright: ignore[reportUnusedFunction]
        return json_answer(dict(STYLE), {"cache-control": "public, max-age=3600"})

    @router.options("/oauth/{endpoint}")
    async def preflight(endpoint: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        del endpoint
        return Response(status_code=204, headers=dict(PREFLIGHT))

    return router


def json_answer(said: Json, headers: Mapping[str, str]) -> Response:
    """A JSON object for whoever asks."""
    return Response(dump(said), headers={**FOR_ALL, **headers}, media_type=JSON)


async def form(request: Request) -> Pairs:
    """The parameters of a form, in order. Raises OAuthError (invalid_request) where the body is none."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise OAuthError("invalid_request", "The form is too large.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise OAuthError("invalid_request", f"The body is a form ({FORM}).")
    try:
        return pairs(content.decode("latin-1"))
    except BadRequest:
        raise OAuthError("invalid_request", "The form can not be read.") from None


async def _answered(request: Request, act: Callable[[Pairs, str | None], Awaitable[Json]]) -> Response:
    """What comes of the form, or the error in OAuth's words."""
    try:
        said = await act(await form(request), request.headers.get("authorization"))
    except OAuthError as error:
        refused = error
    except FhirError as error:
        refused = OAuthError("temporarily_unavailable" if error.status == 503 else "server_error", error.diagnostics)
    else:
        return Response(b"" if said is None else dump(said), headers=dict(SECRET), media_type=None if said is None else JSON)
    headers = dict(SECRET) | ({"www-authenticate": 'Basic realm="oauth"'} if refused.status == 401 else {})
    body = {"error": refused.error, "error_description": refused.description}
    return Response(dump(body), refused.status, headers, JSON)
