"""Patient/{id}/$disclosure-accounting: to whom something of a client's record was given, when, for what (42 CFR 2.25, 45 CFR 164.528).

With `internal`, also who saw or wrote something of it inside the agency.
"""
from collections.abc import Sequence

from recovery_api.fhir.bundle import bundle, entry
from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import dump, load
from recovery_api.fhir.search.expression import Own, both
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.audit_events import TYPE, project
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating
from recovery_api.operations.paging import Asked, asked, links
from recovery_api.policy.accounting import ACCESSED, ACCOUNTED, Accounting, named
from recovery_api.policy.relations import RULES
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import Page, SearchQuery, SortKey


async def disclosure_accounting(operating: Operating) -> FhirResult:
    """A searchset of AuditEvents, cut to what is the client's, newest first.

    For the client, their verified representative, and the privacy officer; NotFound for everybody else who may ask, and where there is no
    such Patient.
    """
    server = operating.server
    if not await _is_theirs(operating):
        raise NotFound
    wanted = asked(operating)
    query = _query(operating, wanted)
    await project(server)
    async with server.store.reader(server.grants.system) as reader:
        page = await reader.search(query) if wanted.count else Page((), total=await reader.count(query))
        entries = await _entries(operating, reader, page.records)
    there = links(operating, wanted, page)
    body = bundle("searchset", entries, total=page.total, links=there, id=server.new_id(), updated=instant(server.clock()))
    return FhirResult(200, body, pairs=wanted.said)


async def _is_theirs(operating: Operating) -> bool:
    """Whether there is such a Patient, and the caller may have its accounting. To a privacy officer, who reads none, each is open."""
    server, request, id = operating.server, operating.request, operating.request.id or ""
    if request.actor.role == "auditor":
        async with server.store.reader(server.grants.system) as reader:
            return await reader.read("Patient", id) is not None
    async with server.store.reader(server.grants.sight(request.actor, "r", server.clock())) as reader:
        own = SearchQuery(("Patient",), both(Own("id", "=", id), RULES["own-record"].opens), count=1)
        return bool((await reader.search(own)).records)


def _query(operating: Operating, wanted: Asked) -> SearchQuery:
    bounds = [("date", f"{prefix}{text}") for prefix, name in (("ge", "start"), ("le", "end")) for text in wanted.given.all(name)]
    inside = wanted.given.one("internal") is True
    kinds = [("type", ACCESSED), ("outcome", "0")] if inside else [("type", ACCOUNTED)]
    where = condition(TYPE, [("patient", f"Patient/{operating.request.id}"), *kinds, *bounds], operating.server.search)
    return SearchQuery((TYPE,), where, (SortKey(f"{TYPE}.date", descending=True),), wanted.count, wanted.cursor)


async def _entries(operating: Operating, reader: Reader, records: Sequence[Record]) -> list[bytes]:
    server, request = operating.server, operating.request
    events = [load(record.body or b"") for record in records]
    of_client = server.grants.of_client(request.id or "")
    theirs = readable = await reader.seeing(of_client).references_visible(list({each for event in events for each in named(event)}))
    if request.actor.role != "auditor":
        sight = server.grants.sight(request.actor, "r", server.clock())
        readable = await reader.seeing(sight).references_visible(list(theirs))
    accounting = Accounting(request.id or "", of_client.rules, theirs, readable)
    return [entry(f"{server.base}/{TYPE}/{event['id']}", dump(accounting.of(event)), "match") for event in events]
