"""Bundles that an operation puts together from what the caller may read, and from what it makes of that."""
from collections.abc import Sequence

from recovery_api.fhir.bundle import bundle, collection_entry
from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump
from recovery_api.fhir.labels import codings
from recovery_api.fhir.search.expression import Expression, Own, both
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.disclosure import disclosure
from recovery_api.interactions.present import present
from recovery_api.interactions.shown import shown
from recovery_api.operations.frame import Operating
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import SearchQuery

PAGE, MOST = 1_000, 10_000


def dated(operating: Operating, parameter: str) -> list[tuple[str, str]]:
    """What `start` and `end` ask of a date parameter, as search parameters."""
    given = operating.given()
    return [(parameter, f"{prefix}{day}") for prefix, name in (("ge", "start"), ("le", "end")) for day in given.all(name)]


async def all_of(operating: Operating, reader: Reader, type: str, *pairs: tuple[str, str]) -> list[Record]:
    """All of a type that is the client's at the address, and that the caller may read. Raises BadRequest for more than MOST."""
    of_client: Expression = Own("client", "=", operating.request.id or "")
    query = SearchQuery((type,), both(of_client, condition(type, pairs, operating.server.search)), count=PAGE)
    found: list[Record] = []
    async for page in reader.pages(query):
        found += page.records
        if page.next is not None and len(found) >= MOST:
            raise BadRequest(Issue("too-costly", f"This is about more than {MOST} resources: ask for a shorter time."))
    return found


async def collection(operating: Operating, reader: Reader, records: Sequence[Record], made: Sequence[JsonObject] = ()) -> FhirResult:
    """A collection of the records as the caller has them, and of what was made of them.

    It and what was made bear the labels of all of them (domain.md 3.2, rule 4); the notice goes with what is disclosed.
    """
    server, actor = operating.server, operating.request.actor
    labels = 0
    for record in records:
        labels |= record.labels
    security = codings(labels)
    consents, noticed = disclosure(actor, records)
    more = [one | ({"meta": {"security": security}} if security else {}) for one in made]
    if noticed:
        more.append(server.notice.outcome(each.removeprefix("Consent/") for each in consents))
    entries = [
        collection_entry(f"{server.base}/{record.reference}", await present(server, actor, reader, record)) for record in records
    ]
    entries += [collection_entry(f"urn:uuid:{server.new_id()}", dump(one)) for one in more]
    body = bundle("collection", entries, id=server.new_id(), updated=instant(server.clock()), security=security)
    return FhirResult(200, body, shown=await shown(reader, records), consents=consents, noticed=noticed)
