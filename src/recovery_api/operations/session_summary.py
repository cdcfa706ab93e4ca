"""Encounter/{id}/$session-summary: the draft of a note, from what was recorded in a session (domain.md 7)."""
from recovery_api.domain.session_notes import drafted, summary, unobserved
from recovery_api.domain.sessions import GOING_ON, is_session
from recovery_api.fhir.errors import Conflict, NotFound, Rule, Unprocessable
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.paths import at, references_at
from recovery_api.interactions.audited import keep
from recovery_api.interactions.care.notes import notes_of
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.make import found, make
from recovery_api.operations.frame import Operating
from recovery_api.policy.audit import Saved
from recovery_api.policy.decide import decide
from recovery_api.policy.facets import client_of
from recovery_api.policy.writes import rule
from recovery_api.store.writer import Writer

HELD = GOING_ON | {"finished"}
OBSERVED = Rule("session-observed", Unprocessable, "A note tells of {}, of which the session has no Observation.")
BEGUN = Rule("session-begun", Conflict, "The session has not begun.")
ONE_NOTE = Rule("note-there", Conflict, "The session has a note already.")


async def session_summary(operating: Operating) -> FhirResult:
    """The draft, a DocumentReference of the caller's whose Binary holds the text.

    Raises NotFound, Forbidden for who does not take part or may not write notes, Unprocessable where a required Observation is
    missing, and Conflict where the session has not begun, or has a note already.
    """
    server, request = operating.server, operating.request
    decide(server.matrix, request.actor, "DocumentReference", "c")
    async with server.store.writer(server.grants.rows(request.actor, server.clock()), creator=request.actor.holder) as writer:
        record = await writer.lock("Encounter", request.id or "")
        if record is None or record.body is None:
            raise NotFound
        session, place = load(record.body), f"Encounter/{record.id}"
        if request.actor.holder not in references_at(session, "participant.individual"):
            raise rule("own-session").broken(at="Encounter")
        operating.given()
        observations = await found(server, writer, "Observation", ("encounter", place))
        if missing := unobserved(observations):
            raise Unprocessable(*(OBSERVED.issue(code, at="Encounter") for code in missing))
        if not is_session(session) or session["status"] not in HELD:
            raise BEGUN.broken(at="Encounter.status")
        if await notes_of(server, writer, place):
            raise ONE_NOTE.broken(at="Encounter")
        text = summary(session, observations, await _name(writer, client_of(session, server.matrix)), server.zone)
        ids, now = (server.new_id(), server.new_id()), instant(writer.stamp)
        written = drafted(session, ids, request.actor.holder, request.actor.organization, now, text)
        document, _ = [await make(server, writer, each) for each in written]
        saved = [Saved(each["resourceType"], each["id"], 1, record.client) for each in written]
        records = await keep(server, writer, [(request, FhirResult(200, shown=saved))])
    await server.audit.link(records)
    return FhirResult(200, dump(document), 1, writer.stamp, f"DocumentReference/{ids[0]}/_history/1", recorded=True)


async def _name(writer: Writer, client: str) -> str:
    """The client's given name."""
    record = await writer.read("Patient", client)
    patient: JsonObject = load(record.body) if record and record.body else {}
    return str(next(iter([*at(patient, "name.given"), *at(patient, "name.text")]), "The client"))
