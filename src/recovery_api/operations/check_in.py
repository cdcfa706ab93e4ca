"""Encounter/{id}/$check-in: a companion says how she is in a session (domain.md 7)."""
from recovery_api.fhir.errors import Forbidden, NotFound
from recovery_api.fhir.json import load
from recovery_api.fhir.paths import references_at
from recovery_api.interactions.audited import keep
from recovery_api.interactions.care import session_check_ins
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating
from recovery_api.policy.facets import client_of
from recovery_api.policy.writes import rule


async def check_in(operating: Operating) -> FhirResult:
    """Until when nothing more need be heard. The answer is the same, whatever is said.

    It is taken in every state of the session: nobody who needs help is told that it is the wrong moment. Raises NotFound, and Forbidden
    for who does not take part.
    """
    server, request = operating.server, operating.request
    async with server.store.writer(server.grants.rows(request.actor, server.clock()), creator=request.actor.holder) as writer:
        record = await writer.lock("Encounter", request.id or "")
        if record is None or record.body is None:
            raise NotFound
        session = load(record.body)
        if request.actor.holder not in references_at(session, "participant.individual"):
            raise rule("own-session").broken(at="Encounter")
        if not server.grants.admits(request.actor, "u", session, client_of(session, server.matrix)):
            raise Forbidden("The token's scopes do not open this resource.")
        until = await session_check_ins.check_in(server, writer, session, operating.given().one("status"))
        records = await keep(server, writer, [(request, FhirResult(200, shown=[record]))])
    await server.audit.link(records)
    return operating.answer(next=until)._replace(recorded=True)
