"""transaction: all or nothing, in FHIR's order of processing (https://hl7.org/fhir/R4/http.html#trules).

First every entry learns where its resource is or will be, then links between entries are rewritten, then the entries run.
"""
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from recovery_api.fhir.errors import BadRequest, FhirError, Issue
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.audited import keep
from recovery_api.interactions.bundle import answered, entry_request, response
from recovery_api.interactions.conditional import claimed_matches, one_match
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.interactions.links import relink
from recovery_api.interactions.submission import answered_before, keep_answer, submission
from recovery_api.interactions.unit import Reading, Transaction, Writing
from recovery_api.interactions.write import found_already, settle, store_waiting
from recovery_api.policy.decide import LETTER, decide
from recovery_api.store.records import Record
from recovery_api.store.writer import Writer

Read: TypeAlias = Callable[[Reading], Awaitable[FhirResult]]
Write: TypeAlias = Callable[[Writing], Awaitable[FhirResult]]

ORDER: Mapping[str, int] = {"delete": 0, "create": 1, "update": 2, "patch": 2}
READ_LAST = 3


@dataclass(slots=True)
class Step:
    """An entry on its way. `request` has the id that its resource has or will have, once its criteria are resolved."""

    index: int
    full_url: str
    request: FhirRequest
    found: Record | None = None
    """What a conditional create need not make."""

    @property
    def reference(self) -> str | None:
        """Where its resource is or will be; None for what names no single resource."""
        return f"{self.request.type}/{self.request.id}" if self.request.type and self.request.id else None


async def transaction(
    server: Server, request: FhirRequest, entries: Sequence[JsonObject], reads: Mapping[str, Read], writes: Mapping[str, Write]
) -> FhirResult:
    """The response, its entries in the order of the request. Raises the FhirError of the first entry that fails, at its place."""
    steps = [_step(server, request, index, entry) for index, entry in enumerate(entries)]
    _check_identities(steps)
    sent = submission(request.actor, entries)
    results: dict[int, FhirResult] = {}
    async with server.store.writer(server.grants.rows(request.actor, server.clock()), creator=request.actor.holder) as writer:
        if (again := await answered_before(writer, sent)) is not None:
            return again
        known = Transaction(waiting=[])
        for step in steps:
            with _at(step.index):
                await _resolve(server, step, writer, known)
        _check_identities(steps)
        known.planned.update((step.request.type or "", step.request.id or "") for step in steps if _creates(step))
        targets = {step.full_url: step.reference for step in steps if step.full_url and step.reference}
        for step in steps:
            if isinstance(step.request.body, dict):
                with _at(step.index):
                    await relink(_writing(server, step.request, writer, known), step.request.body, targets)
        for step in sorted(steps, key=_turn):
            if step.request.interaction != "create":
                await store_waiting(server, request.actor, writer, known)
            with _at(step.index):
                results[step.index] = await _perform(server, step, writer, known, reads, writes)
        await store_waiting(server, request.actor, writer, known)
        await settle(server, request.actor, writer, known)
        records = await keep(server, writer, [(step.request, results[step.index]) for step in steps])
        told = [_answer(server, request, step, results[step.index], known) for step in steps]
        noticed, urgent = (any(getattr(each, name) for each in results.values()) for name in ("noticed", "urgent"))
        result = response(server, "transaction", told, noticed=noticed, urgent=urgent)
        await keep_answer(writer, sent, result)
    await server.audit.link(records)
    return result


def _answer(server: Server, request: FhirRequest, step: Step, result: FhirResult, known: Transaction) -> bytes:
    stored = known.bodies.get((step.request.type or "", step.request.id or "")) if result.body == b"" else None
    return answered(server, result if stored is None else result._replace(body=stored), request.prefer)


def _step(server: Server, request: FhirRequest, index: int, entry: JsonObject) -> Step:
    with _at(index):
        asked = entry_request(server, request, entry, index)
        if asked.interaction in ORDER:
            decide(server.matrix, asked.actor, asked.type or "", LETTER[asked.interaction])
        url = entry.get("fullUrl", "")
        if not isinstance(url, str) or (asked.id and not url.startswith("urn:") and url and not url.endswith(f"/{asked.type}/{asked.id}")):
            raise BadRequest(Issue("invalid", "The fullUrl names another resource than the request.", "fullUrl"))
        if asked.interaction == "create" and asked.if_none_exist is None:
            asked = replace(asked, id=server.new_id())
        return Step(index, url, asked)


async def _resolve(server: Server, step: Step, writer: Writer, known: Transaction) -> None:
    """Find what a conditional entry means."""
    request = step.request
    if request.interaction not in ORDER or request.id is not None:
        return
    writing = _writing(server, request, writer, known)
    if request.interaction == "create":
        step.found = await claimed_matches(writing)
        step.request = replace(request, id=step.found.id if step.found else server.new_id())
        return
    current = await one_match(writing, request.type or "", request.query)
    if current is not None:
        body = {"id": current.id, **request.body} if isinstance(request.body, dict) and request.interaction == "update" else request.body
        step.request = replace(request, id=current.id, query=(), body=body)


def _turn(step: Step) -> tuple[int, bool]:
    """When it is an entry's turn: a Task after what it is about."""
    return ORDER.get(step.request.interaction, READ_LAST), step.request.type == "Task"


def _creates(step: Step) -> bool:
    return step.request.interaction == "create" and step.found is None


def _check_identities(steps: Sequence[Step]) -> None:
    """Raise BadRequest where two entries are about one resource, or share a fullUrl."""
    references: dict[str, int] = {}
    urls: dict[str, int] = {}
    for step in steps:
        for seen, key in ((references, step.reference if step.request.interaction in ORDER else None), (urls, step.full_url or None)):
            if key is not None and (first := seen.setdefault(key, step.index)) != step.index:
                raise BadRequest(
                    Issue("invalid", f"This entry is about the same resource as entry {first}.", f"Bundle.entry[{step.index}]")
                )


async def _perform(
    server: Server, step: Step, writer: Writer, known: Transaction, reads: Mapping[str, Read], writes: Mapping[str, Write]
) -> FhirResult:
    request = step.request
    if step.found is not None:
        return found_already(_writing(server, request, writer, known), step.found)
    if request.interaction in writes:
        return await writes[request.interaction](_writing(server, request, writer, known))
    letter = LETTER.get(request.interaction, "s")
    if request.type:
        decide(server.matrix, request.actor, request.type, letter)
    sight = server.grants.sight(request.actor, letter, server.clock())
    return await reads[request.interaction](Reading(server, request, writer.seeing(sight)))


def _writing(server: Server, request: FhirRequest, writer: Writer, known: Transaction) -> Writing:
    letter = LETTER[request.interaction] if request.interaction in ORDER else "r"
    return Writing(server, request, decide(server.matrix, request.actor, request.type or "", letter), writer, known)


@contextmanager
def _at(index: int) -> Generator[None]:
    """Say of every problem at which entry it is."""
    try:
        yield
    except FhirError as error:
        place = f"Bundle.entry[{index}]"
        issues = tuple(
            issue
            if issue.expression and issue.expression.startswith("Bundle.")
            else issue._replace(expression=place if not issue.expression else f"{place}.{_below(issue.expression)}")
            for issue in error.issues
        )
        raise type(error)(*issues) from error


def _below(expression: str) -> str:
    return expression if expression == "fullUrl" else f"resource.{expression.partition('.')[2]}".rstrip(".")
