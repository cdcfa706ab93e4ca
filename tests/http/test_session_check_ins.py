"""$check-in and the timer that waits for it: who hears of what, once, and that duress looks like everything else (domain.md 1.3, 7)."""
import asyncio
from pathlib import Path

import pytest

from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.care.session_check_ins import miss
from tests.api import Api, Client, Response, serving
from tests.callers import APP_ANA, CHEN, IRIS, KIM, LEO, MAYA, OMAR, RUTH, SYS_RIVERBEND
from tests.databases import Databases
from tests.http.recorded import called_off, made, moved, tasks_of
from tests.http.resources import session

PLANNED = {"start": "2026-11-10T12:00:00Z", "end": "2026-11-10T14:00:00Z"}
SAID = ("ok", "need-support", "duress")


def said(status: str) -> JsonObject:
    return {"resourceType": "Parameters", "parameter": [{"name": "status", "valueCode": status}]}


async def check_in(client: Client, encounter: str, status: str = "ok") -> Response:
    answer = await client.post(f"{encounter}/$check-in", said(status))
    assert answer.status == 200, answer.body
    return answer


async def arrived(api: Api, client: str = "ana") -> str:
    encounter = await made(api.as_(MAYA), session(client, period=PLANNED))
    assert (await api.as_(MAYA).patch(encounter, moved("arrived"))).status == 200
    return encounter


async def tasks(api: Api, encounter: str, code: str) -> list[JsonObject]:
    return (await api.as_(RUTH).get(f"{tasks_of(code)}&encounter={encounter}")).matches


async def timer(api: Api, encounter: str) -> tuple[str, str]:
    """The state of the session's only timer, and when it ends."""
    [task] = await tasks(api, encounter, "session-timer")
    assert task["owner"] == {"reference": "Practitioner/ruth"}
    return task["status"], task["restriction"]["period"]["end"][11:16]


async def test_the_timer_starts_with_the_arrival_and_ends_with_the_session(api: Api) -> None:
    maya = api.as_(MAYA)
    encounter = await made(maya, session(period=PLANNED))
    assert await tasks(api, encounter, "session-timer") == []
    await maya.patch(encounter, moved("arrived"))
    assert await timer(api, encounter) == ("in-progress", "14:30")
    await maya.patch(encounter, moved("in-progress"))
    assert await timer(api, encounter) == ("in-progress", "14:30")
    await maya.patch(encounter, moved("entered-in-error"))
    assert await timer(api, encounter) == ("cancelled", "14:30")
    unplanned = await made(maya, session(status="in-progress"))
    assert await timer(api, unplanned) == ("in-progress", "14:30")
    late = await arrived(api, "cora")
    await maya.patch(late, called_off())
    assert (await timer(api, late))[0] == "cancelled"


async def test_a_check_in_pushes_the_timer_and_never_shortens_it(api: Api) -> None:
    maya, encounter = api.as_(MAYA), await arrived(api)
    early = await check_in(maya, encounter)
    assert [part["name"] for part in early.json["parameter"]] == ["next"]
    assert await timer(api, encounter) == ("in-progress", "14:30")
    api.clock.move(seconds=140 * 60)
    assert (await check_in(maya, encounter)).json["parameter"][0]["valueInstant"][11:16] == "14:50"
    assert await timer(api, encounter) == ("in-progress", "14:50")
    [first, second] = await tasks(api, encounter, "session-check-in")
    assert {first["status"], second["status"]} == {"completed"}
    assert await tasks(api, encounter, "escalation") == []


@pytest.mark.parametrize(("status", "priority", "minutes"), [("need-support", "urgent", "13:00"), ("duress", "stat", "12:15")])
async def test_who_needs_help_is_heard_by_the_case_manager(api: Api, status: str, priority: str, minutes: str) -> None:
    encounter = await arrived(api)
    await check_in(api.as_(MAYA), encounter, status)
    [task] = await tasks(api, encounter, "escalation")
    assert (task["status"], task["priority"], task["owner"]) == ("requested", priority, {"reference": "Practitioner/ruth"})
    assert (task["reasonCode"]["coding"][0]["code"], task["restriction"]["period"]["end"][11:16]) == (status, minutes)


async def test_whoever_is_on_call_hears_of_it_where_nobody_else_is_there(office: Api) -> None:
    encounter = await made(office.as_(LEO), session("ben", "leo", period=PLANNED))
    team = (await office.as_(OMAR).get("CareTeam/ct-ben")).json
    team["participant"] = [one for one in team["participant"] if one["member"]["reference"] != "Practitioner/omar"]
    assert (await office.as_(OMAR).put("CareTeam/ct-ben", team)).status == 200
    role = (await office.as_(KIM).get("PractitionerRole/leo")).json
    del role["extension"]
    assert (await office.as_(KIM).put("PractitionerRole/leo", role)).status == 200
    assert (await office.as_(LEO).patch(encounter, moved("arrived"))).status == 200
    for status in ("need-support", "duress"):
        await check_in(office.as_(LEO), encounter, status)
    office.clock.move(seconds=3 * 3_600)
    await miss(office.running.server)
    heard = (await office.as_(IRIS).get(tasks_of("escalation"))).matches
    assert {each["reasonCode"]["coding"][0]["code"] for each in heard} == {"need-support", "duress", "missed"}
    assert {each["owner"]["reference"] for each in heard} == {"Practitioner/iris"}


