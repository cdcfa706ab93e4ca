"""An Appointment that is booked plans a session, and one that is called off cancels it (domain.md 1.3)."""
from functools import partial

from recovery_api.domain.appointments import BOOKED, CALLED_OFF, client_of, planned, staff_of, time_of, why_called_off
from recovery_api.domain.sessions import cancelled, is_session
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.care.sessions import revise
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.make import found, make
from recovery_api.store.staff import holders_of


async def plan_session(written: Written) -> None:
    """Make the session of a client and their companions that was booked, let it follow the Appointment, or cancel it."""
    before, after = written.before, written.after
    if after["status"] == BOOKED:
        sessions = await _sessions(written)
        if not sessions:
            await _plan(written)
        elif before is not None and time_of(before) != time_of(after):
            for session in sessions:
                if session["status"] == "planned":
                    await revise(written.server, written.writer, session, lambda current: current | {"period": time_of(after)})
    elif written.became("status", *CALLED_OFF) and before is not None:
        for session in await _sessions(written):
            if session["status"] == "planned":
                await revise(written.server, written.writer, session, partial(cancelled, reason=why_called_off(after)))


async def _sessions(written: Written) -> list[JsonObject]:
    there = await found(written.server, written.writer, "Encounter", ("appointment", f"Appointment/{written.after['id']}"))
    return [each for each in there if is_session(each)]


async def _plan(written: Written) -> None:
    client, staff = client_of(written.after), staff_of(written.after)
    if client and staff:
        companions = set(await holders_of(written.writer, "companion", client, written.server.clock()))
        if present := [who for who in staff if who in companions]:
            await make(written.server, written.writer, planned(written.after, present))
