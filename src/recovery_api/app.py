"""The composition root: from settings to a server, and from a server to the ASGI application."""
import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import NamedTuple

import uuid_utils
from fastapi import FastAPI

from recovery_api.domain.minors import Ages
from recovery_api.fhir import capability
from recovery_api.fhir.errors import FhirError
from recovery_api.fhir.json import JsonObject, dump
from recovery_api.fhir.openapi.document import described
from recovery_api.fhir.search.expression import Expression, Value
from recovery_api.fhir.search.extract import Extractor
from recovery_api.fhir.search.match import Resources, View, match
from recovery_api.fhir.search.parameters import ParameterTable, custom, shipped
from recovery_api.fhir.search.parse import condition
from recovery_api.fhir.search.query import SearchContext
from recovery_api.fhir.terminology import carried
from recovery_api.identity.accounts import Account
from recovery_api.identity.actor import ROLES, Actor
from recovery_api.identity.authorization_server import AuthorizationServer, authorization_server
from recovery_api.identity.callers import Callers
from recovery_api.identity.claims import Claims
from recovery_api.identity.discovery import oauth_uris
from recovery_api.identity.endpoints import Endpoints
from recovery_api.identity.events import Event, Record
from recovery_api.identity.issuers import Issuers
from recovery_api.identity.keys import KeyRing, Sealer
from recovery_api.identity.remembered import Remembered
from recovery_api.identity.scopes import ROLE_PREFIX, role_scopes
from recovery_api.identity.tokens import Tokens
from recovery_api.interactions import audited
from recovery_api.interactions.context import Jobs, Server
from recovery_api.interactions.escalating import Escalating
from recovery_api.interactions.target import pairs
from recovery_api.policy import audit_identity, matrix
from recovery_api.policy.audiences import audiences
from recovery_api.policy.facets import facets
from recovery_api.policy.grant import Grants
from recovery_api.policy.notice import Notice, wording
from recovery_api.policy.writes import RULES
from recovery_api.routers.account import account
from recovery_api.routers.application import Application
from recovery_api.routers.asgi import App, Receive, Scope, Send
from recovery_api.routers.documentation import documentation
from recovery_api.routers.fhir import FhirEndpoint
from recovery_api.routers.health import health
from recovery_api.routers.https import Https
from recovery_api.routers.oauth import oauth
from recovery_api.routers.observed import Observed
from recovery_api.routers.patients import Patients
from recovery_api.routers.sign_in import sign_in
from recovery_api.routers.smart import discovery
from recovery_api.routers.websocket import SubscriptionSocket
from recovery_api.settings import Settings, load
from recovery_api.store import readiness
from recovery_api.store.audit import AuditLog
from recovery_api.store.file_store import file_store
from recovery_api.store.labelling import Labeller
from recovery_api.store.staff import organization_of
from recovery_api.store.unit import Store
from recovery_api.telemetry import AccessLog, Metrics, start_logging
from recovery_api.workers.work import keep_anchored, work


def now() -> int:
    """The clock: microseconds since the epoch, UTC."""
    return time.time_ns() // 1_000


def new_id() -> str:
    """A new logical id: UUIDv7 (RFC 9562, 5.7)."""
    return str(uuid_utils.uuid7())


def all_scopes(policy: matrix.Matrix, role: str) -> str:
    """All the scopes that a role may be granted, its role scope first, as a token carries them."""
    return role_scopes(role, ROLES[role].contexts[0], policy.granted(role))


@dataclass(frozen=True)
class Running:
    """A server that is open, and who knows its callers."""

    server: Server
    callers: Callers
    tokens: Tokens
    keys: KeyRing
    authorization: AuthorizationServer
    metrics: Metrics = field(default_factory=Metrics)

    async def caller(self, account: Account) -> Actor:
        """The caller that somebody is who signed in here, to choose a patient."""
        now, scope = self.server.clock(), f"{ROLE_PREFIX}{account.role} user/Patient.rs user/Encounter.r"
        claims = Claims(self.authorization.issuer, account.fhir_user, self.server.new_id(), now, now, scope, account.fhir_user)
        return await self.callers.of(claims._replace(organization=account.organization, patient=account.patient))

    async def checks(self) -> Mapping[str, str]:
        """What each part of the server says of itself: "ok", a number, or what is wrong in a word."""
        said = {"database": "unreachable", "migrations": "unknown", "keys": "ok" if self.keys.signing() else "missing"}
        try:
            revision = await readiness.revision(self.server.store)
            said |= {"database": "ok", "migrations": "ok" if revision == readiness.REVISION else "not at head"}
            return said | {"backlog": str(await readiness.backlog(self.server.store))}
        except FhirError:
            return said


class _Package(NamedTuple):
    """What the package's own definitions say, whatever the settings."""

    statement: JsonObject
    operations: Sequence[JsonObject]
    served: Mapping[str, frozenset[str]]
    policy: matrix.Matrix
    standard: ParameterTable

    def table(self, more: Sequence[JsonObject]) -> ParameterTable:
        """The search parameters, with an operator's own."""
        return ParameterTable(self.served, custom=[*shipped(), *more], clients=self.policy.client) if more else self.standard


@cache
def _package() -> _Package:
    """Read and checked once for a process. Raises where definitions, access policy and search parameters do not fit each other."""
    statement = capability.definition()
    served = capability.interactions(statement)
    policy = matrix.load(served, RULES)
    standard = ParameterTable(served, custom=shipped(), clients=policy.client)
    return _Package(statement, capability.operations(), served, policy, standard)


