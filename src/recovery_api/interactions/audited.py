"""Around an interaction: its audit record, on the disk before the answer leaves.

What reads, and what is refused, is recorded here, at the doors (HTTP, an entry of a batch). A write keeps its record in its own
transaction, and is only linked here.
"""
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

from recovery_api.fhir.errors import FhirError
from recovery_api.identity.actor import Actor
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.interactions.pages import PARAMETER
from recovery_api.policy.audit import READING, SEARCHES, Asked, Facts, answered, consent_decided, encoded, query_text, refused
from recovery_api.store.audit_chain import Record
from recovery_api.store.writer import Writer
from recovery_api.telemetry import request_id

Run: TypeAlias = Callable[[Server, FhirRequest], Awaitable[FhirResult]]

log = logging.getLogger(__name__)


async def audited(server: Server, request: FhirRequest, run: Run) -> FhirResult:
    """The result of the interaction, when its record is written. Raises its FhirError likewise, or ServiceUnavailable without a record."""
    server.audit.expect()
    try:
        result, facts = await attempted(server, request, run)
        if facts:
            await record(server, facts)
    finally:
        server.audit.passed()
    if isinstance(result, FhirError):
        raise result
    return result


async def attempted(server: Server, request: FhirRequest, run: Run) -> tuple[FhirResult | FhirError, list[Facts]]:
    """What came of the interaction, and the facts that must be recorded before anybody hears of it."""
    try:
        result = await run(server, request)
    except FhirError as error:
        return error, [refused(request.actor, asked_by(request), error.status)]
    except Exception:
        log.exception("unexpected failure")
        return FhirError(), [refused(request.actor, asked_by(request), FhirError.status)]
    return result, [] if result.recorded else facts_of(request, result)


async def record(server: Server, facts: Iterable[Facts]) -> None:
    """Write what happened. Raises ServiceUnavailable where it can't be written: then nothing of it may be told."""
    await server.audit.append([encoded(each) for each in facts])


async def record_refusal(server: Server, actor: Actor | None, said: Asked, status: int) -> None:
    """Write that a request was refused before it could be understood."""
    await record(server, [refused(actor, said._replace(request=request_id.get()), status)])


async def keep(server: Server, writer: Writer, done: Sequence[tuple[FhirRequest, FhirResult]]) -> list[Record]:
    """Write what was done in the transaction that does it; `server.audit.link` takes the records when it is committed."""
    return await server.audit.keep(writer, [encoded(each) for request, result in done for each in facts_of(request, result)])


def facts_of(request: FhirRequest, result: FhirResult) -> list[Facts]:
    """The facts of what was done, and of what was decided by it."""
    said = asked_by(request, result.pairs)
    if result.interaction:
        said = said._replace(interaction=result.interaction)
    done = answered(request.actor, said, result.status, result.shown, result.consents)
    return [done, consent_decided(request.actor, said, result.decision)] if result.decision else [done]


def asked_by(request: FhirRequest, pairs: Sequence[tuple[str, str]] | None = None) -> Asked:
    """What a request asks for, in the words of an audit record; `pairs` are what a page link stands for."""
    interaction = request.interaction
    if pairs is None:
        pairs = [(name, "" if name == PARAMETER else value) for name, value in request.query]
    query = ""
    if pairs or interaction in SEARCHES:
        end = "_history" if interaction in READING else ""
        query = query_text("/".join(part for part in (*(request.compartment or ()), request.type, request.id, end) if part), pairs)
    elif request.if_none_exist:
        query = f"{request.type}?{request.if_none_exist.removeprefix(f'{request.type}?').removeprefix('?')}"
    of_job = interaction.startswith("job-")
    return Asked(
        interaction="operation" if of_job else interaction,
        type=request.type or "",
        id=request.id or "",
        operation=interaction if of_job else request.operation or "",
        query=query,
        request=request_id.get(),
        address=request.address,
    )
