"""The FHIR base as one ASGI application: reads the request, lets the interaction run, writes the answer.

It stands beside FastAPI's own routes, because matching one route per resource type would cost more than a read does.
"""
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from recovery_api.fhir.errors import BadRequest, FhirError, MethodNotAllowed, Unauthorized
from recovery_api.fhir.json import JsonObject
from recovery_api.identity.actor import Actor
from recovery_api.interactions.audited import Run, audited, record_refusal
from recovery_api.interactions.bulk.doors import cancel, file, status
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.interactions.pipeline import perform
from recovery_api.interactions.target import Target, pairs, target
from recovery_api.operations import operate
from recovery_api.policy.audit import Asked
from recovery_api.routers import content
from recovery_api.routers.asgi import Receive, Scope, Send
from recovery_api.routers.negotiation import check_accept, prefer, takes_gzip
from recovery_api.routers.request import FORM_SEARCH, body, check_body_type
from recovery_api.routers.response import PREFLIGHT, Response, Wishes, answer, refusal

log = logging.getLogger(__name__)

_LOOK = frozenset({"_format", "_pretty"})
NOTHING = Asked()
DOORS: Mapping[str, Run] = MappingProxyType({"operation": operate, "job-status": status, "job-cancel": cancel, "job-file": file})
"""What answers an interaction; `perform`, where nothing stands here."""
WITH_BODY = frozenset({"create", "update", "patch", "batch", "operation"})


@dataclass(slots=True)
class _Door:
    """What is known of a request so far: how the answer shall look, who asks, and for what."""

    wishes: Wishes
    actor: Actor | None = None
    asked: Asked = NOTHING


class _Sent(NamedTuple):
    """The body, what it is, and what is accepted for it, as FhirRequest has them."""

    accept: str
    body: bytes | JsonObject
    type: str | None
    raw: bool


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
        door = _Door(Wishes(base=self._server.base, head=scope["method"] == "HEAD"))
        try:
            response = answer(await self._perform(scope, receive, door), door.wishes)
        except FhirError as error:
            response = refusal(error, door.wishes)
        except Exception:
            log.exception("unexpected failure")
            response = refusal(FhirError(), door.wishes)
        return await _send(send, response)

    async def _perform(self, scope: Scope, receive: Receive, door: "_Door") -> FhirResult:
        try:
            request = await self._understood(scope, receive, door)
        except Exception as error:
            status = error.status if isinstance(error, FhirError) else FhirError.status
            await record_refusal(self._server, door.actor, door.asked, status)
            raise
        if request is None:
            return FhirResult(200, self._server.published[_path(scope)])
        run = DOORS.get(request.interaction, perform)
        return await audited(self._server, request, run)

    async def _understood(self, scope: Scope, receive: Receive, door: "_Door") -> FhirRequest | None:
        """What is asked for, with its body; None for what everybody may see."""
        headers = dict(scope["headers"])
        path = _path(scope)
        door.asked = Asked(address=_address(scope))
        public = path in self._server.published
        if public and scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowed
        actor = door.actor = None if public else await self._identify(_bearer(headers))
        asked = target(scope["method"], path, self._server.interactions)
        scope["interaction"] = asked.interaction
        address = door.asked.address
        door.asked = Asked(asked.interaction, asked.type or "", asked.id or "", asked.operation or "", address=address)
        form = await _form(receive, headers) if _is_form(scope["method"], asked) else []
        query, look = _presentation(pairs(scope["query_string"].decode("latin-1")) + form)
        door.wishes = door.wishes._replace(
            pretty=_is_pretty(look),
            gzip=takes_gzip(headers.get(b"accept-encoding", b"").decode("latin-1")),
            prefer=prefer(headers.get(b"prefer", b"").decode("latin-1")),
        )
        accept = look.get("_format") or headers.get(b"accept", b"*/*").decode("latin-1")
        if content.serves_more(asked):
            door.wishes = door.wishes._replace(part={name: _header(headers, name.encode()) for name in content.CONDITIONS})
        else:
            check_accept(accept, ndjson=asked.interaction == "job-file")
            accept = ""
        if actor is None:
            return None
        sent, content_type = b"", None
        raw = content.is_raw(asked, headers)
        if asked.interaction in WITH_BODY and scope["method"] != "GET":
            sent = await body(receive, headers)
            content_type = check_body_type(asked.interaction, headers) if not raw and (sent or asked.interaction != "operation") else None
        said = "POST" if scope["method"] == "POST" else "GET"
        told = _Sent(accept, content.binary(sent, asked, headers) if raw else sent, content_type, raw=raw)
        return _request(asked, actor, said, query, look, told, headers, door)


def _request(
    asked: Target,
    actor: Actor,
    method: str,
    query: list[tuple[str, str]],
    look: Mapping[str, str],
    sent: _Sent,
    headers: Mapping[bytes, bytes],
    door: "_Door",
) -> FhirRequest:
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
        body=sent.body,
        patch_type=sent.type,
        accept=sent.accept,
        raw=sent.raw,
        if_match=_header(headers, b"if-match"),
        if_none_match=_header(headers, b"if-none-match"),
        if_modified_since=_header(headers, b"if-modified-since"),
        if_none_exist=_header(headers, b"if-none-exist"),
        prefer=door.wishes.prefer,
        address=door.asked.address,
    )


def _header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def _is_form(method: str, asked: Target) -> bool:
    """Whether the request is a search whose parameters come in its body."""
    return method == "POST" and asked.interaction.startswith("search")


async def _form(receive: Receive, headers: Mapping[bytes, bytes]) -> list[tuple[str, str]]:
    content = await body(receive, headers)
    check_body_type(FORM_SEARCH, headers)
    return pairs(content.decode("latin-1"))


def _address(scope: Scope) -> str:
    client: tuple[str, int] | None = scope.get("client")
    return client[0] if client else ""


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
    async for chunk in response.stream or _nothing():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": response.body})


async def _nothing() -> AsyncGenerator[bytes]:
    for chunk in ():
        yield chunk
