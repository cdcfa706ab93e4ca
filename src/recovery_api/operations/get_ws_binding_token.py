"""Subscription/$get-ws-binding-token: what binds a websocket to Subscriptions (Subscriptions R5 backport)."""
from recovery_api.domain.subscriptions import WEBSOCKET
from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import load
from recovery_api.fhir.search.expression import EVERYTHING
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.notifying.binding import LIFETIME, bound
from recovery_api.operations.frame import Operating
from recovery_api.store.search import SearchQuery

MOST = 100


async def get_ws_binding_token(operating: Operating) -> FhirResult:
    """The token, for the Subscription at the address or for those that are named, else for all of the caller's.

    Raises NotFound where one of them is not the caller's, or is not for a websocket.
    """
    server, request, given = operating.server, operating.request, operating.given()
    wanted = [request.id] if request.id is not None else list(dict.fromkeys(map(str, given.all("id"))))
    letter = "s" if request.id is None else "r"
    async with server.store.reader(server.grants.sight(request.actor, letter, server.clock())) as reader:
        if wanted:
            records = [record for id in wanted if (record := await reader.read("Subscription", id)) is not None]
        else:
            records = list((await reader.search(SearchQuery(("Subscription",), EVERYTHING, count=MOST))).records)
    found = [one for one in records if one.body is not None and load(one.body)["channel"]["type"] == WEBSOCKET]
    if not found or (wanted and len(found) != len(wanted)):
        raise NotFound
    ids, now = [one.id for one in found], server.clock()
    address = f"ws{server.base.removeprefix('http')}/websocket"
    values = {"token": bound(server, ids), "expiration": instant(now + LIFETIME), "subscription": ids, "websocket-url": address}
    return operating.answer(**values)._replace(shown=found)
