"""Sessions through HTTP: scenarios 6 to 8 of domain.md 8, every illegal move, one at a time, and phones that were offline."""
import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from recovery_api.domain.sessions import CANCELLED, REASONS, SESSION
from recovery_api.fhir.json import JsonObject
from tests.api import Api, serving
from tests.callers import LEO, MAYA, OMAR, RUTH
from tests.databases import Databases
from tests.http.recorded import begun, called_off, finished, held, labels, late, locations, made, moved, versions
from tests.http.resources import local, note, observation, session

STATES = ("planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", "entered-in-error", "unknown")


@pytest.fixture(scope="module")
async def there(databases: Databases, world_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The fixture world, with a session of dan's in every state."""
    url = databases.clone(world_template)
    states = [session("dan", "leo", status, period={"start": "2026-11-10"}) | {"id": f"e-{status}"} for status in SESSION.moves]
    async with serving(url, tmp_path_factory.mktemp("there"), states) as server:
        yield server
    databases.drop(url)


async def test_6_a_session_goes_from_planned_to_finished_and_everything_is_labelled(api: Api) -> None:
    maya = api.as_(MAYA)
    encounter = await made(maya, session(period={"start": "2026-11-10T12:00:00Z", "end": "2026-11-10T14:00:00Z"}))
    for minutes, status in ((10, "arrived"), (5, "in-progress")):
        api.clock.move(seconds=60 * minutes)
        assert (await maya.patch(encounter, moved(status))).status == 200
    here: dict[str, Any] = {"encounter": {"reference": encounter}}
    trigger = observation("trigger", **here, component=[{"code": local("companion-observation-component", "intensity"), "valueInteger": 6}])
    del trigger["valueInteger"]
    said = [trigger | {"valueCodeableConcept": local("trigger", "sensory")}, observation("craving", 4, **here), observation(**here)]
    written = [await made(maya, each) for each in [*said, note(context={"encounter": [{"reference": encounter}]})]]
    api.clock.move(seconds=60 * 60)
    answer = await maya.patch(encounter, moved("finished"))
    assert answer.status == 200, answer.body
    assert [each["status"] for each in answer.json["statusHistory"]] == ["planned", "arrived", "in-progress"]
    times = [each["period"] for each in (*answer.json["statusHistory"], answer.json)]
    told = [(each["start"][11:16], each["end"][11:16]) for each in times]
    assert told == [("12:00", "12:10"), ("12:10", "12:15"), ("12:15", "13:15"), ("12:15", "13:15")]
    found = [labels((await maya.get(each)).json) for each in (encounter, *written)]
    assert all({"42CFRPart2", "R"} <= each for each in found)
    assert [each & {"SUD", "ETH", "PSY"} for each in found] == [set(), set(), {"SUD", "ETH"}, set(), {"SUD", "ETH", "PSY"}]


async def test_7_and_8_are_refused_and_leave_nothing_behind(there: Api) -> None:
    before = await versions(there.as_(MAYA), "Encounter/e-ana-1")
    assert (await there.as_(LEO).patch("Encounter/e-ana-1", moved("arrived"))).status == 404
    answer = await there.as_(MAYA).patch("Encounter/e-ana-1", moved("in-progress"))
    assert (answer.status, answer.keys) == (409, {"session-move"})
    assert await versions(there.as_(MAYA), "Encounter/e-ana-1") == before


@pytest.mark.parametrize("state", SESSION.moves)
async def test_every_move_that_is_not_in_the_table_is_refused_and_changes_nothing(there: Api, state: str) -> None:
    leo, path = there.as_(LEO), f"Encounter/e-{state}"
    before = await versions(leo, path)
    illegal = [status for status in STATES if status != state and status not in SESSION.moves[state]]
    for status in illegal:
        answer = await leo.patch(path, called_off() if status == "cancelled" else moved(status))
        if status == "entered-in-error":
            assert answer.status == 403
        else:
            assert (answer.status, answer.keys) == (409, {"session-move"}), (state, status, answer.body)
    assert len(illegal) >= 5
    assert await versions(leo, path) == before


@pytest.mark.parametrize("status", [each for each in STATES if each not in SESSION.starts])
async def test_a_session_does_not_begin_in_the_middle(there: Api, status: str) -> None:
    answer = await there.as_(MAYA).post("Encounter", session(status=status, extension=called_off()[1]["value"]))
    assert (answer.status, answer.keys) == (422, {"session-start"})


async def test_the_history_is_the_servers_whatever_is_sent(there: Api) -> None:
    maya = there.as_(MAYA)
    invented = [{"status": "triaged", "period": {"start": "2020-01-01", "end": "2020-01-02"}}]
    encounter = await made(maya, session(statusHistory=invented))
    said = (await maya.get(encounter)).json
    assert "statusHistory" not in said
    said = (await maya.put(encounter, said | {"status": "arrived", "statusHistory": invented})).json
    assert [each["status"] for each in said["statusHistory"]] == ["planned"]
    same = await maya.patch(encounter, [{"op": "remove", "path": "/statusHistory"}])
    assert same.json["statusHistory"] == said["statusHistory"]


async def test_a_session_can_pause_and_what_it_told_stays(there: Api) -> None:
    maya = there.as_(MAYA)
    encounter = await begun(maya, "cora")
    for status in ("onleave", "in-progress", "onleave"):
        assert (await maya.patch(encounter, moved(status))).status == 200
    said = (await maya.get(encounter)).json
    assert [each["status"] for each in said["statusHistory"]] == ["planned", "arrived", "in-progress", "onleave", "in-progress"]
    without = {name: value for name, value in said.items() if name != "period"}
    assert (await maya.put(encounter, without)).json["period"] == said["period"]
    assert (await maya.patch(encounter, moved("entered-in-error"))).status == 200


# What is asked of a session -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", REASONS)
async def test_a_cancelled_session_says_why_in_neutral_words(there: Api, reason: str) -> None:
    maya = there.as_(MAYA)
    encounter = await made(maya, session("eve"))
    before = (await maya.get(encounter)).body
    for wrong in (moved("cancelled"), called_off("non-compliant")):
        answer = await maya.patch(encounter, wrong)
        assert (answer.status, answer.keys) == (422, {"session-cancellation"})
        assert (await maya.get(encounter)).body == before
    said = (await maya.patch(encounter, called_off(reason))).json
    assert said["extension"][0]["url"] == CANCELLED
    assert [each["status"] for each in said["statusHistory"]] == ["planned"]


async def test_a_session_is_finished_with_what_was_observed_and_a_draft_of_a_note(there: Api) -> None:
    maya = there.as_(MAYA)
    encounter = await begun(maya)
    here: dict[str, Any] = {"encounter": {"reference": encounter}}
    refused = await maya.patch(encounter, moved("finished"))
    assert (refused.status, refused.keys) == (422, {"session-observed", "session-noted"})
    await made(maya, note(context={"encounter": [{"reference": encounter}]}))
    assert (await maya.patch(encounter, moved("finished"))).keys == {"session-observed"}
    unknown = observation(**here, dataAbsentReason={"text": "Ana would rather not say"})
    del unknown["valueInteger"]
    await made(maya, unknown)
    answer = await maya.patch(encounter, moved("finished"))
    assert answer.status == 200, answer.body


async def test_a_session_stays_one(there: Api) -> None:
    maya = there.as_(MAYA)
    encounter = await made(maya, session())
    answer = await maya.patch(encounter, [{"op": "remove", "path": "/type"}])
    assert (answer.status, answer.keys) == (422, {"session-type"})


async def test_who_takes_part_moves_a_session_and_a_case_manager_cancels_and_corrects_it(api: Api) -> None:
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    planned = await made(maya, session())
    answer = await ruth.patch(planned, moved("arrived"))
    assert (answer.status, answer.keys) == (403, {"session-moved"})
    assert (await ruth.patch(planned, called_off("unsafe-environment"))).status == 200
    over = await finished(maya)
    answer = await maya.patch(over, moved("entered-in-error"))
    assert (answer.status, answer.keys) == (403, {"session-corrected"})
    assert (await ruth.patch(over, moved("entered-in-error"))).status == 200
    joined = await made(ruth, session(participant=[held("maya"), held("ruth", "SPRF")]))
    assert (await ruth.patch(joined, moved("arrived"))).status == 200


# One at a time --------------------------------------------------------------------------------------------------------


async def test_a_companion_and_a_client_are_in_one_session_at_a_time(api: Api) -> None:
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    first = await begun(maya)
    second = await made(maya, session("eve"))
    await maya.patch(second, moved("arrived"))
    refused = await maya.patch(second, moved("in-progress"))
    assert (refused.status, refused.keys) == (409, {"session-in-progress"})
    assert (await maya.get(second)).json["status"] == "arrived"
    by_another = await ruth.post("Encounter", session(by="ruth", status="in-progress"))
    assert (by_another.status, by_another.json) == (409, refused.json)
    assert (await maya.patch(first, moved("onleave"))).status == 200
    assert (await maya.patch(second, moved("in-progress"))).status == 409
    assert (await maya.patch(first, moved("entered-in-error"))).status == 200
    assert (await maya.patch(second, moved("in-progress"))).status == 200


async def test_two_sessions_of_one_transaction_do_not_go_on_together(there: Api) -> None:
    both: list[JsonObject] = [{"resource": session("ben", "omar", "in-progress"), "request": {"method": "POST", "url": "Encounter"}}] * 2
    answer = await there.as_(OMAR).post("", {"resourceType": "Bundle", "type": "transaction", "entry": both})
    assert (answer.status, answer.keys) == (409, {"session-in-progress"})
    assert (await there.as_(OMAR).get("Encounter?patient=ben&status=in-progress")).ids == set()


async def test_of_twenty_that_begin_at_once_one_does(api: Api) -> None:
    maya = api.as_(MAYA)
    sessions = [await made(maya, session(("ana", "cora", "eve")[number % 3], status="arrived")) for number in range(20)]
    answers = await asyncio.gather(*(maya.patch(each, moved("in-progress")) for each in sessions))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 19
    assert len({answer.body for answer in answers if answer.status == 409}) == 1
    states = [(await maya.get(each)).json["status"] for each in sessions]
    assert sorted(states) == ["arrived"] * 19 + ["in-progress"]


# Phones that were offline ---------------------------------------------------------------------------------------------


async def test_a_session_that_took_place_offline_is_posted_once_as_it_was(there: Api) -> None:
    maya = there.as_(MAYA)
    sent = late("a1")
    first, again = await maya.post("", sent), await maya.post("", sent)
    assert locations(first) == locations(again)
    encounter, mood, draft = [(await maya.get(each)).json for each in locations(first)]
    told = sent["entry"][0]["resource"]
    assert (encounter["statusHistory"], encounter["period"]) == (told["statusHistory"], told["period"])
    assert mood["encounter"] == draft["context"]["encounter"][0] == {"reference": locations(first)[0]}
    assert (await maya.get(f"{locations(first)[0]}/_history")).json["total"] == 1


LATER, EARLIER = "2026-11-10T12:00:01Z", "2026-11-10T08:59:00Z"


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({"period": {"start": "2026-11-10T09:00:00Z", "end": LATER}}, "session-times"),
        ({"period": {"start": "2026-11-10T09:00:00Z"}}, "session-times"),
        ({"statusHistory": [{"status": "in-progress", "period": {"start": EARLIER, "end": LATER}}]}, "session-times"),
        ({"statusHistory": [{"status": "planned", "period": {"start": EARLIER, "end": EARLIER}}]}, "session-history"),
        ({"statusHistory": [{"status": "cancelled", "period": {"start": EARLIER, "end": EARLIER}}]}, "session-history"),
    ],
)
async def test_what_could_not_have_been_is_refused_and_nothing_is_stored(there: Api, told: JsonObject, key: str) -> None:
    maya = there.as_(MAYA)
    answer = await maya.post("", late("never", **told))
    assert (answer.status, answer.keys) == (422, {key})
    assert (await maya.get("Observation?identifier=https://phone.example/maya|never-mood")).ids == set()


