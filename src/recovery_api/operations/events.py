"""Subscription/$events: events that have their numbers, for a subscriber who catches up (Subscriptions R5 backport)."""
from typing import Final

from recovery_api.domain.subscriptions import CONTENTS, WHOLE
from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.notifications import notification
from recovery_api.fhir.parameters import Given
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.disclosure import disclosure
from recovery_api.interactions.notifying.delivering import about, subscriber_of
from recovery_api.interactions.notifying.numbering import again
from recovery_api.interactions.shown import shown
from recovery_api.operations.frame import Operating
from recovery_api.store.records import NEVER

MOST: Final = 1_000
LONGEST: Final = 18


async def events(operating: Operating) -> FhirResult:
    """A notification of type query-event. What the caller may not read any more has its number, and no place.

    Raises NotFound where there is no such Subscription of the caller's, BadRequest for what is no number.
    """
    server, request, given = operating.server, operating.request, operating.given()
    first, last = _number(given, "eventsSinceNumber", 1), _number(given, "eventsUntilNumber", NEVER)
    content = str(given.one("content") or "")
    if content == "full-resource":
        raise WHOLE.broken(at="content")
    if content and content not in CONTENTS:
        raise BadRequest(Issue("value", f"content is {' or '.join(CONTENTS)}.", "content"))
    async with server.store.reader(server.grants.sight(request.actor, "r", server.clock())) as reader:
        record, subscriber = await reader.read("Subscription", request.id or ""), await subscriber_of(server, request.id or "")
        if record is None or record.body is None or subscriber is None:
            raise NotFound
        subscriber = subscriber._replace(actor=request.actor)
        if content == CONTENTS[0]:
            subscriber = subscriber._replace(wanted=subscriber.wanted._replace(content=content))
        found = await again(server, reader, subscriber, max(first, 1), last, MOST)
        read = [one for _, one in found if one is not None]
        told = await shown(reader, read)
    body = notification(about(server, subscriber), "query-event", [one for one, _ in found], now=server.clock())
    return FhirResult(200, body, shown=[record, *told], consents=disclosure(request.actor, read).consents)


def _number(given: Given, name: str, usual: int) -> int:
    said = given.one(name)
    if said is None:
        return usual
    if not str(said).isascii() or not str(said).isdigit() or len(str(said)) > LONGEST:
        raise BadRequest(Issue("value", f"{name} is a number.", name))
    return int(str(said))
