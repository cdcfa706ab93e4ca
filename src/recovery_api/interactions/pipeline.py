"""The one path of a request: decide, open a reader or a writer that sees what the caller may see, interact.

Bundle entries and whatever else asks for an interaction come through here too.
"""
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from recovery_api.fhir.errors import BadRequest, Forbidden, Issue
from recovery_api.interactions.audit_events import project, speaks_of_audit
from recovery_api.interactions.audited import keep
from recovery_api.interactions.bundle import batch, entries_of
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.interactions.create import create
from recovery_api.interactions.delete import delete
from recovery_api.interactions.history import history
from recovery_api.interactions.patch import patch
from recovery_api.interactions.read import read, vread
from recovery_api.interactions.search import search
from recovery_api.interactions.submission import Submission, answered_before, keep_answer, submission
from recovery_api.interactions.transaction import transaction
from recovery_api.interactions.unit import Reading, Transaction, Writing
from recovery_api.interactions.update import update
from recovery_api.interactions.write import check_type, settle
from recovery_api.policy.decide import LETTER, allowed_types, decide
from recovery_api.policy.grant import Sight

READS: Mapping[str, Callable[[Reading], Awaitable[FhirResult]]] = MappingProxyType(
    {
        "read": read,
        "vread": vread,
        "search-type": search,
        "search-system": search,
        "history-instance": history,
        "history-type": history,
        "history-system": history,
    }
)
WRITES: Mapping[str, Callable[[Writing], Awaitable[FhirResult]]] = MappingProxyType(
    {"create": create, "update": update, "patch": patch, "delete": delete}
)


async def perform(server: Server, request: FhirRequest) -> FhirResult:
    """Do what is asked, in a transaction of its own. Raises FhirError."""
    if request.interaction == "batch":
        return await _bundle(server, request)
    if request.interaction in READS:
        sight = _sight(server, request)
        if speaks_of_audit(server, request):
            await project(server)
        async with server.store.reader(sight) as reader:
            return await READS[request.interaction](Reading(server, request, reader))
    access = decide(server.matrix, request.actor, request.type or "", LETTER[request.interaction])
    async with server.store.writer(server.grants.rows(request.actor, server.clock()), creator=request.actor.holder) as writer:
        known, sent = Transaction(), _submitted(request)
        if (again := await answered_before(writer, sent)) is not None:
            return again
        result = await WRITES[request.interaction](Writing(server, request, access, writer, known))
        await keep_answer(writer, sent, result)
        await settle(server, request.actor, writer, known)
        records = await keep(server, writer, [(request, result)])
    await server.audit.link(records)
    return result._replace(recorded=True)


def _submitted(request: FhirRequest) -> Submission | None:
    """A single order, as if it were the only entry of a Bundle."""
    if request.interaction != "create" or request.type != "ServiceRequest" or request.actor.role != "referrer":
        return None
    return submission(request.actor, [{"resource": request.content(), "request": {"method": "POST"}}])


def _sight(server: Server, request: FhirRequest) -> Sight:
    """What the caller may see for this read; versions of what granular scopes open are judged one by one."""
    now, letter = server.clock(), LETTER.get(request.interaction, "s")
    if request.type is None:
        if not allowed_types(server.matrix, request.actor, letter):
            raise Forbidden("The token has no scope for any search.")
    else:
        decide(server.matrix, request.actor, request.type, letter)
        if request.interaction in {"vread", "history-instance"} and server.grants.is_granular(request.actor, letter, request.type):
            return server.grants.rows(request.actor, now, reading=True)
    return server.grants.sight(request.actor, letter, now)


async def _bundle(server: Server, request: FhirRequest) -> FhirResult:
    said = request.content()
    check_type(said, "Bundle")
    kind = said.get("type")
    if kind not in ("batch", "transaction"):
        raise BadRequest(Issue("value", "A Bundle that is posted here is a batch or a transaction.", "Bundle.type"))
    entries = entries_of(said)
    return await (batch(server, request, entries, perform) if kind == "batch" else transaction(server, request, entries, READS, WRITES))