async def test_what_is_posted_late_must_be_complete(there: Api) -> None:
    maya = there.as_(MAYA)
    sent = late("half")
    for left, key in ((sent["entry"][:2], "session-noted"), ([sent["entry"][0], sent["entry"][2]], "session-observed")):
        answer = await maya.post("", sent | {"entry": left})
        assert (answer.status, answer.keys) == (422, {key})
    assert (await maya.get("Encounter?identifier=https://phone.example/maya|half-session")).ids == set()


async def test_what_is_still_to_come_was_not_observed(there: Api) -> None:
    sent = late("ahead")
    sent["entry"][1]["resource"]["effectiveDateTime"] = LATER
    answer = await there.as_(MAYA).post("", sent)
    assert (answer.status, answer.keys) == (422, {"session-times"})


async def test_a_clock_that_is_ahead_hinders_nobody(api: Api) -> None:
    maya, encounter = api.as_(MAYA), await made(api.as_(MAYA), session(status="arrived"))
    ahead = {"op": "add", "path": "/period", "value": {"start": "2026-11-10T12:05:00Z", "end": "2026-11-10T13:00:00Z"}}
    assert (await maya.patch(encounter, moved("in-progress", ahead))).json["period"]["start"][:16] == "2026-11-10T12:00"
    await made(maya, observation(encounter={"reference": encounter}, effectiveDateTime="2026-11-10T12:05:00Z"))
    await made(maya, note(context={"encounter": [{"reference": encounter}]}))
    end = {"op": "add", "path": "/period/end", "value": "2026-11-10T12:05:00Z"}
    assert (await maya.patch(encounter, moved("finished", end))).json["period"]["end"][:16] == "2026-11-10T12:00"


