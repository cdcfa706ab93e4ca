"""The server as its callers have it: in this process, on a real socket, over a database of the test's own, with injected clock and ids."""
import asyncio
import shutil
import ssl
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import uvicorn

from recovery_api.app import Running, application, running
from recovery_api.commands.grants import all_scopes
from recovery_api.demo.timeline import T0
from recovery_api.fhir.instants import EPOCH
from recovery_api.fhir.json import JsonObject, dump, parse
from recovery_api.identity.events import Record
from recovery_api.interactions.load import load_all
from recovery_api.routers.asgi import App
from recovery_api.settings import load as load_settings
from recovery_api.store.statements import Statements
from tests.callers import Caller
from tests.statements import Asked, recorded

FHIR_JSON = "application/fhir+json"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Who asks on a loopback socket without TLS need not read the world's certificates."""
Body: TypeAlias = JsonObject | list[Any] | bytes


@dataclass
class Clock:
    """The server's clock, which stands still until a test moves it: microseconds since the epoch."""

    now: int = field(default=int((T0 - EPOCH).total_seconds() * 1_000_000))

    def __call__(self) -> int:
        return self.now

    def move(self, *, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)

    def set(self, moment: datetime) -> None:
        self.now = int((moment - EPOCH).total_seconds() * 1_000_000)


class Ids:
    """Ids as the server gives them, one after the other, the same in every run. `first`: where they begin."""

    def __init__(self, first: int = 1) -> None:
        self._numbers = count(first)

    def __call__(self) -> str:
        return f"019e0000-0000-7000-8000-{next(self._numbers):012x}"


@dataclass(frozen=True)
class Response:
    """An answer: status, headers by lower-case name, and the body as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> JsonObject:
        return parse(self.body)

    @property
    def issue(self) -> tuple[str, str]:
        """Severity and code of the first issue of an OperationOutcome."""
        first = self.json["issue"][0]
        return first["severity"], first["code"]

    @property
    def keys(self) -> set[str]:
        """The keys of the rules that an OperationOutcome names."""
        return {issue["details"]["text"] for issue in self.json["issue"] if "details" in issue}

    @property
    def places(self) -> set[str]:
        """The places that an OperationOutcome names."""
        return {place for issue in self.json["issue"] for place in issue.get("expression", ())}

    @property
    def matches(self) -> list[JsonObject]:
        """The resources that a searchset found, in order."""
        return [entry["resource"] for entry in self.json.get("entry", ()) if entry.get("search", {}).get("mode", "match") == "match"]

    @property
    def included(self) -> list[JsonObject]:
        return [entry["resource"] for entry in self.json.get("entry", ()) if entry.get("search", {}).get("mode") == "include"]

    @property
    def ids(self) -> set[str]:
        """The ids of what a searchset found."""
        return {resource["id"] for resource in self.matches}

    def link(self, relation: str) -> str | None:
        return next((link["url"] for link in self.json.get("link", ()) if link["relation"] == relation), None)


class Client:
    """One caller's way to the server. Paths are below the FHIR base, or whole URLs as links give them."""

    def __init__(self, http: httpx.AsyncClient, token: str | None) -> None:
        self._http = http
        self._token = token

    async def request(
        self, method: str, path: str, body: Body | None = None, *, headers: Mapping[str, str] | None = None, **params: Any
    ) -> Response:
        sent = {"accept": FHIR_JSON, **({"authorization": f"Bearer {self._token}"} if self._token else {})}
        if body is not None:
            sent["content-type"] = "application/json-patch+json" if isinstance(body, list) else FHIR_JSON
        content = body if isinstance(body, bytes | None) else dump(body)
        sent |= headers or {}
        answer = await self._http.request(method, path.lstrip("/"), content=content, headers=sent, params=params or None)
        return Response(answer.status_code, answer.headers, answer.content)

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None, **params: Any) -> Response:
        return await self.request("GET", path, headers=headers, **params)

    async def head(self, path: str, **params: Any) -> Response:
        return await self.request("HEAD", path, **params)

    async def post(self, path: str, body: Body, *, headers: Mapping[str, str] | None = None, **params: Any) -> Response:
        return await self.request("POST", path, body, headers=headers, **params)

    async def put(self, path: str, body: Body, *, headers: Mapping[str, str] | None = None, **params: Any) -> Response:
        return await self.request("PUT", path, body, headers=headers, **params)

    async def patch(
        self, path: str, body: Body, *, headers: Mapping[str, str] | None = None, **params: Any
    ) -> Response:
        return await self.request("PATCH", path, body, headers=headers, **params)

    async def delete(self, path: str, *, headers: Mapping[str, str] | None = None, **params: Any) -> Response:
        return await self.request("DELETE", path, headers=headers, **params)

    async def form(self, path: str, **params: Any) -> Response:
        """POST _search."""
        body = str(httpx.QueryParams(params)).encode()
        return await self.request("POST", path, body, headers={"content-type": "application/x-www-form-urlencoded"})

    async def pages(self, path: str, **params: Any) -> list[Response]:
        """A search and all the pages that its links lead to."""
        found = [await self.get(path, **params)]
        while found[-1].status == 200 and (following := found[-1].link("next")):
            found.append(await self.get(following))
        return found


