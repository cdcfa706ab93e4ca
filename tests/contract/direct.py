"""The server asked in this process, without a socket: for tests that ask thousands of times."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from recovery_api.app import application
from recovery_api.fhir.json import dump
from tests.api import FHIR_JSON, Api, Ids, Response
from tests.callers import Caller


class Direct:
    """A running server's application, which gives ids from the first on; callers keep their tokens."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.app = application(replace(api.running, server=replace(api.running.server, new_id=Ids())))
        self._clients: dict[Caller, DirectClient] = {}

    def as_(self, caller: Caller) -> "DirectClient":
        """The caller, with all scopes of their role."""
        if caller not in self._clients:
            self._clients[caller] = DirectClient(self, self.api.token(caller))
        return self._clients[caller]


@dataclass(frozen=True)
class DirectClient:
    """One caller. Paths are below the FHIR base and may hold a query, or are whole URLs as links give them."""

    server: Direct
    token: str

    async def request(self, method: str, path: str, body: Any | None = None, *, headers: Mapping[str, str] | None = None) -> Response:
        content = b"" if body is None else body if isinstance(body, bytes) else dump(body)
        sent = {"accept": FHIR_JSON, "authorization": f"Bearer {self.token}", "content-length": str(len(content))}
        sent |= {"content-type": FHIR_JSON} if content else {}
        sent |= headers or {}
        base = self.server.api.running.server.base
        address, _, query = path.removeprefix(base).lstrip("/").partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": f"/fhir/{address}",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        }
        told: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        await self.server.app(scope, receive, send)
        start, *rest = told
        given = {name.decode(): value.decode() for name, value in start["headers"]}
        return Response(start["status"], given, b"".join(part.get("body", b"") for part in rest))
