"""Every move of a referral that its table does not have, by everybody who sees it, on the ways to write in turn: nothing changes."""
import pytest

from recovery_api.domain.referrals import CLINIC, INTAKE, MOVES, REQUESTER
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, Response
from tests.callers import RUTH, SYS_LAKESIDE, Caller
from tests.http.referring import NEEDED, WAYS, moved, status
from tests.http.resources import bundle, referral

STATES = ("draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold", "failed", "completed")
"""All that a Task may be (https://hl7.org/fhir/R4/valueset-task-status.html), save entered-in-error."""
PARTIES = {RUTH: {INTAKE}, SYS_LAKESIDE: {CLINIC, REQUESTER}}
WITHDRAWALS = {"cancelled", "entered-in-error"}


def illegal(before: str, caller: Caller) -> list[str]:
    moves = {after for (was, after), move in MOVES.items() if was == before and move.by & PARTIES[caller]}
    return sorted({*STATES, "entered-in-error"} - moves - {before})


async def state(api: Api, order: str, task: str) -> list[tuple[str, str]]:
    """Id and version of all that a move could change."""
    ruth = api.as_(RUTH)
    found = [(await ruth.get(path)).json for path in (order, task)]
    found += (await ruth.get(f"EpisodeOfCare?incoming-referral={order}")).matches
    found += (await ruth.get("CareTeam?_count=200")).matches
    return sorted((one["id"], one["meta"]["versionId"]) for one in found)


async def tried(client: Client, task: str, current: JsonObject, to: str, way: int) -> Response:
    """The answer to a move by a patch, by an update, or by a transaction with one."""
    changed = current | {"status": to, **NEEDED.get(to, {})}
    if way == 0:
        return await client.patch(task, status(to, **NEEDED.get(to, {})))
    if way == 1:
        return await client.put(task, changed)
    return await client.post("", bundle("transaction", {"resource": changed, "request": {"method": "PUT", "url": task}}))


@pytest.mark.parametrize("before", [*WAYS, "entered-in-error"])
async def test_a_move_that_the_table_does_not_have_changes_nothing(shared: Api, before: str) -> None:
    way = before if before in WAYS else "requested"
    _, order, task = await moved(shared, f"M-{before}", way)
    if before == "entered-in-error":
        assert (await shared.as_(SYS_LAKESIDE).patch(task, status(before))).status == 200
        assert (await shared.as_(RUTH).get(order)).json["status"] == before
    stood = await state(shared, order, task)
    for caller in PARTIES:
        client = shared.as_(caller)
        current = (await client.get(task)).json
        for number, to in enumerate(illegal(before, caller)):
            forbidden = caller is SYS_LAKESIDE and to not in WITHDRAWALS
            expected = (403, {"own-referral"}) if forbidden else (409, {"referral-move"})
            answer = await tried(client, task, current, to, number % 3)
            assert (answer.status, answer.keys) == expected, (caller, before, to, answer.body)
    assert await state(shared, order, task) == stood


@pytest.mark.parametrize(("move", "needs"), [(move, row.needs) for move, row in MOVES.items() if row.needs])
async def test_a_move_without_what_it_needs_changes_nothing(shared: Api, move: tuple[str, str], needs: str) -> None:
    before, to = move
    _, order, task = await moved(shared, f"N-{before}-{to}", before)
    stood = await state(shared, order, task)
    refused = await shared.as_(RUTH).patch(task, status(to))
    assert (refused.status, refused.keys) == (422, {"referral-output" if needs == "output" else "referral-reason"})
    assert await state(shared, order, task) == stood


@pytest.mark.parametrize("start", [each for each in (*STATES, "entered-in-error") if each != "requested"])
async def test_a_referral_begins_as_requested_and_nothing_of_another_is_stored(shared: Api, start: str) -> None:
    said = referral(f"S-{start}")
    said["entry"][2]["resource"]["status"] = start
    lakeside = shared.as_(SYS_LAKESIDE)
    refused = await lakeside.post("", said)
    assert (refused.status, refused.keys) == (422, {"referral-start"})
    assert (await lakeside.get(f"ServiceRequest?identifier=https://lakeside.example/sr|S-{start}")).json["total"] == 0
    said["entry"][2]["resource"]["status"] = "requested"
    assert (await lakeside.post("", said)).status == 200

