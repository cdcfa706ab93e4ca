"""search over a type, a compartment or the system (https://hl7.org/fhir/R4/http.html#search).

A searchset is put together from stored bytes. The `self` link says what was done, the `next` link holds all that it needs.
"""
from typing import Any, NamedTuple

from recovery_api.fhir.bundle import bundle, entry, outcome_entry
from recovery_api.fhir.compartment import compartment_expression
from recovery_api.fhir.errors import Issue
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import dump, load
from recovery_api.fhir.outcome import outcome
from recovery_api.fhir.search.expression import Expression, Own, both, either
from recovery_api.fhir.search.parse import parse
from recovery_api.fhir.search.query import Pair, Query
from recovery_api.fhir.summary import summarized, with_elements
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.disclosure import disclosure, noticed_entry
from recovery_api.interactions.pages import COUNT, followed, link, next_link, sized
from recovery_api.interactions.present import looks_as_stored, present
from recovery_api.interactions.shown import shown
from recovery_api.interactions.unit import Reading
from recovery_api.policy.decide import allowed_types, decide
from recovery_api.store.records import Record
from recovery_api.store.search import Cursor, Include, Page, SearchQuery, SortKey


class Asked(NamedTuple):
    """A search as a page link carries it on."""

    pairs: tuple[Pair, ...]
    lenient: bool
    cursor: Cursor | None = None


async def search(reading: Reading) -> FhirResult:
    """A searchset of what matches and the caller may see."""
    server = reading.server
    asked = _asked(reading)
    query = _query(reading, asked)
    where = _within(reading, query)
    wanted = SearchQuery(
        types=query.types,
        where=where,
        sort=tuple(SortKey(key.parameter.name, key.descending) for key in query.sort),
        count=query.count,
        cursor=asked.cursor,
        want_total=query.total in {"accurate", "estimate"},
        includes=tuple(Include(*one) for one in query.includes),
        behind_horizon=any(name.startswith("_lastUpdated") for name, _ in query.applied)
        or any(key.parameter.code == "_lastUpdated" for key in query.sort),
    )
    counts = query.summary == "count"
    if counts:
        page = Page((), total=await reading.reader.count(wanted))
    else:
        page = await reading.reader.search(wanted)
    links = [("self", link(reading, query.applied))]
    if page.next is not None:
        links.append(("next", next_link(reading, [list(asked.pairs), asked.lenient, list(page.next)])))
    shaped, base = bool(query.elements) or query.summary != "false", server.base
    entries = [
        await _entry(reading, query, record, mode)
        if shaped or not looks_as_stored(server, reading.request.actor, record)
        else entry(f"{base}/{record.type}/{record.id}", record.body or b"", mode)
        for mode, records in (("match", page.records), ("include", page.included))
        for record in records
    ]
    if query.ignored:
        entries.append(outcome_entry(_ignored(query)))
    given = [*page.records, *page.included]
    consents, noticed = disclosure(reading.request.actor, given)
    if noticed:
        entries.append(noticed_entry(server, consents))
    total = page.total if counts or query.total != "none" else None
    body = bundle("searchset", entries, total=total, links=links, id=server.new_id(), updated=instant(server.clock()))
    told = await shown(reading.reader, given)
    return FhirResult(200, body, shown=told, consents=consents, pairs=asked.pairs, noticed=noticed)


def _asked(reading: Reading) -> Asked:
    page = followed(reading, COUNT)
    if page is None:
        return Asked(reading.request.query, reading.request.prefer.handling == "lenient")
    pairs, lenient, cursor = page
    snapshot, sorted_by, id, type = cursor
    return Asked(tuple(sized(reading, pairs)), lenient, Cursor(snapshot, tuple(sorted_by), id, type))


def _query(reading: Reading, asked: Asked) -> Query:
    request, server = reading.request, reading.server
    if request.type is not None:
        return parse(request.type, asked.pairs, server.search, lenient=asked.lenient)
    named = [value for name, value in asked.pairs if name == "_type"]
    if named:
        query = parse(None, asked.pairs, server.search, lenient=asked.lenient)
        for type in query.types:
            decide(server.matrix, request.actor, type, "s")
        return query
    types = allowed_types(server.matrix, request.actor, "s")
    return parse(None, (("_type", ",".join(types)), *asked.pairs), server.search, lenient=asked.lenient)


def _within(reading: Reading, query: Query) -> Expression:
    if reading.request.compartment is None:
        return query.where
    kind, id = reading.request.compartment
    table = reading.server.search.table
    members = either(*(both(Own("type", "=", type), compartment_expression(kind, id, type, table)) for type in query.types))
    return both(query.where, members)


async def _entry(reading: Reading, query: Query, record: Record, mode: str) -> bytes:
    body = await present(reading.server, reading.request.actor, reading.reader, record)
    if query.elements and mode == "match":
        body = dump(with_elements(load(body), query.elements))
    elif query.summary != "false":
        body = dump(summarized(load(body), query.summary))
    return entry(f"{reading.server.base}/{record.type}/{record.id}", body, mode)


def _ignored(query: Query) -> bytes:
    said: list[Any] = [
        Issue("not-supported", f"The parameter '{name}' is unknown here and was ignored.", severity="warning") for name, _ in query.ignored
    ]
    return dump(outcome(said))