async def test_duress_looks_like_ok_to_everybody_but_the_case_manager(api: Api) -> None:
    """The same bytes and headers, by the same statements; and nothing that the companion reads afterwards tells them apart."""
    maya = api.as_(MAYA)
    ana, cora = await arrived(api), await arrived(api, "cora")
    told: list[tuple[bytes, dict[str, str], list[str], list[object]]] = []
    for encounter, status in ((ana, "ok"), (cora, "duress"), (ana, "duress"), (cora, "ok")):
        await maya.get("Practitioner/maya")
        with api.statements() as asked:
            answer = await check_in(maya, encounter, status)
        ran = [each.sql for each in asked]
        seen = [(await maya.get(path)).json["total"] for path in ("Task", f"Task?encounter={encounter}", "Flag", "Communication")]
        version = (await maya.get(encounter)).json["meta"]["versionId"]
        told.append((answer.body, {**answer.headers, "x-request-id": ""}, ran, [*seen, version]))
    assert told[0][2]
    assert told.count(told[0]) == 4
    assert len(await tasks(api, ana, "escalation")) == len(await tasks(api, cora, "escalation")) == 1
    assert len((await maya.get(f"{ana}/_history")).json["entry"]) == 2


async def test_nobody_outside_nor_the_client_nor_the_companion_sees_timers_and_check_ins(api: Api) -> None:
    encounter = await arrived(api)
    for status in SAID:
        await check_in(api.as_(MAYA), encounter, status)
    found = [each["id"] for code in ("session-timer", "session-check-in", "escalation") for each in await tasks(api, encounter, code)]
    assert len(found) == 4
    for caller in (MAYA, LEO, OMAR, CHEN, SYS_RIVERBEND, APP_ANA):
        for id in found:
            assert (await api.as_(caller).get(f"Task/{id}")).status in {403, 404}
    everything = await api.as_(APP_ANA).get("Patient/ana/$everything?_count=500")
    assert not {*found} & everything.ids
    assert not {*found} & (await api.as_(MAYA).get("Task?_count=500")).ids


async def test_help_is_heard_in_every_state_and_only_from_who_takes_part(api: Api) -> None:
    answer = await check_in(api.as_(MAYA), "Encounter/e-cora-1", "duress")
    assert answer.json == {"resourceType": "Parameters"}
    assert len(await tasks(api, "Encounter/e-cora-1", "escalation")) == 1
    assert (await api.as_(LEO).post("Encounter/e-cora-1/$check-in", said("ok"))).status == 404
    by_ruth = await made(api.as_(RUTH), session(by="ruth"))
    assert (await api.as_(MAYA).post(f"{by_ruth}/$check-in", said("ok"))).keys == {"own-session"}
    assert (await api.as_(RUTH).post(f"{by_ruth}/$check-in", said("ok"))).status == 403
    for wrong in (said("lost"), said("ok") | {"parameter": [*said("ok")["parameter"], {"name": "geo", "valueString": "51.5,-0.1"}]}):
        assert (await api.as_(MAYA).post("Encounter/e-cora-1/$check-in", wrong)).status == 400


async def test_a_missed_check_in_is_told_once_whatever_restarts_and_however_many_workers_look(
    databases: Databases, world_template: str, tmp_path: Path
) -> None:
    url = databases.clone(world_template)
    async with serving(url, tmp_path) as first, serving(url, tmp_path) as second:
        encounter, other = await arrived(first), await arrived(first, "cora")
        for server in (first, second):
            server.clock.move(seconds=150 * 60 - 1)
            await miss(server.running.server)
        assert await tasks(first, encounter, "escalation") == []
        for server in (first, second):
            server.clock.move(seconds=2)
        await asyncio.gather(*(miss(server.running.server) for server in (first, second, first)))
        for place in (encounter, other):
            [task] = await tasks(second, place, "escalation")
            assert (task["priority"], task["reasonCode"]["coding"][0]["code"]) == ("stat", "missed")
            assert (task["owner"], task["status"]) == ({"reference": "Practitioner/ruth"}, "requested")
            assert (await timer(second, place))[0] == "failed"
    async with serving(url, tmp_path) as again:
        again.clock.move(seconds=200 * 60)
        await miss(again.running.server)
        assert len(await tasks(again, encounter, "escalation")) == 1
        await check_in(again.as_(MAYA), encounter)
        assert (await timer(again, encounter))[0] == "in-progress"
        again.clock.move(seconds=31 * 60)
        await miss(again.running.server)
        assert len(await tasks(again, encounter, "escalation")) == 2
    databases.drop(url)
