"""Discovery: where the authorization server is and what it can do (SMART App Launch 2.2, RFC 8414, OpenID Connect Discovery)."""

from fastapi import APIRouter, Request, Response

from recovery_api.identity.discovery import metadata, openid_configuration, smart_configuration
from recovery_api.routers.oauth import PREFLIGHT, json_answer

_KEPT = {"cache-control": "public, max-age=300"}


def discovery(issuer: str) -> APIRouter:
    """The well-known documents of the issuer."""
    router = APIRouter(include_in_schema=False)
    documents = {
        "/fhir/.well-known/smart-configuration": smart_configuration(issuer),
        "/.well-known/smart-configuration": smart_configuration(issuer),
        "/.well-known/oauth-authorization-server": metadata(issuer),
        "/.well-known/openid-configuration": openid_configuration(issuer),
    }

    def told(request: Request) -> Response:
        return json_answer(documents[request.url.path], _KEPT)

    def preflight() -> Response:
        return Response(status_code=204, headers=dict(PREFLIGHT))

    for path in documents:
        router.add_api_route(path, told, methods=["GET", "HEAD"])
        router.add_api_route(path, preflight, methods=["OPTIONS"])
    return router
