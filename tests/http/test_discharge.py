"""The end of an engagement, and the life cycles of EpisodeOfCare and CareTeam (domain.md 1.2)."""
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recovery_api.domain.codes import CANON
from recovery_api.domain.episodes import CARE_TEAM, EPISODE, REASONS
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.domain.sessions import cancellation_of
from recovery_api.fhir.json import JsonObject, load
from recovery_api.interactions import make
from recovery_api.store.visibility import SYSTEM
from tests.api import Api, serving
from tests.callers import CHEN, KIM, LEO, MAYA, RUTH
from tests.databases import Databases
from tests.http.recorded import made
from tests.http.resources import care_team, session
from tests.http.supervising import ref, status, task
from tests.http.test_appointments import appointment

REASON = {"url": f"{CANON}/StructureDefinition/discharge-reason"}


def reasoned(value: str, code: str) -> list[JsonObject]:
    return status(value, extension=[{**REASON, "valueCode": code}])


def of_ana(code: str, id: str, **more: Any) -> JsonObject:
    return task(code, **({"id": id, "for": ref("Patient/ana")} | more))


@pytest.fixture
async def busy(databases: Databases, world_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The fixture world, in which something of Ana's is open."""
    url = databases.clone(world_template)
    made = [
        of_ana("note-review", "review"),
        of_ana("case-discussion", "talk", status="in-progress"),
        of_ana("emergency-review", "owed"),
        session(id="e-planned"),
        session(id="e-arrived", status="arrived", statusHistory=[{"status": "planned", "period": {"end": "2026-11-10T11:00:00Z"}}]),
        session(id="e-open", status="in-progress"),
    ]
    async with serving(url, tmp_path, made) as server:
        yield server
    databases.drop(url)


async def stored(api: Api, target: str) -> JsonObject:
    """A resource, whoever may read it."""

    type_, _, id_ = target.partition("/")
    async with api.running.server.store.reader(SYSTEM) as reader:
        record = await reader.read(type_, id_)
    assert record is not None
    return load(record.body or b"")


@pytest.mark.parametrize("at_once", [1_000, 1])
async def test_with_the_episode_end_care_team_tasks_and_planned_sessions(
    busy: Api, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """However many there are: the server looks for a thousand at once."""
    monkeypatch.setattr(make, "AT_ONCE", at_once)
    answer = await busy.as_(RUTH).patch("EpisodeOfCare/eoc-ana", reasoned("finished", "client-initiated"))
    assert answer.status == 200, answer.body
    [*_, last] = answer.json["statusHistory"]
    assert (last["status"], last["period"]["end"][:19]) == ("active", "2026-11-10T12:00:00")
    team = await stored(busy, "CareTeam/ct-ana")
    assert team["status"] == "inactive"
    assert {each["period"]["end"][:19] for each in [team, *team["participant"]]} == {"2026-11-10T12:00:00"}
    states = {id: (await stored(busy, f"Task/{id}"))["status"] for id in ("review", "talk", "owed", "task-esc-ana-1")}
    assert states == {"review": "cancelled", "talk": "cancelled", "owed": "requested", "task-esc-ana-1": "completed"}
    assert (await stored(busy, "Task/review"))["statusReason"]["coding"][0]["code"] == "discharge"
    sessions = {id: (await stored(busy, f"Encounter/{id}"))["status"] for id in ("e-planned", "e-arrived", "e-open", "e-ana-1")}
    assert sessions == {"e-planned": "cancelled", "e-arrived": "cancelled", "e-open": "in-progress", "e-ana-1": "finished"}
    past = (await stored(busy, "Encounter/e-arrived"))["statusHistory"]
    assert [each["status"] for each in past] == ["planned", "arrived"]
    assert past[1]["period"]["start"] == "2026-11-10T11:00:00Z"
    assert {cancellation_of(await stored(busy, f"Encounter/{id}")) for id in ("e-planned", "e-arrived")} == {"engagement-ended"}
    for caller in (MAYA, RUTH, CHEN):
        assert (await busy.as_(caller).get("Patient/ana")).status == 404


async def test_a_companion_finishes_her_notes_for_seven_days_after_a_discharge_too(api: Api) -> None:
    kept, closed = ("DocumentReference/d-ana-2", "Binary/b-ana-2", "Encounter/e-ana-2"), ("Patient/ana", "Observation/o-ana-mood")
    assert [(await api.as_(MAYA).get(path)).status for path in (*kept, *closed)] == [200] * 5
    assert (await api.as_(RUTH).patch("EpisodeOfCare/eoc-ana", status("finished"))).status == 200

    async def told() -> list[int]:
        return [(await api.as_(MAYA).get(path)).status for path in (*kept, *closed)]

    assert await told() == [200, 200, 200, 404, 404]
    assert {"d-ana-1", "d-ana-2"} <= (await api.as_(MAYA).get("DocumentReference")).ids
    assert (await api.as_(LEO).get(kept[0])).status == 404
    api.clock.move(seconds=3 * 86_400)
    draft = (await api.as_(MAYA).get(kept[0])).json
    assert (await api.as_(MAYA).put(kept[0], draft | {"description": "With the end of it"})).status == 200
    assert (await api.as_(MAYA).request("POST", f"{kept[0]}/$submit", headers={"if-match": 'W/"2"'})).status == 200
    api.clock.move(seconds=4 * 86_400 + 1)
    assert await told() == [404] * 5


async def test_who_only_leaves_a_team_that_is_closed_without_an_end_keeps_nothing(api: Api) -> None:
    team = (await api.as_(RUTH).get("CareTeam/ct-ana")).json
    assert (await api.as_(RUTH).put("CareTeam/ct-ana", team | {"status": "inactive"})).status == 200
    assert (await api.as_(MAYA).get("DocumentReference/d-ana-2")).status == 404


async def test_what_was_booked_is_called_off_with_its_session(api: Api) -> None:
    ruth = api.as_(RUTH)
    booked, over = [await made(ruth, appointment()) for _ in range(2)]
    said = (await ruth.get(over)).json
    assert (await ruth.put(over, said | {"status": "fulfilled"})).status == 200
    [planned] = (await ruth.get(f"Encounter?appointment={booked}")).matches
    assert (await ruth.patch("EpisodeOfCare/eoc-ana", status("finished"))).status == 200
    session = await stored(api, f"Encounter/{planned['id']}")
    assert (session["status"], cancellation_of(session)) == ("cancelled", "engagement-ended")
    [past] = session["statusHistory"]
    now = session["meta"]["lastUpdated"]
    assert past == {"status": "planned", "period": {"start": planned["meta"]["lastUpdated"], "end": now}}
    called_off = await stored(api, booked)
    assert (called_off["status"], called_off["meta"]["lastUpdated"]) == ("cancelled", now)
    assert called_off["cancelationReason"]["coding"][0]["code"] == "engagement-ended"
    assert (await stored(api, over))["status"] == "fulfilled"


async def test_an_open_escalation_is_closed_first(api: Api) -> None:
    ruth = api.as_(RUTH)
    await api.load([of_ana("escalation", "urgent")])
    answer = await ruth.patch("EpisodeOfCare/eoc-ana", status("finished"))
    assert (answer.status, answer.keys) == (409, {"discharge-escalation"})
    assert (await ruth.get("EpisodeOfCare/eoc-ana")).json["meta"]["versionId"] == "1"
    assert (await ruth.get("CareTeam/ct-ana")).json["status"] == "active"
    await api.load([of_ana("escalation", "urgent", status="completed")])
    assert (await ruth.patch("EpisodeOfCare/eoc-ana", status("finished"))).status == 200


async def test_where_another_episode_goes_on_only_its_own_care_team_ends(busy: Api) -> None:
    other = {"resourceType": "EpisodeOfCare", "status": "active", "patient": ref("Patient/ana"), "team": [ref("CareTeam/ct-ana")]}
    assert (await busy.as_(RUTH).post("EpisodeOfCare", other)).status == 201
    assert (await busy.as_(RUTH).patch("EpisodeOfCare/eoc-ana", status("finished"))).status == 200
    assert (await busy.as_(RUTH).get("CareTeam/ct-ana")).json["status"] == "active"
    assert (await busy.as_(RUTH).get("Task/review")).json["status"] == "requested"
    assert (await busy.as_(RUTH).get("Encounter/e-planned")).json["status"] == "planned"


async def test_the_history_of_its_states_is_the_servers_own(api: Api) -> None:
    ruth = api.as_(RUTH)
    before = (await ruth.get("EpisodeOfCare/eoc-ana")).json
    told = await ruth.put("EpisodeOfCare/eoc-ana", {name: value for name, value in before.items() if name != "statusHistory"})
    assert told.json["statusHistory"] == before["statusHistory"]
    held = (await ruth.patch("EpisodeOfCare/eoc-ana", status("onhold"))).json
    assert [each["status"] for each in held["statusHistory"]] == ["planned", "active"]
    assert held["statusHistory"][1]["period"]["start"] == before["statusHistory"][0]["period"]["end"]
    again = (await ruth.patch("EpisodeOfCare/eoc-ana", status("active"))).json
    assert [each["status"] for each in again["statusHistory"]] == ["planned", "active", "onhold"]


@pytest.mark.parametrize("code", sorted(REASONS))
async def test_the_reason_of_a_discharge_is_one_of_five(shared: Api, code: str) -> None:
    ruth = shared.as_(RUTH)
    wrong = await ruth.patch("EpisodeOfCare/eoc-cora", reasoned("finished", f"{code}-compliance"))
    assert (wrong.status, wrong.keys) == (422, {"discharge-reason"})
    right = [{"op": "add", "path": "/extension", "value": [{**REASON, "valueCode": code}]}]
    assert (await ruth.patch("EpisodeOfCare/eoc-cora", right)).status == 200


# Life cycles -------------------------------------------------------------------------------------------------------------

EPISODE_STATES = ("planned", "waitlist", "active", "onhold", "finished", "cancelled", "entered-in-error")
TEAM_STATES = ("proposed", "active", "suspended", "inactive", "entered-in-error")


def episode(state: str) -> JsonObject:
    return {"resourceType": "EpisodeOfCare", "id": f"eoc-{state}", "status": state, "patient": ref("Patient/eve")}


@pytest.fixture(scope="module")
async def states(databases: Databases, world_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """An episode and a care team in each state, of a client who has an active team besides."""
    url = databases.clone(world_template)
    teams = [care_team("Patient/eve") | {"id": f"ct-{state}", "status": state} for state in TEAM_STATES]
    async with serving(url, tmp_path_factory.mktemp("states"), [*map(episode, EPISODE_STATES), *teams]) as server:
        yield server
    databases.drop(url)


@pytest.mark.parametrize(
    ("cycle", "path", "known"),
    [(EPISODE, "EpisodeOfCare/eoc-{}", EPISODE_STATES), (CARE_TEAM, "CareTeam/ct-{}", TEAM_STATES)],
    ids=["EpisodeOfCare", "CareTeam"],
)
async def test_every_move_that_is_not_in_the_table_is_refused_and_changes_nothing(
    states: Api, cycle: LifeCycle, path: str, known: tuple[str, ...]
) -> None:
    ruth = states.as_(RUTH)
    illegal = [(before, after) for before in known for after in known if before != after and after not in cycle.moves[before]]
    assert len(illegal) >= 10
    for before, after in illegal:
        answer = await ruth.patch(path.format(before), status(after))
        assert (before, after, answer.status, answer.keys) == (before, after, 409, {f"{cycle.name}-move"})
    for state in known:
        kept = (await ruth.get(path.format(state))).json
        assert (kept["status"], kept["meta"]["versionId"]) == (state, "1")


async def test_what_does_not_begin_so_is_refused(states: Api) -> None:
    for state in set(EPISODE_STATES) - EPISODE.starts:
        answer = await states.as_(RUTH).post("EpisodeOfCare", episode(state))
        assert (answer.status, answer.keys) == (422, {"episode-start"})
    for state in set(TEAM_STATES) - CARE_TEAM.starts:
        answer = await states.as_(KIM).post("CareTeam", care_team("Patient/eve") | {"status": state})
        assert (answer.status, answer.keys) == (422, {"care-team-start"})


async def test_a_companion_who_is_in_a_session_is_still_waited_for(api: Api) -> None:
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    arrived = await made(maya, session(status="arrived"))
    timer = (await ruth.get("Task", encounter=arrived, code="session-timer")).matches
    assert (await maya.patch(arrived, status("in-progress"))).status == 200
    assert (await ruth.patch("EpisodeOfCare/eoc-ana", status("finished"))).status == 200
    assert [(await stored(api, f"Task/{one['id']}"))["status"] for one in timer] == ["in-progress"]
