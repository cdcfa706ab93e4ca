"""How the contract tests ask the API: a request as a value, one way to send it, and what stands in a Bundle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

JSON_PATCH = {"content-type": "application/json-patch+json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
STATUS_PATCH = [{"op": "add", "path": "/language", "value": "en"}]


class Response(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def json(self) -> Any: ...


class Client(Protocol):
    """What tests.api gives for a caller; paths are relative to the FHIR base and may hold a query, or are whole page links."""

    async def request(self, method: str, path: str, body: Any | None = None, *, headers: Mapping[str, str] | None = None) -> Response: ...


@dataclass(frozen=True)
class Request:
    """`body` is a JSON value, or the bytes of a form."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {dict(self.headers) or ''}".strip()


async def ask(client: Client, request: Request) -> Response:
    return await client.request(request.method, request.path, request.body, headers=request.headers)


def search(kind: str, **parameters: str | int) -> Request:
    """A search by GET; `kind` may be a compartment, or '' for the whole system."""
    return Request("GET", f"{kind}?{urlencode(parameters, safe=':,|/')}")


def posted(kind: str, **parameters: str | int) -> Request:
    return Request("POST", f"{kind}/_search", urlencode(parameters).encode(), FORM)


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
