"""batch: each entry for itself, in the order that was sent (https://hl7.org/fhir/R4/http.html#transaction)."""
from collections.abc import Sequence
from typing import cast

from recovery_api.fhir.bundle import bundle, response_entry
from recovery_api.fhir.errors import BadRequest, FhirError, Issue, TooLarge
from recovery_api.fhir.instants import http_date, instant
from recovery_api.fhir.json import Json, JsonObject, dump
from recovery_api.fhir.outcome import outcome
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.interactions.audited import Run, asked_by, attempted, record
from recovery_api.interactions.context import FhirRequest, FhirResult, Prefer, Server
from recovery_api.interactions.target import Target, pairs, target
from recovery_api.policy.audit import Facts, refused

MOST_ENTRIES = 1_000
CONDITIONS = ("ifMatch", "ifNoneMatch", "ifModifiedSince", "ifNoneExist")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def response(server: Server, kind: str, entries: Sequence[bytes], *, noticed: bool, urgent: bool) -> FhirResult:
    """The answer to a batch or a transaction. `noticed`, `urgent`: as one of the results is."""
    body = bundle(f"{kind}-response", entries, id=server.new_id(), updated=instant(server.clock()))
    return FhirResult(200, body, interaction=kind, noticed=noticed, urgent=urgent)


async def batch(server: Server, request: FhirRequest, entries: Sequence[JsonObject], perform: Run) -> FhirResult:
    """The response to a batch: one that fails says why, and the others go on. Raises ServiceUnavailable without its records."""
    answers: list[bytes] = []
    happened: list[Facts] = []
    noticed = urgent = False
    for index, entry in enumerate(entries):
        try:
            result, facts = await attempted(server, entry_request(server, request, entry, index), perform)
        except FhirError as error:
            result, facts = error, [refused(request.actor, asked_by(request), error.status)]
        happened += facts
        if isinstance(result, FhirError):
            answers.append(response_entry(result.status, dump(outcome(result.issues))))
        else:
            answers.append(answered(server, result, request.prefer))
            noticed, urgent = noticed or result.noticed, urgent or result.urgent
    await record(server, happened)
    return response(server, "batch", answers, noticed=noticed, urgent=urgent)


def entries_of(bundle: JsonObject) -> list[JsonObject]:
    """The entries of a batch or transaction. Raises BadRequest for one without a request, TooLarge for too many."""
    said: Json = bundle.get("entry", [])
    if not isinstance(said, list) or not all(isinstance(entry, dict) for entry in cast("list[Json]", said)):
        raise BadRequest(Issue("structure", "Bundle.entry must be an array of objects.", "Bundle.entry"))
    entries = cast("list[JsonObject]", said)
    if len(entries) > MOST_ENTRIES:
        raise TooLarge(f"A Bundle may have {MOST_ENTRIES} entries at most.")
    for index, entry in enumerate(entries):
        asked: Json = entry.get("request")
        if not _is_request(asked):
            raise BadRequest(
                Issue("required", "Each entry needs a request with a method and a url.", f"Bundle.entry[{index}].request")
            )
        for name in CONDITIONS:
            if not isinstance(entry["request"].get(name, ""), str):
                raise BadRequest(Issue("structure", f"{name} must be a text.", f"Bundle.entry[{index}].request.{name}"))
    return entries


def _is_request(asked: Json) -> bool:
    if not isinstance(asked, dict):
        return False
    said = cast("JsonObject", asked)
    return said.get("method") in METHODS and isinstance(said.get("url"), str)


def entry_target(server: Server, entry: JsonObject) -> tuple[Target, tuple[tuple[str, str], ...]]:
    """What an entry's request asks for, and its parameters."""
    asked = entry["request"]
    url: str = asked["url"].removeprefix(f"{server.base}/")
    path, _, query = url.partition("?")
    found = target(asked["method"], path, server.interactions)
    if found.interaction in {"batch", "operation", "capabilities"}:
        raise BadRequest("This interaction can't stand in a Bundle.")
    return found, tuple(pairs(query))


def entry_request(server: Server, request: FhirRequest, entry: JsonObject, index: int) -> FhirRequest:
    """The request that an entry makes, by the caller of the whole Bundle."""
    asked = entry["request"]
    found, query = entry_target(server, entry)
    body: Json = entry.get("resource")
    if found.interaction in {"create", "update", "patch"} and not isinstance(body, dict):
        raise BadRequest(Issue("required", "This entry needs a resource.", f"Bundle.entry[{index}].resource"))
    return FhirRequest(
        interaction=found.interaction,
        actor=request.actor,
        type=found.type,
        id=found.id,
        version=found.version,
        compartment=found.compartment,
        query=query,
        body=cast("JsonObject", body) if isinstance(body, dict) else b"",
        if_match=asked.get("ifMatch"),
        if_none_match=asked.get("ifNoneMatch"),
        if_modified_since=_since(server, asked.get("ifModifiedSince"), index),
        if_none_exist=asked.get("ifNoneExist"),
        prefer=Prefer(handling=request.prefer.handling),
        address=request.address,
    )


def _since(server: Server, moment: str | None, index: int) -> str | None:
    """An entry's ifModifiedSince, which is an instant, as the header has it: to the second."""
    if moment is None:
        return None
    try:
        return http_date(implicit_range(moment, server.zone).low)
    except ValueError:
        raise BadRequest(Issue("value", "ifModifiedSince must be an instant.", f"Bundle.entry[{index}].request.ifModifiedSince")) from None


def answered(server: Server, result: FhirResult, prefer: Prefer) -> bytes:
    """A response entry: what was read, or of what was written as much as the caller prefers."""
    written = result.outcome is not None
    body = result.body if not written or prefer.returns == "representation" else None
    said = dump(result.outcome) if written and (prefer.returns == "OperationOutcome" or result.urgent) else None
    return response_entry(
        result.status,
        said,
        body,
        location=f"{server.base}/{result.location}" if result.location else None,
        etag=f'W/"{result.version}"' if result.version is not None else None,
        modified=instant(result.last_updated) if result.last_updated is not None else None,
    )
