"""DocumentReference/$docref: the documents of a client (US Core and IPA, http://hl7.org/fhir/us/core/OperationDefinition/docref)."""
from collections.abc import Iterable, Sequence
from typing import cast

from recovery_api.domain.codes import concept
from recovery_api.domain.session_notes import CLINICAL_NOTE, SESSION_NOTE
from recovery_api.fhir.bundle import bundle, entry
from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.parameters import Given
from recovery_api.fhir.paths import objects_at
from recovery_api.fhir.search.escapes import escaped
from recovery_api.fhir.search.expression import EVERYTHING, Expression, Not, Own, Row, both, either
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.context import FhirResult, Server
from recovery_api.interactions.disclosure import disclosure, noticed_entry
from recovery_api.interactions.pages import link
from recovery_api.interactions.present import copied, present
from recovery_api.interactions.renditions import HTML, PDF
from recovery_api.interactions.shown import shown
from recovery_api.operations.frame import Operating
from recovery_api.policy.decide import decide
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import SearchQuery, SortKey

TYPE, MOST = "DocumentReference", 1_000
CARE_TIME = {TYPE: ("period", "date"), "Encounter": ("date",)}
"""By type, the parameters that hold the time of care: the first that a resource has."""


async def docref(operating: Operating) -> FhirResult:
    """A searchset of references to documents, the newest first; empty where the client is not there for the caller.

    Raises BadRequest where there are too many.
    """
    server, request, given = operating.server, operating.request, operating.given()
    demanded = given.one("on-demand") is True
    if demanded:
        decide(server.matrix, request.actor, "Encounter", "s")
    async with server.store.reader(server.grants.sight(request.actor, "s", server.clock())) as reader:
        records = await (_sessions if demanded else _stored)(server, reader, given)
        entries = [await _entry(operating, reader, record) for record in records]
        told = await shown(reader, records)
    consents, noticed = disclosure(request.actor, records)
    total = len(entries)
    if noticed:
        entries.append(noticed_entry(server, consents))
    said = [("self", link(operating, [(name, _text(value)) for name, values in given.values.items() for value in values]))]
    body = bundle("searchset", entries, total=total, links=said, id=server.new_id(), updated=instant(server.clock()))
    return FhirResult(200, body, shown=told, consents=consents, noticed=noticed)


async def _stored(server: Server, reader: Reader, given: Given) -> Sequence[Record]:
    pairs = [("status", "current"), *([("_profile", ",".join(map(str, given.all("profile"))))] if given.all("profile") else [])]
    types = [_token(each) for each in cast("Sequence[JsonObject]", given.all("type"))]
    found = await _found(server, reader, TYPE, given, [*pairs, *([("type", ",".join(types))] if types else [])])
    return found if _timed(given) else _newest(found)


async def _sessions(server: Server, reader: Reader, given: Given) -> Sequence[Record]:
    """The sessions of which a document is put together on demand."""
    wanted = cast("Sequence[JsonObject]", given.all("type"))
    if given.all("profile") or (wanted and not any((each.get("system"), each.get("code")) in _TYPES for each in wanted)):
        return []
    found = await _found(server, reader, "Encounter", given, [("status", "finished")])
    return found if _timed(given) else found[:1]


_TYPES = {(system, code) for system, code, *_ in SESSION_NOTE} | {(None, code) for _, code, *_ in SESSION_NOTE}


async def _found(server: Server, reader: Reader, type: str, given: Given, pairs: Sequence[tuple[str, str]]) -> Sequence[Record]:
    where = both(Own("client", "=", str(given.one("patient"))), condition(type, pairs, server.search), _in_time(server, type, given))
    page = await reader.search(SearchQuery((type,), where, sort=(SortKey(f"{type}.date", descending=True),), count=MOST))
    if page.next is not None:
        raise BadRequest(Issue("too-costly", f"There are more than {MOST} documents: ask for a shorter time."))
    return page.records


def _timed(given: Given) -> bool:
    return bool(given.values.keys() & {"start", "end"})


def _in_time(server: Server, type: str, given: Given) -> Expression:
    bounds = [f"{prefix}{time}" for prefix, name in (("ge", "start"), ("le", "end")) for time in given.all(name)]
    if not bounds:
        return EVERYTHING
    first, *rest = CARE_TIME[type]
    of = {name: condition(type, [(name, bound) for bound in bounds], server.search) for name in CARE_TIME[type]}
    return either(of[first], *(both(Not(Row(f"{type}.{first}")), of[name]) for name in rest))


def _newest(records: Iterable[Record]) -> Sequence[Record]:
    """The first of each type of document, by its first coding."""
    found: dict[object, Record] = {}
    for record in records:
        coding = next(iter(objects_at(load(record.body or b""), "type.coding")), JsonObject())
        found.setdefault((coding.get("system"), coding.get("code")), record)
    return list(found.values())


async def _entry(operating: Operating, reader: Reader, record: Record) -> bytes:
    server, actor = operating.server, operating.request.actor
    if record.type == TYPE:
        return entry(f"{server.base}/{record.reference}", await present(server, actor, reader, record), "match")
    made = _on_demand(server, copied(server, actor, record).seen)
    return entry(f"urn:uuid:{server.new_id()}", dump(made), "match")


def _on_demand(server: Server, session: JsonObject) -> JsonObject:
    """The reference to the document of a session, which is put together when it is fetched."""
    place = f"{server.base}/Encounter/{session['id']}/$document"
    urls = {"application/fhir+json": place, HTML: f"{place}?_format={HTML}", PDF: f"{place}?_format={PDF}"}
    participants = [each["individual"] for each in session.get("participant", ()) if "individual" in each]
    return {
        "resourceType": TYPE,
        **({"meta": {"security": session["meta"]["security"]}} if session["meta"].get("security") else {}),
        "status": "current",
        "type": concept(*SESSION_NOTE),
        "category": [concept(CLINICAL_NOTE)],
        **({"subject": session["subject"]} if "subject" in session else {}),
        "date": instant(server.clock()),
        **({"author": participants} if participants else {}),
        **({"custodian": session["serviceProvider"]} if "serviceProvider" in session else {}),
        "content": [{"attachment": {"contentType": type, "url": url}} for type, url in urls.items()],
        "context": {
            "encounter": [{"reference": f"Encounter/{session['id']}"}],
            **({"period": session["period"]} if "period" in session else {}),
        },
    }


def _token(coding: JsonObject) -> str:
    code = escaped(str(coding.get("code", "")))
    return f"{escaped(str(coding['system']))}|{code}" if "system" in coding else code


def _text(value: object) -> str:
    if isinstance(value, dict):
        return _token(cast("JsonObject", value))
    return str(value).lower() if isinstance(value, bool) else str(value)
