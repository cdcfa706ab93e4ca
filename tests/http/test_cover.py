"""Cover for a colleague: who may, what it opens, until when, and who learns of it (domain.md 3.5)."""
from typing import Any

import pytest

from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Response
from tests.audit_log import records, since
from tests.callers import APP_ANA, CHEN, KIM, MAYA, OMAR, RUTH, SAM, SYS_RIVERBEND, Caller, staff
from tests.http.resources import observation
from tests.http.supervising import ref

PATH = "Patient/{}/$cover"
ELSEWHERE = staff("omar", "case-manager", "org-lakeside")


def asked(reason: str | None = "Ruth is ill.", **period: str) -> JsonObject:
    said: list[JsonObject] = [{"name": "period", "valuePeriod": period or {"end": "2026-11-12T12:00:00Z"}}]
    if reason:
        said.append({"name": "reason", "valueString": reason})
    return {"resourceType": "Parameters", "parameter": said}


def named(answer: Response) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    return {one["name"]: next(value for name, value in one.items() if name != "name") for one in answer.json["parameter"]}


async def test_who_covers_reads_and_writes_until_it_ends_by_itself(api: Api) -> None:
    omar = api.as_(OMAR, lifetime=7 * 86_400)
    assert (await omar.get("Patient/ana")).status == 404
    given = named(await omar.post(PATH.format("ana"), asked()))
    assert given["careTeam"] == ref("CareTeam/ct-ana")
    assert given["period"] == {"start": "2026-11-10T12:00:00.000000Z", "end": "2026-11-12T12:00:00.000000Z"}
    assert (await omar.get("Patient/ana")).status == 200
    assert (await omar.post("Observation", observation(by="omar"))).status == 201
    api.clock.move(seconds=2 * 86_400 - 0.000001)
    assert (await omar.get("Patient/ana")).status == 200
    api.clock.move(seconds=0.000001)
    assert (await omar.get("Patient/ana")).status == 404
    assert (await omar.get("Observation", patient="ana")).ids == set()


async def test_the_clients_case_manager_is_told(api: Api) -> None:
    given = named(await api.as_(OMAR).post(PATH.format("ana"), asked()))
    task = (await api.as_(RUTH).get(given["task"]["reference"])).json
    assert (task["owner"], task["requester"], task["for"]) == (ref("Practitioner/ruth"), ref("Practitioner/omar"), ref("Patient/ana"))
    assert task["reasonCode"] == {"text": "Ruth is ill."}
    for other in (MAYA, CHEN, APP_ANA, SAM):
        assert (await api.as_(other).get(given["task"]["reference"])).status == 404
    team = (await api.as_(CHEN).get("CareTeam/ct-ana")).json
    assert b"ill" not in str(team).encode()


async def test_it_is_recorded_with_all_that_it_wrote(api: Api) -> None:
    before = await records(api)
    given = named(await api.as_(OMAR).post(PATH.format("ana"), asked()))
    [facts] = await since(api, before)
    assert (facts.operation, facts.holder, facts.patients, facts.status) == ("cover", "Practitioner/omar", ("ana",), 200)
    assert facts.data == ("CareTeam/ct-ana/_history/2", f"{given['task']['reference']}/_history/1")


async def test_who_covers_leaves_the_care_team_as_it_is(api: Api) -> None:
    omar = api.as_(OMAR)
    await omar.post(PATH.format("ana"), asked())
    team = (await omar.get("CareTeam/ct-ana")).json
    longer = [*team["participant"][:-1], {**team["participant"][-1], "period": {"start": "2026-11-10"}}]
    for participants in (longer, team["participant"][:-1]):
        answer = await omar.put("CareTeam/ct-ana", team | {"participant": participants})
        assert (answer.status, answer.keys) == (403, {"cover-team"})
    handed = {"resourceType": "Parameters", "parameter": [{"name": "to", "valueReference": ref("Practitioner/omar")}]}
    assert (await omar.post("EpisodeOfCare/eoc-ana/$handover", handed)).status == 403
    assert (await api.as_(RUTH).put("CareTeam/ct-ana", team | {"participant": team["participant"][:-1]})).status == 200
    assert (await omar.get("Patient/ana")).status == 404


@pytest.mark.parametrize("client", ["ana", "absent", "eve-ls"])
async def test_a_client_of_another_organization_is_not_there(shared: Api, client: str) -> None:
    answers = [await shared.as_(ELSEWHERE).post(PATH.format(id), body) for id in (client, "absent") for body in (asked(), asked(None))]
    assert {(answer.status, answer.body) for answer in answers} == {(404, answers[0].body)}


async def test_who_holds_the_client_needs_none(shared: Api) -> None:
    answer = await shared.as_(RUTH).post(PATH.format("ana"), asked())
    assert (answer.status, answer.keys) == (422, {"cover-held"})
    assert (await shared.as_(RUTH).post(PATH.format("ana"), asked(None))).status == 400


@pytest.mark.parametrize(
    ("period", "status"),
    [
        ({"start": "2026-11-10T12:00:00Z", "end": "2026-11-17T12:00:01Z"}, 422),
        ({"end": "2026-11-10T12:00:00Z"}, 422),
        ({"end": "2026-11-09"}, 422),
        ({"start": "2026-12-01", "end": "2026-12-02"}, 422),
        ({"start": "2026-11-10"}, 422),
        ({"start": "tomorrow"}, 400),
    ],
)
async def test_it_lasts_seven_days_at_most(shared: Api, period: dict[str, str], status: int) -> None:
    answer = await shared.as_(OMAR).post(PATH.format("cora"), asked(**period))
    assert answer.status == status
    assert status == 400 or answer.keys == {"cover-period"}
    assert (await shared.as_(OMAR).get("Patient/cora")).status == 404


async def test_it_needs_its_reason(shared: Api) -> None:
    assert (await shared.as_(OMAR).post(PATH.format("cora"), asked(None))).status == 400


@pytest.mark.parametrize("caller", [MAYA, CHEN, APP_ANA, SAM, KIM, SYS_RIVERBEND], ids=lambda one: one.name)
async def test_nobody_else_covers(shared: Api, caller: Caller) -> None:
    for client in ("ana", "absent"):
        assert (await shared.as_(caller).post(PATH.format(client), asked())).status == 403


async def test_who_is_denied_in_person_does_not_cover(api: Api) -> None:
    consent = (await api.as_(RUTH).get("Consent/c-ana")).json
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
    denied = {"type": "deny", "actor": [{"role": role, "reference": ref("Practitioner/omar")}]}
    said = {name: value for name, value in consent.items() if name not in {"id", "meta"}} | {"provision": denied}
    assert (await api.as_(RUTH).post("Consent", said)).status == 201
    answers = [await api.as_(OMAR).post(PATH.format(id), body) for id in ("ana", "absent") for body in (asked(), asked(None))]
    assert {(answer.status, answer.body) for answer in answers} == {(404, answers[0].body)}
    assert (await api.as_(RUTH).get("CareTeam/ct-ana")).json["meta"]["versionId"] == "1"
    assert (await api.as_(RUTH).get("Task", patient="ana", code=f"{CANON}/CodeSystem/task-code|cover-notice")).ids == set()
