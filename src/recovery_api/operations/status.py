"""Subscription/$status: how Subscriptions stand (Subscriptions R5 backport)."""
from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5

from recovery_api.domain.subscriptions import CONTENTS, wanted
from recovery_api.fhir.bundle import bundle, entry
from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.notifications import About
from recovery_api.fhir.notifications import status as told
from recovery_api.fhir.search.expression import EVERYTHING
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating
from recovery_api.store import subscriptions
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import SearchQuery

PAGE = 1_000


async def status(operating: Operating) -> FhirResult:
    """A searchset of one status for each Subscription that the caller may read: of that at the address, or of those that are named.

    Raises NotFound where there is none at the address.
    """
    server, request, given = operating.server, operating.request, operating.given()
    letter = "s" if request.id is None else "r"
    async with server.store.reader(server.grants.sight(request.actor, letter, server.clock())) as reader:
        records = await _records(reader, request.id)
        ids, states = set(given.all("id")), set(given.all("status"))
        if request.id is None:
            records = [one for one in records if (not ids or one.id in ids) and (not states or load(one.body or b"")["status"] in states)]
        said = [await _said(operating, reader, record) for record in records]
    names = [uuid5(NAMESPACE_URL, f"{server.base}/{record.reference}/$status") for record in records]
    entries = [entry(f"urn:uuid:{name}", dump(one), "match") for name, one in zip(names, said, strict=True)]
    body = bundle("searchset", entries, total=len(entries), id=server.new_id(), updated=instant(server.clock()))
    return FhirResult(200, body, shown=records)


async def _records(reader: Reader, id: str | None) -> Sequence[Record]:
    if id is None:
        return [record async for page in reader.pages(SearchQuery(("Subscription",), EVERYTHING, count=PAGE)) for record in page.records]
    record = await reader.read("Subscription", id)
    if record is None or record.body is None:
        raise NotFound
    return [record]


async def _said(operating: Operating, reader: Reader, record: Record) -> JsonObject:
    said, standing = load(record.body or b""), await subscriptions.find(reader, record.id)
    topic = said["criteria"] if wanted(said).content != CONTENTS[0] else ""
    about = About(operating.server.base, record.id, said["status"], topic, standing.number if standing else 0)
    answer = told(about, "query-status")
    if "error" in said:
        answer["parameter"].append({"name": "error", "valueCodeableConcept": {"text": said["error"]}})
    return answer
