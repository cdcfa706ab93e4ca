"""The answers to an instrument are scored by the server: survey Observations that are derived from them (domain.md 2.4)."""
from collections.abc import Sequence
from functools import partial

from recovery_api.domain.instruments import Instrument, instrument_of
from recovery_api.domain.scoring import SCORED, observations
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.care.escalations import escalate
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.make import change, found, make


async def score_response(written: Written) -> None:
    """Make the Observations of the answers, or the next versions of those that changed; what an error gave becomes one too."""
    instrument = instrument_of(written.after)
    if instrument is None:
        return
    if written.after["status"] in SCORED:
        await _score(written, instrument, await _derived(written) if written.before else ())
    elif written.after["status"] == "entered-in-error" and written.before:
        await withdraw(written)


async def withdraw(written: Written) -> None:
    """The answers are gone, or were an error: so is what was derived from them."""
    if instrument_of(written.after) is not None:
        for one in await _derived(written):
            await change(written.server, written.writer, "Observation", one["id"], _error)


async def _derived(written: Written) -> list[JsonObject]:
    answers = ("derived-from", f"QuestionnaireResponse/{written.after['id']}")
    return await found(written.server, written.writer, "Observation", answers, ("category", "survey"))


async def _score(written: Written, instrument: Instrument, standing: Sequence[JsonObject]) -> None:
    server, writer = written.server, written.writer
    known = {one["code"]["coding"][0]["code"]: one for one in standing}
    answered = next((one["effectiveDateTime"] for one in standing), instant(server.clock()))
    for told in observations(instrument, written.after, answered):
        before = known.get(told["code"]["coding"][0]["code"])
        if before is None:
            stored = await make(server, writer, told)
            await escalate(server, writer, stored)
        elif _content(before) != _content(told):
            stored = await change(server, writer, "Observation", before["id"], partial(_corrected, told))
            await escalate(server, writer, stored)


def _content(observation: JsonObject) -> JsonObject:
    return {name: value for name, value in observation.items() if name not in {"id", "meta", "status"}}


def _corrected(told: JsonObject, current: JsonObject) -> JsonObject:
    return told | {"id": current["id"], "meta": current["meta"], "status": "corrected"}


def _error(current: JsonObject) -> JsonObject:
    return current | {"status": "entered-in-error"}
