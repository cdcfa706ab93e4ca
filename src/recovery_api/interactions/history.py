"""history of an instance, a type or the system (https://hl7.org/fhir/R4/http.html#history)."""
from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from recovery_api.fhir.bundle import bundle, history_entry
from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.instants import instant
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.disclosure import disclosure
from recovery_api.interactions.pages import COUNT, followed, link, next_link, sized
from recovery_api.interactions.present import copied, present
from recovery_api.interactions.shown import shown
from recovery_api.interactions.unit import Reading
from recovery_api.policy.decide import allowed_types
from recovery_api.store.history import HistoryCursor, HistoryPage, HistoryQuery, read_history
from recovery_api.store.records import Record

MOST = 1_000
STATUS = {"POST": "201 Created", "PUT": "200 OK", "PATCH": "200 OK", "DELETE": "204 No Content"}


async def history(reading: Reading) -> FhirResult:
    """The versions that the caller may see, newest first. Raises NotFound for an instance of which they may see none."""
    request, server = reading.request, reading.server
    pairs, cursor = _asked(reading)
    query = _query(reading, pairs, cursor)
    page = await _page(reading, query)
    if request.id is not None and not page.total and query.since is None and query.at is None:
        raise NotFound
    links = [("self", link(reading, [(name, str(query.count) if name == "_count" else value) for name, value in pairs]))]
    if page.next is not None:
        links.append(("next", next_link(reading, [pairs, list(page.next)])))
    entries = [await _entry(reading, record) for record in page.records]
    body = bundle("history", entries, total=page.total, links=links, id=server.new_id(), updated=instant(server.clock()))
    consents, noticed = disclosure(request.actor, page.records)
    told = await shown(reading.reader, page.records)
    return FhirResult(200, body, shown=told, consents=consents, pairs=pairs, noticed=noticed)


def _asked(reading: Reading) -> tuple[list[tuple[str, str]], HistoryCursor | None]:
    page = followed(reading, COUNT)
    if page is None:
        return list(reading.request.query), None
    pairs, cursor = page
    return sized(reading, pairs), HistoryCursor(*cursor)


def _query(reading: Reading, pairs: Sequence[tuple[str, str]], cursor: HistoryCursor | None) -> HistoryQuery:
    request, server = reading.request, reading.server
    types = (request.type,) if request.type else tuple(allowed_types(server.matrix, request.actor, "s"))
    query = HistoryQuery(types, request.id, cursor=cursor)
    for place, (name, value) in enumerate(pairs):
        if name not in {"_count", "_since", "_at"}:
            raise BadRequest(Issue("not-supported", f"The parameter '{name[:64]}' is unknown in a history."))
        if any(name == before for before, _ in pairs[:place]):
            raise BadRequest(Issue("invalid", f"The parameter '{name}' stands twice."))
        try:
            query = _narrowed(query, name, value.replace(" ", "+"), server.zone)
        except ValueError:
            raise BadRequest(Issue("value", f"The parameter '{name}' has a value that it can't have.")) from None
    return query


def _narrowed(query: HistoryQuery, name: str, value: str, zone: ZoneInfo) -> HistoryQuery:
    """With one parameter more; ValueError where its value is none."""
    if name == "_count":
        return replace(query, count=_bounded(value))
    if name == "_at":
        return replace(query, at=implicit_range(value, zone))
    if "T" not in value:
        raise ValueError(value)
    return replace(query, since=implicit_range(value, zone).low)


def _bounded(count: str) -> int:
    if not (count.isascii() and count.isdigit()):
        raise ValueError(count)
    return min(int(count[:9]), MOST)


async def _page(reading: Reading, query: HistoryQuery) -> HistoryPage:
    """The page that is asked for; `_count=0` asks for the total only."""
    if _judges(reading):
        page = await _judged(reading, query)
    else:
        page = await read_history(reading.reader, replace(query, count=max(1, query.count)))
    return page if query.count else HistoryPage((), page.total, None)


def _judges(reading: Reading) -> bool:
    """Whether versions must be judged one by one, because the token's scopes are granular."""
    request = reading.request
    return request.interaction == "history-instance" and reading.server.grants.is_granular(request.actor, "r", request.type or "")


async def _judged(reading: Reading, query: HistoryQuery) -> HistoryPage:
    page = await read_history(reading.reader, replace(query, count=MOST))
    grants, actor = reading.server.grants, reading.request.actor
    seen = [
        one
        for one in page.records
        if one.body is not None and grants.admits(actor, "r", copied(reading.server, actor, one).seen, one.client)
    ]
    return HistoryPage(seen, len(seen), None)


async def _entry(reading: Reading, record: Record) -> bytes:
    server = reading.server
    deleted = record.body is None
    body = None if deleted else await present(server, reading.request.actor, reading.reader, record)
    url = record.type if record.method == "POST" else record.reference
    return history_entry(
        f"{server.base}/{record.reference}",
        body,
        record.method,
        url,
        STATUS[record.method],
        f'W/"{record.version}"',
        instant(record.last_updated),
    )
