"""The end of an engagement: with the EpisodeOfCare end its care teams, open Tasks, planned sessions and Subscriptions (domain.md 1.2)."""
from functools import partial

from recovery_api.domain import episodes
from recovery_api.domain.appointments import called_off
from recovery_api.domain.codes import local
from recovery_api.domain.episodes import STAYING, UNDER_WAY
from recovery_api.domain.sessions import SESSION_TYPE, cancelled
from recovery_api.domain.supervision import ESCALATION, OPEN
from recovery_api.fhir.errors import Conflict, Rule
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.interactions.care.session_check_ins import stop
from recovery_api.interactions.care.sessions import revise
from recovery_api.interactions.care.staffing import care_teams, members
from recovery_api.interactions.care.subscriptions import close_about
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.make import change, found

TASK_CODE = local("task-code", "")[0]
WAITING = ("status", ",".join(OPEN))
SESSION = "|".join(SESSION_TYPE)
ESCALATION_OPEN = Rule("discharge-escalation", Conflict, "An escalation of this client's is open: close it with its outcome first.")
RELEASED = "engagement-ended"


async def prepare(written: Written) -> None:
    """Keep the history of its states; raise Conflict for a discharge while an escalation of the client's is open."""
    kept = episodes.with_history(written.before, written.after, instant(written.writer.stamp))
    written.after.clear()
    written.after.update(kept)
    if _ends(written):
        escalation = ("code", f"{TASK_CODE}|{ESCALATION}")
        if await found(written.server, written.writer, "Task", ("patient", _client(written)), escalation, WAITING, most=1):
            raise ESCALATION_OPEN.broken(at="EpisodeOfCare.status")


async def follow(written: Written) -> None:
    """Close what the engagement held open. Where another one goes on, only the care teams that are this one's alone."""
    if not _ends(written):
        return
    server, writer, client = written.server, written.writer, _client(written)
    others = await found(server, writer, "EpisodeOfCare", ("patient", client), ("status", ",".join(UNDER_WAY)))
    if others:
        shared = {team for other in others for team in references_at(other, "team")}
        await _close_teams(written, {team for team in references_at(written.after, "team") if team not in shared})
        return
    await _close_teams(written)
    await close_about(server, writer, client)
    moment = instant(writer.stamp)
    for task in await found(server, writer, "Task", ("patient", client), WAITING):
        if not any(has_coding(task, "code", TASK_CODE, code) for code in STAYING):
            await change(server, writer, "Task", task["id"], lambda task: episodes.ended_task(task, moment))
    for session in await found(server, writer, "Encounter", ("patient", client), ("type", SESSION), ("status", "planned,arrived")):
        await _release(written, session)


async def _release(written: Written, session: JsonObject) -> None:
    """A planned session that does not take place, nobody's fault, and the Appointment behind it."""
    server, writer = written.server, written.writer
    await revise(server, writer, session, partial(cancelled, reason=RELEASED))
    await stop(server, writer, session["id"], "cancelled")
    behind = [one.partition("/")[2] for one in references_at(session, "appointment")]
    there = (("patient", _client(written)), ("_id", ",".join(behind)))
    for appointment in await found(server, writer, "Appointment", *there) if behind else ():
        await change(server, writer, "Appointment", appointment["id"], partial(called_off, reason=RELEASED))


async def _close_teams(written: Written, only: set[str] | None = None) -> None:
    server, writer = written.server, written.writer
    for team in await care_teams(server, writer, _client(written).removeprefix("Patient/")):
        if only is None or f"CareTeam/{team['id']}" in only:
            still = frozenset(place for place, _ in members(server, team, server.clock()))
            await change(server, writer, "CareTeam", team["id"], lambda team: episodes.closed_team(team, instant(writer.stamp), still))  # noqa: B023 - called at once


def _ends(written: Written) -> bool:
    return written.before is not None and written.became("status", "finished", "cancelled")


def _client(written: Written) -> str:
    return next(references_at(written.after, "patient"), "")
