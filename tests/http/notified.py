"""Subscribers as they are outside: an endpoint on a socket of its own that keeps what it is sent, and a worker whose round a test calls."""
import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from recovery_api.fhir.json import JsonObject, parse
from recovery_api.interactions.notifying.delivering import attend
from recovery_api.interactions.notifying.matching import match_all
from recovery_api.store.subscriptions import due
from tests.api import Api

CANON = "https://recovery-api.example.org/fhir"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"


def topic(name: str) -> str:
    return f"{CANON}/SubscriptionTopic/{name}"


def wish(name: str, endpoint: str = "", *filters: str, content: str = "id-only", **channel: Any) -> JsonObject:
    """A Subscription as a subscriber sends it; without an endpoint, by websocket."""
    said: JsonObject = {"type": "rest-hook", "endpoint": endpoint} if endpoint else {"type": "websocket"}
    said |= {"payload": "application/fhir+json", "_payload": {"extension": [{"url": f"{BACKPORT}payload-content", "valueCode": content}]}}
    criteria = [{"url": f"{BACKPORT}filter-criteria", "valueString": each} for each in filters]
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "To be told in time",
        "criteria": topic(name),
        **({"_criteria": {"extension": criteria}} if criteria else {}),
        "channel": said | channel,
    }


@dataclass
class Received:
    """One request that an endpoint got."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def bundle(self) -> JsonObject:
        return parse(self.body)

    @property
    def said(self) -> dict[str, Any]:
        """The parameters of its status by name, save the events."""
        return {each["name"]: value(each) for each in status(self.bundle) if "part" not in each}

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its events, each part by name."""
        return events(self.bundle)


def status(bundle: JsonObject) -> list[JsonObject]:
    return bundle["entry"][0]["resource"]["parameter"]


def events(bundle: JsonObject) -> list[dict[str, Any]]:
    return [{part["name"]: value(part) for part in each["part"]} for each in status(bundle) if each["name"] == "notification-event"]


def value(parameter: JsonObject) -> Any:
    [found] = [found for name, found in parameter.items() if name.startswith("value")]
    return found["reference"] if isinstance(found, dict) else found


@dataclass
class Endpoint:
    """Listens on this machine; answers as `answer` says, by default with 200. What it answers 0 to, it never answers."""

    port: int = 0
    received: list[Received] = field(default_factory=list[Received])
    answer: Callable[[Received], int] = lambda _: 200

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def address(self, path: str = "hook") -> str:
        return f"{self.origin}/{path}"

    def kinds(self, path: str = "hook") -> list[str]:
        """What kinds of notifications came to a path, in order."""
        return [each.said["type"] for each in self.at(path)]

    def at(self, path: str = "hook") -> list[Received]:
        return [each for each in self.received if each.path == f"/{path}"]

    def told(self, path: str = "hook") -> list[tuple[str, str]]:
        """Number and focus of each event that came to a path."""
        return [
            (event["event-number"], event.get("focus", "").partition("/fhir/")[2]) for each in self.at(path) for event in each.events
        ]

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = [(name, said.strip()) for name, _, said in (line.partition(":") for line in head[1:] if line)]
        length = next(int(said) for name, said in headers if name.lower() == "content-length")
        got = Received(head[0].split(" ")[1], headers, await reader.readexactly(length))
        self.received.append(got)
        if code := self.answer(got):
            writer.write(f"HTTP/1.1 {code} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        else:
            await reader.read()
        writer.close()


@asynccontextmanager
async def listening() -> AsyncGenerator[Endpoint]:
    endpoint = Endpoint()
    server = await asyncio.start_server(endpoint.take, "127.0.0.1", 0)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()


async def deliver(api: Api) -> None:
    """What a worker does: match what was written, and call the endpoints that are due."""
    server = api.running.server
    await match_all(server)
    async with server.store.reader(server.grants.system) as reader:
        waiting = await due(reader, server.clock())
    await asyncio.gather(*(attend(server, id) for id in waiting))
