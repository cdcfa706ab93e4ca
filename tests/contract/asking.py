"""How the contract tests ask the API: a request as a value, one way to send it, and what stands in a Bundle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from tests.callers import Caller

JSON_PATCH = {"Content-Type": "application/json-patch+json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STATUS_PATCH = [{"op": "add", "path": "/language", "value": "en"}]


class Response(Protocol):
    status: int
    headers: Mapping[str, str]
    body: bytes
    json: Any


class Client(Protocol):
    """What tests.api gives for a caller; paths are relative to the FHIR base and may hold a query, or are whole page links."""

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Response: ...
    async def head(self, path: str, *, headers: Mapping[str, str] | None = None) -> Response: ...
    async def delete(self, path: str, *, headers: Mapping[str, str] | None = None) -> Response: ...
    async def post(self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Response: ...
    async def put(self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Response: ...
    async def patch(self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Response: ...


class Api(Protocol):
    def as_(self, caller: Caller) -> Client: ...
    def statements(self) -> int:
        """How many SQL statements were sent since the start."""
        ...


@dataclass(frozen=True)
class Request:
    """`body` is a JSON value, or the text of a form."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {dict(self.headers) or ''}".strip()


async def ask(client: Client, request: Request) -> Response:
    headers = request.headers or None
    match request.method:
        case "GET":
            return await client.get(request.path, headers=headers)
        case "HEAD":
            return await client.head(request.path, headers=headers)
        case "DELETE":
            return await client.delete(request.path, headers=headers)
        case "POST":
            return await client.post(request.path, request.body, headers=headers)
        case "PUT":
            return await client.put(request.path, request.body, headers=headers)
        case "PATCH":
            return await client.patch(request.path, request.body, headers=headers)
        case other:
            raise ValueError(other)


def search(kind: str, **parameters: str | int) -> Request:
    """A search by GET; `kind` may be a compartment, or '' for the whole system."""
    return Request("GET", f"{kind}?{urlencode(parameters, safe=':,|/')}")


def posted(kind: str, **parameters: str | int) -> Request:
    return Request("POST", f"{kind}/_search", urlencode(parameters), FORM)


def batch(*entries: tuple[str, str]) -> Request:
    """A batch of (method, url) without bodies."""
    requests = [{"request": {"method": method, "url": url}} for method, url in entries]
    return Request("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": requests})


def found(bundle: Any, mode: str | None = "match") -> list[str]:
    """`Type/id` of the entries of a search (or, with mode None, of a history) in their order; outcomes are left out."""
    resources = [
        each["resource"]
        for each in bundle.get("entry", [])
        if "resource" in each and (mode is None or each.get("search", {}).get("mode") == mode)
    ]
    return [f"{each['resourceType']}/{each['id']}" for each in resources if each["resourceType"] != "OperationOutcome"]


def link(bundle: Any, relation: str) -> str | None:
    return next((each["url"] for each in bundle.get("link", []) if each["relation"] == relation), None)
