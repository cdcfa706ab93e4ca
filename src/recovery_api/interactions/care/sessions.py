"""What goes with a session: its history and times, one at a time, and what there must be when it is finished (domain.md 1.3)."""
from collections.abc import Callable

from recovery_api.domain.session_notes import unobserved
from recovery_api.domain.sessions import (
    GOING_ON,
    SESSION_TYPE,
    begin,
    check_history,
    check_times,
    companions_of,
    go_on,
    is_session,
    state_began,
)
from recovery_api.fhir.errors import Conflict, Rule, Unprocessable
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import references_at
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.interactions.care.notes import notes_of
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import change, found
from recovery_api.store.writer import Writer

ALONE = Rule("session-in-progress", Conflict, "Another session goes on.", "conflict")
OBSERVED = Rule(
    "session-observed",
    Unprocessable,
    "Nothing says {}: record an Observation of it in the session, with a dataAbsentReason where nobody observed it.",
)
HAPPENED = Rule("session-times", Unprocessable, "What was observed has happened.")
NOTED = Rule(
    "session-noted",
    Unprocessable,
    "There is no note: write at least a draft (a DocumentReference whose context.encounter is the session).",
)


async def keep_times(written: Written) -> None:
    """Complete history and period of a session. Raises Unprocessable for times that can't be."""
    before, after, zone = written.before, written.after, written.server.zone
    if not is_session(after):
        return
    now = instant(written.writer.stamp)
    if before is None:
        begin(after, now)
        check_history(after, zone)
    else:
        began = await began_at(written.server, written.writer, before) if before["status"] != after["status"] else now
        go_on(before, after, began, written.writer.stamp, zone)
    if before is None or before["status"] != after["status"] or before.get("period") != after.get("period"):
        check_times(after, written.writer.stamp, zone)


async def began_at(server: Server, writer: Writer, session: JsonObject) -> str:
    """The instant at which the session's present state began."""
    if told := state_began(session):
        return told
    first = await writer.seeing(server.grants.system).vread("Encounter", session["id"], 1)
    return instant(first.last_updated) if first else session["meta"]["lastUpdated"]


async def revise(server: Server, writer: Writer, session: JsonObject, said: Callable[[JsonObject], JsonObject]) -> None:
    """Store what `said` makes of a session, as the server's own, with its history and times."""
    began = await began_at(server, writer, session)

    def revised(current: JsonObject) -> JsonObject:
        after = said(current)
        go_on(current, after, began, writer.stamp, server.zone)
        return after

    await change(server, writer, "Encounter", session["id"], revised)


async def be_alone(written: Written) -> None:
    """Raise Conflict where one who takes part is in another session that goes on.

    Who comes second waits for the first one's transaction. The answer does not tell who is elsewhere.
    """
    before, after = written.before, written.after
    if not is_session(after) or after["status"] not in GOING_ON:
        return
    people = {*companions_of(after), *references_at(after, "subject")}
    if before and before["status"] in GOING_ON and people <= {*companions_of(before), *references_at(before, "subject")}:
        return
    for who in sorted(people):
        await written.writer.claim(f"in-session:{who}")
    for who in sorted(people):
        await _check_free(written, who)
        await written.writer.release(f"in-session:{who}")


async def _check_free(written: Written, who: str) -> None:
    role = "subject" if who.startswith("Patient/") else "participant"
    same = (("type", "|".join(SESSION_TYPE)), ("status", ",".join(sorted(GOING_ON))), (role, who))
    there = await found(written.server, written.writer, "Encounter", *same)
    others = [each for each in there if each["id"] != written.after["id"]]
    if any(role == "subject" or who in companions_of(each) for each in others):
        raise ALONE.broken(at="Encounter.status")


async def be_complete(written: Written) -> None:
    """Raise Unprocessable where a session is finished and what was observed, or a note, is not there.

    Who tells of a session that was another's, when it is over, need not know.
    """
    there = written.before is not None or written.actor.holder in references_at(written.after, "participant.individual")
    if not is_session(written.after) or not written.became("status", "finished") or not there:
        return
    session = f"Encounter/{written.after['id']}"
    observations = await found(written.server, written.writer, "Observation", ("encounter", session))
    issues = [OBSERVED.issue(code, at="Encounter.status") for code in unobserved(observations)]
    told = [] if written.before else [each["effectiveDateTime"] for each in observations if "effectiveDateTime" in each]
    issues += [
        HAPPENED.issue(at="Observation.effectiveDateTime")
        for moment in told
        if implicit_range(moment, written.server.zone).low > written.writer.stamp
    ]
    if not await notes_of(written.server, written.writer, session):
        issues.append(NOTED.issue(at="Encounter.status"))
    if issues:
        raise Unprocessable(*issues)
