"""The timer of a session, what a companion says, and what happens when nothing is heard (domain.md 1.3, 7)."""
from functools import partial
from typing import Final

from recovery_api.domain.session_check_ins import TIMER, USUAL, answer, stopped, timer, waiting
from recovery_api.domain.sessions import GOING_ON, companions_of, is_session
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import references_at
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.interactions.care.staffing import answerable
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import change, found, make
from recovery_api.policy.facets import client_of
from recovery_api.store.writer import Writer

WATCHED: Final = GOING_ON | {"arrived"}
"""The states of a session in which its companion is waited for."""
WAITING: Final = ("status", "in-progress")
TIMERS: Final = ("code", "|".join(TIMER[:2]))


async def watch(written: Written) -> None:
    """Start the timer when the companion arrives, and stop it when the session is over."""
    before, after = written.before, written.after
    was, is_now = (is_session(each) and each is not None and each["status"] in WATCHED for each in (before, after))
    if is_now and not was:
        owner = await _owner(written.server, written.writer, after)
        await make(written.server, written.writer, timer(after, owner, written.writer.stamp, _planned_end(written)))
    elif was and not is_now:
        await stop(written.server, written.writer, after["id"], "completed" if after["status"] == "finished" else "cancelled")


async def stop(server: Server, writer: Writer, session: str, status: str) -> None:
    """Wait no longer for the companion of a session (its id)."""
    for task in await _timers(server, writer, session):
        await change(server, writer, "Task", task["id"], partial(stopped, status=status, now=writer.stamp))


def _planned_end(written: Written) -> int:
    """When the session is to end, as it was planned."""
    for version in (written.before, written.after):
        if version and "end" in version.get("period", {}):
            return implicit_range(version["period"]["end"], written.server.zone).low
    return written.writer.stamp + USUAL


async def check_in(server: Server, writer: Writer, session: JsonObject, said: str) -> str | None:
    """Do what follows from what a companion says; until when nothing more need be heard (None where nobody waits).

    Whatever is said, the same statements run.
    """
    until: str | None = None
    for task in await _timers(server, writer, session["id"]):
        until = (await change(server, writer, "Task", task["id"], partial(waiting, now=writer.stamp)))["restriction"]["period"]["end"]
    await make(server, writer, answer(session, said, await _owner(server, writer, session), writer.stamp))
    return until


async def miss(server: Server) -> None:
    """Tell of every session that has not been heard of in time, once, whatever other workers do."""
    overdue = (TIMERS, WAITING, ("due", f"eb{instant(server.clock() + 1)}"))
    async with server.store.reader(server.grants.system) as reader:
        tasks = await found(server, reader, "Task", *overdue)
    for task in tasks:
        async with server.store.writer(server.grants.system) as writer:
            await _miss(server, writer, task["id"])


async def _miss(server: Server, writer: Writer, id: str) -> None:
    """Make the Task of one timer that has run out, unless somebody was heard or another worker was first."""
    record = await writer.lock("Task", id)
    task = load(record.body) if record and record.body else None
    if task is None or task["status"] != WAITING[1] or task["restriction"]["period"]["end"] > instant(server.clock()):
        return
    await change(server, writer, "Task", id, partial(stopped, status="failed", now=writer.stamp))
    place = next(references_at(task, "encounter"), "").partition("/")[2]
    session = await writer.read("Encounter", place)
    if session and session.body:
        told = load(session.body)
        await make(server, writer, answer(told, "missed", await _owner(server, writer, told), writer.stamp))


async def _timers(server: Server, writer: Writer, session: str) -> list[JsonObject]:
    """The timer of a session, waiting or run out."""
    return await found(server, writer, "Task", TIMERS, ("status", f"{WAITING[1]},failed"), ("encounter", f"Encounter/{session}"))


async def _owner(server: Server, writer: Writer, session: JsonObject) -> str | None:
    """Who must act on a session ("Practitioner/id")."""
    return await answerable(server, writer, companions_of(session), client_of(session, server.matrix))
