"""PractitionerRole/{id}/$supervision-worklist: what waits for a supervisor, most pressing first (domain.md 7, scenario 25)."""
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from recovery_api.domain.codes import local
from recovery_api.domain.supervision import BOUNDARY_EVENT, CHECK_IN, ESCALATION, EXPIRING, NOTE_REVIEW, OPEN
from recovery_api.domain.worklist import INCLUDES, KINDS, REASON, Key, key, reason
from recovery_api.fhir.bundle import bundle, reasoned_entry
from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import load
from recovery_api.fhir.search.expression import Bind, ClientOf, Expression, Not, Party, PartyIn, Row, both, either
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.care.staffing import answering_for
from recovery_api.interactions.care.supervision_check_ins import plan_all
from recovery_api.interactions.context import FhirResult, Server
from recovery_api.interactions.present import present
from recovery_api.interactions.shown import shown
from recovery_api.operations.frame import Operating
from recovery_api.operations.paging import Asked, asked, links
from recovery_api.policy.decide import decide
from recovery_api.policy.periods import interval
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import Cursor, Page, SearchQuery

SUPERVISOR = Bind("supervisor")
AT_ONCE = 1_000
own = either(Party(("owner",), SUPERVISOR), PartyIn(("owner",), ("own-role",), SUPERVISOR))
SUPERVISES = ("supervises-practitioner", "supervises-role")
about_companion, by_companion = (PartyIn((role,), SUPERVISES, SUPERVISOR) for role in ("focus", "requester"))
of_client = ClientOf(("case-manager", "supervised"), SUPERVISOR)
CONCERNED = {
    ESCALATION: either(own, of_client),
    NOTE_REVIEW: either(by_companion, both(own, Not(Row("Task.requester")))),
    CHECK_IN: about_companion,
    BOUNDARY_EVENT: about_companion,
    EXPIRING: of_client,
}
"""Which Tasks of a code are the supervisor's: those of whom she supervises now, and her clients' and her own."""


class Item(NamedTuple):
    """A Task on the list."""

    record: Record
    key: Key
    reason: str


async def supervision_worklist(operating: Operating) -> FhirResult:
    """A searchset of Tasks, each with its reason.

    Raises NotFound where there is no such PractitionerRole, Forbidden for whoever is neither its practitioner nor stands in for them.
    """
    server, request = operating.server, operating.request
    decide(server.matrix, request.actor, "Task", "s")
    role = f"PractitionerRole/{request.id}"
    sight = server.grants.sight(request.actor, "s", server.clock())
    async with server.store.reader(sight) as reader:
        supervisor = await answering_for(server, reader, request.actor, role)
        wanted = asked(operating)
        included = _included(wanted)
        await plan_all(server, role)
        seeing = reader.seeing(replace(sight, binds={**sight.binds, "supervisor": supervisor}))
        now = wanted.cursor.snapshot if wanted.cursor else server.clock()
        items = sorted([_item(server, record, now) for record in await _open(server, seeing, included)], key=lambda item: item.key)
        page = _page(items, wanted, now)
        there = {item.record.id: item for item in items}
        entries = [await _entry(operating, reader, there[record.id]) for record in page.records]
        told = await shown(reader, page.records)
    body = bundle(
        "searchset", entries, total=len(items), links=links(operating, wanted, page), id=server.new_id(), updated=instant(server.clock())
    )
    return FhirResult(200, body, shown=told, pairs=wanted.said)


def _included(wanted: Asked) -> Sequence[str]:
    """The task codes that are asked for. Raises BadRequest."""
    said = [word for text in wanted.given.all("include") for word in str(text).split(",")] or INCLUDES
    for word in said:
        if word not in INCLUDES:
            raise BadRequest(Issue("value", f"The parameter 'include' takes {', '.join(INCLUDES)}, not '{word[:64]}'."))
    return [code for code, kind in KINDS.items() if kind.included_as in said]


async def _open(server: Server, reader: Reader, codes: Sequence[str]) -> list[Record]:
    """All open Tasks of these codes that concern the supervisor, so far as the caller sees them."""
    concerned = either(*(both(_of_code(server, code), CONCERNED[code]) for code in codes))
    query = SearchQuery(("Task",), both(_of_status(server), concerned), count=AT_ONCE)
    return [record async for page in reader.pages(query) for record in page.records]


def _of_status(server: Server) -> Expression:
    return condition("Task", [("status", ",".join(OPEN))], server.search)


def _of_code(server: Server, code: str) -> Expression:
    return condition("Task", [("code", "|".join(local("task-code", code)[:2]))], server.search)


def _item(server: Server, record: Record, now: int) -> Item:
    task = load(record.body or b"")
    _, due = interval(task.get("restriction", {}).get("period"), server.zone)
    return Item(record, key(task, due, now), reason(task, due, now))


def _page(items: Sequence[Item], wanted: Asked, now: int) -> Page:
    """The items after the cursor, as many as are asked for."""
    after = (*wanted.cursor.sorted, wanted.cursor.id) if wanted.cursor else None
    left = [item for item in items if after is None or item.key > after]
    page = left[: wanted.count]
    following = None
    if page and len(left) > len(page):
        *place, id = page[-1].key
        following = Cursor(now, tuple(place), id, "Task")
    return Page([item.record for item in page], next=following)


async def _entry(operating: Operating, reader: Reader, item: Item) -> bytes:
    body = await present(operating.server, operating.request.actor, reader, item.record)
    return reasoned_entry(f"{operating.server.base}/{item.record.reference}", body, {"url": REASON, "valueCode": item.reason})