@asynccontextmanager
async def running(
    settings: Settings, *, clock: Callable[[], int] = now, ids: Callable[[], str] = new_id, record: Record | None = None
) -> AsyncGenerator[Running]:
    """Everything put together and checked; `record` keeps what the authorization server does, before it is answered: without one,
    the audit does.

    Raises where definitions, access policy and search parameters do not fit each other, NotMigrated where the database is not
    ready, ServiceUnavailable where it can't be reached.
    """
    package = _package()
    statement, served, policy = package.statement, package.served, package.policy
    table = package.table(custom(settings.data_dir / "search-parameters"))
    search = SearchContext(table, carried(), settings.fhir_base, settings.time_zone, clock)
    extract = Extractor(table, settings.fhir_base, settings.time_zone)
    ring = KeyRing(settings.data_dir / "keys")
    endpoints = Endpoints(settings.allowed_private_endpoints)
    trusted = Issuers(settings.trusted_issuers, endpoints, clock, lambda role: all_scopes(policy, role))
    tokens = Tokens(ring, settings.public_url, clock, trusted)
    readiness.check_file(settings.database_url)
    store = await Store.open(settings.database_url, table, clock)

    def lower(type: str, query: str) -> Expression:
        return condition(type, pairs(query), search)

    def meets(expression: Expression, resource: JsonObject, binds: Mapping[str, Value]) -> bool:
        del binds
        view = View(resource["resourceType"], resource.get("id", ""), extract(resource))
        return match(expression, view, Resources(table, (), shows_all=True))

    audit = AuditLog(store, ring.secret("audit-anchors"), ids, clock)
    told = capability.capability(statement, table, settings.fhir_base, package.operations, oauth_uris(settings.public_url))
    grants = Grants(policy, table, lower, meets, settings.companion_grace_days)
    server = Server(
        store=store,
        audit=audit,
        search=search,
        extract=extract,
        matrix=policy,
        grants=grants,
        labeller=Labeller(partial(facets, matrix=policy, zone=settings.time_zone), (*policy.client, "Patient")),
        links=Sealer(ring.secret("page-links")),
        bindings=Sealer(ring.secret("websocket-bindings")),
        clock=clock,
        new_id=ids,
        base=settings.fhir_base,
        zone=settings.time_zone,
        notice=Notice(settings.notice_file or wording()),
        goals_per_week=settings.goals_per_week,
        emergency_access_ttl=settings.emergency_access_ttl,
        escalating=Escalating(settings.on_call or "", settings.holidays, grants.system),
        note_review_hours=settings.note_review_hours,
        supervision_cadence_days=settings.supervision_cadence_days,
        consent_expiry_days=settings.consent_expiry_days,
        ages=Ages(settings.age_of_majority, settings.minor_consent_age),
        endpoints=endpoints,
        remembered=Remembered(store.ledger, clock),
        published={"metadata": dump(told), **{f"OperationDefinition/{one['id']}": dump(one) for one in package.operations}},
        interactions=served,
        jobs=Jobs(
            files=file_store(settings.export_store),
            kept=settings.export_ttl,
            at_once=settings.exports_at_once,
            endpoints=endpoints,
            folder=settings.import_folder,
            spool=settings.data_dir / "imports",
        ),
    )

    async def recorded(event: Event) -> None:
        await audited.record(server, [audit_identity.told(event)])

    authorization = authorization_server(
        store.ledger,
        ring,
        tokens,
        endpoints,
        clock,
        policy.granted,
        issuer=settings.public_url,
        base=settings.fhir_base,
        token_ttl=settings.token_ttl,
        require_second_factor=settings.require_totp,
        record=record or recorded,
    )

    async def employer(practitioner: str) -> str | None:
        return await organization_of(store, practitioner, clock())

    try:
        await readiness.check_revision(store)
        callers = Callers(tokens.verify, settings.fhir_base, clock, employer, authorization.revocations.include)
        yield Running(server, callers, tokens, ring, authorization)
    finally:
        await audit.close()
        await store.close()


@asynccontextmanager
async def background(running: Running, settings: Settings) -> AsyncGenerator[None]:
    """While it is open, the audit chain is anchored each minute, and background work is done where it is to be done in this process."""
    tasks = [asyncio.create_task(keep_anchored(running.server))]
    if settings.embedded_worker:
        tasks.append(asyncio.create_task(work(running.server)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def application(running: Running, log: AccessLog | None = None) -> App:
    """The ASGI application: the FHIR base, and what stands beside it; with a log, each request is a line in it."""
    rest = FastAPI(title="Recovery API", openapi_url=None, docs_url=None, redoc_url=None)
    rest.include_router(health(running.checks, running.metrics))
    server, authorization = running.server, running.authorization
    known = audiences(server.matrix, server.interactions)
    rest.include_router(documentation(lambda name: dump(described(server.base, server.search.table, known.get(name))), known))
    patients = Patients(server, running.caller)
    for router in (discovery(authorization.issuer), oauth(authorization), sign_in(authorization, patients)):
        rest.include_router(router)
    rest.include_router(account(authorization, patients, server.base))
    whole = Application(FhirEndpoint(server, running.callers.actor), rest, SubscriptionSocket(server))
    return Observed(Https(whole) if authorization.issuer.startswith("https:") else whole, running.metrics, log)


class Worker:
    """The ASGI application of one of several processes: opened and closed by ASGI's lifespan, in the process's own event loop."""

    def __init__(self) -> None:
        """Settings come from the environment."""
        start_logging()
        self._settings = load(os.environ)
        self._app: App | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        if self._app is not None and scope["type"] != "lifespan":
            return await self._app(scope, receive, send)
        await receive()
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(running(self._settings))
            await stack.enter_async_context(background(server, self._settings))
            self._app = application(server, AccessLog())
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return None
