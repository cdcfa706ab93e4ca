"""A session that did not begin, and a client who was not heard of for a day after it: what the rules of escalation say (domain.md 2.4)."""
from typing import Final

from recovery_api.domain.codes import CANON, concept, local, ref
from recovery_api.domain.sessions import GOING_ON, SESSION_TYPE, TO_COME
from recovery_api.fhir.instants import DAY, instant
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.care.escalations import RULES_ENGINE, escalate, fire
from recovery_api.interactions.care.once import each_once
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import found, make
from recovery_api.policy.facets import client_of
from recovery_api.store.reader import Reader
from recovery_api.store.writer import Writer

SESSIONS: Final = ("type", "|".join(SESSION_TYPE))
CHECK_IN: Final = ("code", f"{CANON}/CodeSystem/task-code|session-check-in")
TAKEN_PLACE: Final = ("status", ",".join(sorted({*GOING_ON, "finished"})))
WEEK: Final = 7 * DAY


async def tell(server: Server) -> None:
    """Ask the rules about each session that should have ended a day to a week ago and did not begin, once, whatever other workers do."""
    now = server.clock()
    ended = (("date", f"eb{instant(now - DAY + 1)}"), ("date", f"gt{instant(now - WEEK)}"))
    async with server.store.reader(server.grants.system) as reader:
        missed = await found(server, reader, "Encounter", SESSIONS, ("status", ",".join(sorted(TO_COME))), *ended)
    await each_once(server, {f"no-contact {session['id']}": session for session in missed}, _tell)


async def _tell(server: Server, writer: Writer, session: JsonObject) -> None:
    """Say of one session that nobody was heard of, where a rule makes something of that."""
    if await _heard_of(server, writer, session):
        return
    told = _no_contact(session, writer.stamp)
    if await fire(server, writer, told, client_of(session, server.matrix)):
        await escalate(server, writer, await make(server, writer, told))


async def _heard_of(server: Server, reader: Reader, session: JsonObject) -> bool:
    """Whether the companion has checked in, or the client was met since."""
    said = await found(server, reader, "Task", CHECK_IN, ("encounter", f"Encounter/{session['id']}"), most=1)
    since = (("subject", session["subject"]["reference"]), ("date", f"gt{session['period']['end']}"))
    return bool(said or await found(server, reader, "Encounter", SESSIONS, TAKEN_PLACE, *since, most=1))


def _no_contact(session: JsonObject, now: int) -> JsonObject:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [concept(local("observation-category", "companion-session", "Companion session"))],
        "code": concept(local("companion-observation", "safety-concern")),
        "subject": session["subject"],
        "encounter": ref(f"Encounter/{session['id']}"),
        "effectiveDateTime": instant(now),
        "valueCodeableConcept": concept(local("safety-concern", "no-contact", "No contact")),
        "device": RULES_ENGINE,
    }
