"""The FHIR base as one ASGI application: reads the request, lets the interaction run, writes the answer.

It stands beside FastAPI's own routes, because matching one route per resource type would cost more than a read does.
"""
import logging
from collections.abc import Awaitable, Callable, Mapping

from recovery_api.fhir.errors import BadRequest, FhirError, NotFound, Unauthorized
from recovery_api.fhir.shipped import PUBLISHED
from recovery_api.identity.actor import Actor
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.interactions.pipeline import perform
from recovery_api.interactions.target import Target, pairs, target
from recovery_api.operations import operate
from recovery_api.routers.asgi import Receive, Scope, Send
from recovery_api.routers.negotiation import check_accept, prefer, takes_gzip
from recovery_api.routers.request import body, check_body_type
from recovery_api.routers.response import PREFLIGHT, Response, Wishes, answer, refusal

log = logging.getLogger(__name__)

_LOOK = frozenset({"_format", "_pretty"})
WITH_BODY = frozenset({"create", "update", "patch", "batch", "operation"})


class FhirEndpoint:
    """The ASGI application below `/fhir`."""

    def __init__(self, server: Server, identify: Callable[[str], Awaitable[Actor]]) -> None:
        """`identify` gives the caller behind a bearer token, or raises Unauthorized."""
        self._server = server
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["method"] == "OPTIONS":
            return await _send(send, Response(204, list(PREFLIGHT)))
        wishes = Wishes(base=self._server.base, head=scope["method"] == "HEAD")
        try:
            headers = dict(scope["headers"])
            path = _path(scope)
            actor = None if path == "metadata" or path.partition("/")[0] in PUBLISHED else await self._identify(_bearer(headers))
            asked = target(scope["method"], path, self._server.interactions)
            scope["interaction"] = asked.interaction
            query, look = _presentation(pairs(scope["query_string"].decode("latin-1")))
            wishes = wishes._replace(
                pretty=_is_pretty(look),
                gzip=takes_gzip(headers.get(b"accept-encoding", b"").decode("latin-1")),
                prefer=prefer(headers.get(b"prefer", b"").decode("latin-1")),
            )
            check_accept(look.get("_format") or headers.get(b"accept", b"*/*").decode("latin-1"))
            result = await self._perform(scope, receive, asked, actor, headers, query, look, wishes)
            response = answer(result, wishes)
        except FhirError as error:
            response = refusal(error, wishes)
        except Exception:
            log.exception("unexpected failure")
            response = refusal(FhirError(), wishes)
        return await _send(send, response)

    async def _perform(
        self,
        scope: Scope,
        receive: Receive,
        asked: Target,
        actor: Actor | None,
        headers: Mapping[bytes, bytes],
        query: list[tuple[str, str]],
        look: Mapping[str, str],
        wishes: Wishes,
    ) -> FhirResult:
        if actor is None:
            return self._published(_path(scope))
        method: str = scope["method"]
        form = method == "POST" and asked.interaction.startswith("search")
        content, content_type = b"", None
        if form or (asked.interaction in WITH_BODY and method != "GET"):
            content = await body(receive, headers)
            content_type = check_body_type(asked.interaction, headers, form=form) if content or asked.interaction != "operation" else None
        if form:
            query, content = query + _presentation(pairs(content.decode("latin-1")))[0], b""
        said = "POST" if method == "POST" else "GET"
        request = _request(asked, actor, said, query, look, content, content_type, headers, wishes)
        return await (operate if asked.interaction == "operation" else perform)(self._server, request)

    def _published(self, path: str) -> FhirResult:
        document = self._server.published.get(path)
        if document is None:
            raise NotFound
        return FhirResult(200, document)


def _request(
    asked: Target,
    actor: Actor,
    method: str,
    query: list[tuple[str, str]],
    look: Mapping[str, str],
    content: bytes,
    content_type: str | None,
    headers: Mapping[bytes, bytes],
    wishes: Wishes,
) -> FhirRequest:
    def header(name: bytes) -> str | None:
        value = headers.get(name)
        return None if value is None else value.decode("latin-1")

    return FhirRequest(
        interaction=asked.interaction,
        actor=actor,
        type=asked.type,
        id=asked.id,
        version=asked.version,
        compartment=asked.compartment,
        operation=asked.operation,
        method=method,
        query=tuple(query),
        look=tuple(look.items()),
        body=content,
        patch_type=content_type,
        if_match=header(b"if-match"),
        if_none_match=header(b"if-none-match"),
        if_modified_since=header(b"if-modified-since"),
        if_none_exist=header(b"if-none-exist"),
        prefer=wishes.prefer,
    )


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).strip("/")


def _presentation(query: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The parameters without those that are about how the answer looks, and those: the last of each name."""
    look = {name: value for name, value in query if name in _LOOK}
    return [(name, value) for name, value in query if name not in _LOOK], look


def _is_pretty(look: Mapping[str, str]) -> bool:
    said = look.get("_pretty", "false")
    if said not in {"true", "false"}:
        raise BadRequest("_pretty is true or false.")
    return said == "true"


def _bearer(headers: Mapping[bytes, bytes]) -> str:
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized
    return token.strip()


async def _send(send: Send, response: Response) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
    await send({"type": "http.response.body", "body": response.body})