class Api:
    """A running server."""

    def __init__(self, server: Running, http: httpx.AsyncClient, clock: Clock) -> None:
        self.running = server
        self.http = http
        self.clock = clock

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.http.base_url.port or 80

    def as_(self, caller: Caller | None, *, scopes: str | None = None, lifetime: int = 86_400) -> Client:
        """The caller, with all scopes of their role or just these; None: nobody, without a token."""
        return Client(self.http, None if caller is None else self.token(caller, scopes=scopes, lifetime=lifetime))

    def token(self, caller: Caller, *, scopes: str | None = None, lifetime: int = 86_400) -> str:
        claims: JsonObject = {"sub": caller.name, "scope": scopes or all_scopes(caller.role), **caller.claims}
        claims |= {"fhirUser": caller.fhir_user} if caller.fhir_user else {}
        claims |= {"client_id": caller.client_id} if caller.client_id else {}
        return self.running.tokens.mint(claims, lifetime)

    def statements(self) -> AbstractContextManager[list[Asked]]:
        """What is asked of the database while it is open: `with api.statements() as asked`."""
        return recorded()

    async def load(self, resources: Iterable[JsonObject]) -> None:
        """Put resources into the store as the operator's command does: ids stay, labels and relations are made."""
        await load_all(self.running.server, resources)


_KEYS: list[Path] = []
"""Where servers have their keys: those of the first one are every other's too, since each that is made waits for the disk."""
_SERVERS: dict[str, int] = {}
_STATEMENTS: dict[tuple[str, ...], Statements] = {}


@asynccontextmanager
async def serving(
    database_url: str, folder: Path, resources: Iterable[JsonObject] = (), record: Record | None = None, **environment: str
) -> AsyncGenerator[Api]:
    """A server over a migrated database that then holds these resources; `environment` are settings without their prefix, `record`
    is told what the authorization server does.
    """
    clock = Clock()
    given = {"DATABASE_URL": database_url, "DATA_DIR": str(folder), **environment}
    settings = load_settings({f"RECOVERY_{name}": value for name, value in given.items()}, folder / "no.env")
    if _KEYS and not (keys := folder / "keys").exists():
        shutil.copytree(_KEYS[0], keys)
    servers = _SERVERS[database_url] = _SERVERS.get(database_url, -1) + 1  # those over one database give no id twice
    async with running(settings, clock=clock, ids=Ids(1 + (servers << 32)), record=record) as server:
        _KEYS.append(folder / "keys")
        if not (folder / "search-parameters").exists():
            _share(server.server.store.statements, environment)
        async with listening(application(server)) as port:
            to_this = {"request": [_to_this(port)]}
            base = f"http://127.0.0.1:{port}/fhir/"
            async with httpx.AsyncClient(base_url=base, timeout=60, event_hooks=to_this, verify=NO_TLS) as http:
                api = Api(server, http, clock)
                await api.load(resources)
                yield api


@asynccontextmanager
async def listening(app: App) -> AsyncGenerator[int]:
    """The port on 127.0.0.1 where uvicorn serves the application: from its start to its end, without the tenths of a second that its
    loop sleeps before it ends.
    """
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", access_log=False, date_header=False)
    config.load()
    listener = uvicorn.Server(config)
    listener.lifespan = config.lifespan_class(config)
    await listener.startup()
    try:
        yield listener.servers[0].sockets[0].getsockname()[1]
    finally:
        for server in listener.servers:
            server.close()
        for connection in list(listener.server_state.connections):
            connection.shutdown()
        await asyncio.gather(*listener.server_state.tasks)


def _share(statements: Statements, environment: Mapping[str, str]) -> None:
    """Servers with the same settings ask their databases in the same words: each statement is built once for all of them."""
    first = _STATEMENTS.setdefault((statements.dialect, *map("=".join, sorted(environment.items()))), statements)
    statements._known, statements._steps = first._known, first._steps


def _to_this(port: int) -> Any:
    async def redirect(request: httpx.Request) -> None:
        """Links name the public address; the test's server listens on another port."""
        request.url = request.url.copy_with(port=port)

    return redirect
