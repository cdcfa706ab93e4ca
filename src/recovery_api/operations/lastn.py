"""Observation/$lastn: the latest Observations of each code (https://hl7.org/fhir/R4/observation-operation-lastn.html)."""
from collections import Counter

from recovery_api.fhir.bundle import bundle, entry
from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import objects_at
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.disclosure import disclosure, noticed_entry
from recovery_api.interactions.pages import link
from recovery_api.interactions.present import present
from recovery_api.interactions.shown import shown
from recovery_api.operations.frame import Operating
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import SearchQuery, SortKey

CRITERIA = ("patient", "subject", "category", "code")
PAGE, MOST = 1_000, 10_000


async def lastn(operating: Operating) -> FhirResult:
    """A searchset: of each code, the `max` latest Observations that the caller may read, the latest first.

    Raises BadRequest where it is not said whose they are, or where there are too many to look through.
    """
    server, request, given = operating.server, operating.request, operating.given()
    pairs = [(name, str(value)) for name in CRITERIA for value in given.all(name)]
    if not given.values.keys() & {"patient", "subject"}:
        raise BadRequest(Issue("required", "The parameter 'patient' or 'subject' is needed."))
    query = SearchQuery(
        ("Observation",),
        condition("Observation", pairs, server.search),
        sort=(SortKey("Observation.date", descending=True),),
        count=PAGE,
    )
    async with server.store.reader(server.grants.sight(request.actor, "s", server.clock())) as reader:
        records = await _latest(reader, query, int(given.one("max") or 1))
        entries = [
            entry(f"{server.base}/{record.reference}", await present(server, request.actor, reader, record), "match") for record in records
        ]
        told = await shown(reader, records)
    consents, noticed = disclosure(request.actor, records)
    if noticed:
        entries.append(noticed_entry(server, consents))
    said = [("self", link(operating, [(name, str(value)) for name, values in given.values.items() for value in values]))]
    body = bundle("searchset", entries, total=len(records), links=said, id=server.new_id(), updated=instant(server.clock()))
    return FhirResult(200, body, shown=told, consents=consents, noticed=noticed)


async def _latest(reader: Reader, query: SearchQuery, most: int) -> list[Record]:
    counted: Counter[str] = Counter()
    found: list[Record] = []
    looked = 0
    async for page in reader.pages(query):
        for record in page.records:
            code = _code(load(record.body or b""))
            counted[code] += 1
            if counted[code] <= most:
                found.append(record)
        looked += len(page.records)
        if page.next is not None and looked >= MOST:
            raise BadRequest(Issue("too-costly", f"There are more than {MOST} Observations: ask for fewer by category or code."))
    return found


def _code(observation: JsonObject) -> str:
    """What two Observations of the same code share: the first coding, else the text."""
    coding = next(iter(objects_at(observation, "code.coding")), None)
    return f"{coding.get('system')}|{coding.get('code')}" if coding else str(observation["code"].get("text"))