async def test_times_that_a_companion_tells_are_kept_where_they_can_be(api: Api) -> None:
    maya, encounter = api.as_(MAYA), await made(api.as_(MAYA), session(status="arrived"))
    begins = {"op": "add", "path": "/period", "value": {"start": "2026-11-10T11:50:00Z"}}
    await maya.patch(encounter, moved("in-progress", begins))
    await made(maya, observation(encounter={"reference": encounter}))
    await made(maya, note(context={"encounter": [{"reference": encounter}]}))
    early, end = ({"op": "add", "path": "/period/end", "value": f"2026-11-10T{hour}:00Z"} for hour in ("11:40", "11:55"))
    assert (await maya.patch(encounter, moved("finished", early))).status == 422
    told = (await maya.patch(encounter, moved("finished", end))).json["period"]
    assert told == {"start": "2026-11-10T11:50:00Z", "end": "2026-11-10T11:55:00Z"}


async def test_a_case_manager_tells_of_a_session_that_was_anothers(there: Api) -> None:
    told: dict[str, Any] = {"period": {"start": "2026-11-09T10:00:00Z", "end": "2026-11-09T11:00:00Z"}}
    assert (await there.as_(RUTH).post("Encounter", session(status="finished", **told))).status == 201
    assert (await there.as_(MAYA).post("Encounter", session(status="finished", **told))).keys == {"session-observed", "session-noted"}
