"""The composition root: from settings to a server, and from a server to the ASGI application."""
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uuid_utils
from fastapi import FastAPI

from recovery_api.fhir import capability
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.json import JsonObject, dump
from recovery_api.fhir.search.expression import Expression, Value
from recovery_api.fhir.search.extract import Extractor
from recovery_api.fhir.search.match import Resources, View, match
from recovery_api.fhir.search.parameters import ParameterTable
from recovery_api.fhir.search.parse import condition
from recovery_api.fhir.search.query import SearchContext
from recovery_api.fhir.search.terminology import CompiledTerminology
from recovery_api.identity.callers import Callers
from recovery_api.identity.keys import KeyRing, Signer
from recovery_api.identity.tokens import Tokens
from recovery_api.interactions.context import Server
from recovery_api.interactions.target import pairs
from recovery_api.policy import matrix
from recovery_api.policy.grant import Grants
from recovery_api.policy.writes import RULES
from recovery_api.routers.application import Application
from recovery_api.routers.fhir import FhirEndpoint
from recovery_api.settings import Settings
from recovery_api.store.unit import Store


def now() -> int:
    """The clock: microseconds since the epoch, UTC."""
    return time.time_ns() // 1_000


def new_id() -> str:
    """A new logical id: UUIDv7 (RFC 9562, 5.7)."""
    return str(uuid_utils.uuid7())


@dataclass(frozen=True)
class Running:
    """A server that is open, and who knows its callers."""

    server: Server
    callers: Callers
    tokens: Tokens


@asynccontextmanager
async def running(settings: Settings, *, clock: Callable[[], int] = now, ids: Callable[[], str] = new_id) -> AsyncGenerator[Running]:
    """Everything put together and checked: raises where definitions, access policy and search parameters do not fit each other."""
    statement = capability.definition()
    served = capability.interactions(statement)
    policy = matrix.load(served, RULES)
    table = ParameterTable(served, clients=policy.client)
    search = SearchContext(table, CompiledTerminology(definitions()), settings.fhir_base, settings.time_zone, clock)
    extract = Extractor(table, settings.fhir_base, settings.time_zone)
    ring = KeyRing(settings.data_dir / "keys")
    tokens = Tokens(ring, settings.public_url, clock)
    store = await Store.open(settings.database_url, table, clock)

    def lower(type: str, query: str) -> Expression:
        return condition(type, pairs(query), search)

    def meets(expression: Expression, resource: JsonObject, binds: Mapping[str, Value]) -> bool:
        del binds
        return match(expression, View(resource["resourceType"], resource.get("id", ""), extract(resource)), Resources(table, ()))

    server = Server(
        store=store,
        search=search,
        extract=extract,
        matrix=policy,
        grants=Grants(policy, table, lower, meets),
        links=Signer(ring.secret("page-links")),
        clock=clock,
        new_id=ids,
        base=settings.fhir_base,
        zone=settings.time_zone,
        capability=dump(capability.capability(statement, table, settings.fhir_base)),
        interactions=served,
    )
    try:
        yield Running(server, Callers(tokens.verify, settings.fhir_base, clock), tokens)
    finally:
        await store.close()


def application(running: Running) -> Application:
    """The ASGI application: the FHIR base, and what stands beside it."""
    rest = FastAPI(title="Recovery API", openapi_url=None, docs_url=None, redoc_url=None)
    return Application(FhirEndpoint(running.server, running.callers.actor), rest)
