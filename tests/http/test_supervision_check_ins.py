"""Check-ins: one open for each supervised companion, made once, by their cadence; what came of one completes it (domain.md 1.5)."""
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recovery_api.domain.codes import CANON
from recovery_api.domain.supervision import LIFE_CYCLES
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.care.supervision_check_ins import plan_all
from recovery_api.workers.work import work
from tests.api import Api, serving
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, OMAR, RUTH, SYS_RIVERBEND
from tests.databases import Databases
from tests.http.supervising import ROLE, case_discussion, check_in, message, outcome, ref, status

CODE = f"{CANON}/CodeSystem/task-code|supervision-check-in"
STATES = (
    "draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold", "failed", "completed",
    "entered-in-error",
)  # fmt: skip


async def open_check_ins(api: Api, role: str = ROLE) -> list[JsonObject]:
    found = await api.as_(RUTH).get("Task", focus=role, code=CODE, status="requested,accepted,in-progress,on-hold")
    return found.matches


def due(task: JsonObject) -> str:
    return task["restriction"]["period"]["end"]


async def test_the_worker_makes_the_next_check_in_by_the_cadence_from_the_last_one(api: Api) -> None:
    await plan_all(api.running.server)
    [task] = await open_check_ins(api)
    assert (task["status"], task["owner"], task["focus"]) == ("requested", ref("Practitioner/ruth"), ref(ROLE))
    assert task["restriction"]["period"] == {"start": "2026-10-20T09:00:00.000000Z", "end": "2026-11-03T09:00:00.000000Z"}
    assert "for" not in task
    assert "EMP" in {each["code"] for each in task["meta"]["security"]}
    [his] = (await api.as_(OMAR).get("Task", focus="PractitionerRole/leo", code=CODE)).matches
    assert due(his).startswith("2026-11-24T12:00:00")


async def test_several_workers_make_it_once(api: Api) -> None:
    await asyncio.gather(*(plan_all(api.running.server) for _ in range(4)))
    await plan_all(api.running.server)
    assert len(await open_check_ins(api)) == 1


async def test_the_worker_makes_it_in_its_first_round_after_a_restart(api: Api) -> None:
    for _ in range(2):
        working = asyncio.create_task(work(api.running.server))
        async with asyncio.timeout(30):
            while not await open_check_ins(api):
                assert not working.done()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert len(await open_check_ins(api)) == 1


async def test_who_sees_it(api: Api) -> None:
    await plan_all(api.running.server)
    [task] = await open_check_ins(api)
    path = f"Task/{task['id']}"
    seen = {one.name: (await api.as_(one).get(path)).status for one in (RUTH, MAYA, LEO, OMAR, CHEN, APP_ANA)}
    assert seen == {"ruth": 200, "maya": 200, "leo": 404, "omar": 404, "chen": 404, "app-ana": 404}
    assert (await api.as_(SYS_RIVERBEND).get(path)).status == 403


async def test_the_cadence_of_a_companion_is_data(api: Api) -> None:
    kim = api.as_(KIM)
    role = (await kim.get(ROLE)).json
    role["extension"].append({"url": f"{CANON}/StructureDefinition/supervision-cadence", "valuePositiveInt": 7})
    assert (await kim.put(ROLE, role)).status == 200
    await plan_all(api.running.server)
    [task] = await open_check_ins(api)
    assert due(task) == "2026-10-27T09:00:00.000000Z"


@pytest.mark.parametrize("wrong", [{"valuePositiveInt": 367}, {"valueString": "weekly"}, {"valueDecimal": 7}])
async def test_a_cadence_that_is_no_number_of_days_is_refused(shared: Api, wrong: JsonObject) -> None:
    kim = shared.as_(KIM)
    role = (await kim.get(ROLE)).json
    role["extension"].append({"url": f"{CANON}/StructureDefinition/supervision-cadence", **wrong})
    answer = await kim.put(ROLE, role)
    assert (answer.status, answer.keys) == (422, {"supervision-cadence"})


async def test_the_usual_cadence_is_a_setting(databases: Databases, world_template: str, tmp_path: Path) -> None:
    url = databases.clone(world_template)
    async with serving(url, tmp_path, SUPERVISION_CADENCE_DAYS="10") as server:
        await plan_all(server.running.server)
        [task] = await open_check_ins(server)
        assert due(task) == "2026-10-30T09:00:00.000000Z"
    databases.drop(url)


async def test_its_outcome_completes_it_and_the_next_one_is_made(api: Api) -> None:
    ruth = api.as_(RUTH)
    await plan_all(api.running.server)
    [task] = await open_check_ins(api)
    said = await ruth.post("Communication", outcome(f"Task/{task['id']}"))
    assert said.status == 201
    assert "EMP" in {each["code"] for each in said.json["meta"]["security"]}
    done = (await ruth.get(f"Task/{task['id']}")).json
    assert (done["status"], done["executionPeriod"]["end"]) == ("completed", "2026-11-10T11:30:00Z")
    assert done["output"][0]["valueReference"] == ref(f"Communication/{said.json['id']}")
    [following] = await open_check_ins(api)
    assert due(following) == "2026-11-24T11:30:00.000000Z"
    again = await ruth.post("Communication", outcome(f"Task/{task['id']}"))
    assert (again.status, again.keys) == (409, {"check-in-move"})
    assert (await ruth.get("Communication", sender="Practitioner/ruth")).ids == {said.json["id"]}


async def test_the_companions_reply_completes_nothing(api: Api) -> None:
    await plan_all(api.running.server)
    [task] = await open_check_ins(api)
    asked = await api.as_(RUTH).post("Communication", message("supervision", "Practitioner/ruth", "Practitioner/maya"))
    reply = message(
        "supervision", "Practitioner/maya", "Practitioner/ruth",
        inResponseTo=[ref(f"Communication/{asked.json['id']}")], basedOn=[ref(f"Task/{task['id']}")],
    )  # fmt: skip
    assert (await api.as_(MAYA).post("Communication", reply)).status == 201
    assert (await api.as_(RUTH).get(f"Task/{task['id']}")).json["status"] == "requested"


async def test_cancelling_one_makes_the_next_one_no_later(api: Api) -> None:
    await plan_all(api.running.server)
    [task] = await open_check_ins(api)
    assert (await api.as_(RUTH).patch(f"Task/{task['id']}", status("cancelled"))).status == 200
    [following] = await open_check_ins(api)
    assert due(following) == due(task)


async def test_completed_by_hand_it_needs_its_outcome(api: Api) -> None:
    ruth = api.as_(RUTH)
    await plan_all(api.running.server)
    [task] = await open_check_ins(api)
    bare = await ruth.patch(f"Task/{task['id']}", status("completed"))
    assert (bare.status, bare.keys, bare.places) == (422, {"check-in-outcome"}, {"Task.output"})
    said = await ruth.post("Communication", message("supervision", "Practitioner/ruth", "Practitioner/maya"))
    output = [{"type": {"text": "outcome"}, "valueReference": ref(f"Communication/{said.json['id']}")}]
    done = await ruth.patch(f"Task/{task['id']}", status("completed", output=output))
    assert done.status == 200
    assert done.json["executionPeriod"]["end"].startswith("2026-11-10T12:00:0")
    assert len(await open_check_ins(api)) == 1


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"for": ref("Patient/ana")}, "check-in-client"),
        ({"focus": ref("Practitioner/maya")}, "check-in-focus"),
        ({"focus": None}, "check-in-focus"),
        ({"owner": "Organization/org-cir"}, "check-in-owner"),
        ({"status": "completed"}, "check-in-outcome"),
        ({"status": "on-hold"}, "check-in-start"),
    ],
)
async def test_a_check_in_that_is_none_is_refused(shared: Api, more: JsonObject, key: str) -> None:
    answer = await shared.as_(RUTH).post("Task", check_in(**more))
    assert (answer.status, answer.keys) == (422, {key})


@pytest.fixture(scope="module")
async def tasks(databases: Databases, world_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A world with a check-in and a case discussion in each state."""
    url = databases.clone(world_template)
    made = [
        build(id=f"t-{code}-{state}", status=state) for code, build in (("in", check_in), ("case", case_discussion)) for state in STATES
    ]
    async with serving(url, tmp_path_factory.mktemp("tasks"), made) as server:
        yield server
    databases.drop(url)


MOVES = [
    (code, name, before, after)
    for code, name in (("in", "supervision-check-in"), ("case", "case-discussion"))
    for before in STATES
    for after in STATES
    if before != after and after not in LIFE_CYCLES[name].moves.get(before, ())
]


@pytest.mark.parametrize("code", ["in", "case"])
async def test_every_move_that_is_not_in_the_table_is_refused_and_changes_nothing(tasks: Api, code: str) -> None:
    ruth = tasks.as_(RUTH)
    told: dict[Any, Any] = {}
    for one, name, before, after in MOVES:
        if one == code:
            answer = await ruth.patch(f"Task/t-{code}-{before}", status(after))
            told[before, after] = (answer.status, answer.keys) == (409, {f"{LIFE_CYCLES[name].name}-move"})
    assert len(told) > 100
    assert all(told.values()), [move for move, right in told.items() if not right]
    for state in STATES:
        kept = (await ruth.get(f"Task/t-{code}-{state}")).json
        assert (kept["status"], kept["meta"]["versionId"]) == (state, "1")


async def test_a_task_does_not_become_or_stop_being_a_check_in(tasks: Api) -> None:
    ruth = tasks.as_(RUTH)
    for id in ("t-in-requested", "t-case-requested"):
        other = [{"op": "replace", "path": "/code", "value": {"text": "Something else"}}]
        answer = await ruth.patch(f"Task/{id}", other)
        assert answer.status == 422
        assert answer.keys <= {"check-in-code", "case-discussion-code"}
