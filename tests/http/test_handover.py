"""Handover: one member of the care team ends, the next begins, and what was open moves, all of it or nothing (domain.md 7)."""
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, serving
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, OMAR, RUTH, SAM, Caller
from tests.databases import Databases
from tests.http.supervising import case_discussion, ref, task

PATH = "EpisodeOfCare/{}/$handover"


def asked(to: str = "PractitionerRole/leo", **more: Any) -> JsonObject:
    said: list[JsonObject] = [{"name": "to", "valueReference": ref(to)}]
    for name, value in more.items():
        slot = {"from_": "valueReference", "period": "valuePeriod", "note": "valueString"}[name]
        said.append({"name": name.rstrip("_"), slot: value})
    return {"resourceType": "Parameters", "parameter": said}


def references(answer: JsonObject, name: str) -> list[str]:
    return [one["valueReference"]["reference"] for one in answer["parameter"] if one["name"] == name]


@pytest.fixture
async def busy(databases: Databases, world_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The fixture world, in which Maya and Ruth have open Tasks of Ana's."""
    url = databases.clone(world_template)
    hers = task("escalation", "Practitioner/maya", **{"id": "hers", "for": ref("Patient/ana")})
    done = task("escalation", "Practitioner/maya", **{"id": "done", "for": ref("Patient/ana"), "status": "completed"})
    coras = task("escalation", "Practitioner/maya", **{"id": "coras", "for": ref("Patient/cora")})
    async with serving(url, tmp_path, [hers, done, coras, case_discussion(id="ruths")]) as server:
        yield server
    databases.drop(url)


async def test_the_next_companion_begins_where_the_last_one_ends(busy: Api) -> None:
    ruth, leo, maya = busy.as_(RUTH), busy.as_(LEO), busy.as_(MAYA)
    assert (await leo.get("Patient/ana")).status == 404
    answer = await ruth.post(PATH.format("eoc-ana"), asked(note="Ana <likes> to be asked."))
    assert answer.status == 200, answer.body
    assert (await leo.get("Patient/ana")).status == 200
    assert (await maya.get("Patient/ana")).status == 404
    team = (await ruth.get("CareTeam/ct-ana")).json
    assert team["participant"][0]["period"]["end"] == team["participant"][-1]["period"]["start"] == "2026-11-10T12:00:00.000000Z"
    assert team["participant"][-1]["member"] == ref("Practitioner/leo")
    assert team["participant"][-1]["role"] == team["participant"][0]["role"]
    assert references(answer.json, "careTeam") == ["CareTeam/ct-ana"]
    assert references(answer.json, "task") == ["Task/hers"]
    owners = {id: (await ruth.get(f"Task/{id}")).json["owner"]["reference"] for id in ("hers", "done", "coras", "ruths")}
    assert owners == {"hers": "Practitioner/leo", "done": "Practitioner/maya", "coras": "Practitioner/maya", "ruths": "Practitioner/ruth"}
    assert (await maya.get("DocumentReference/d-ana-2")).status == 200  # for seven days, to finish her own


async def test_its_document_is_a_draft_of_the_teams_and_the_client_is_asked(busy: Api) -> None:
    answer = await busy.as_(RUTH).post(PATH.format("eoc-ana"), asked(note="Ana <likes> to be asked."))
    [document] = references(answer.json, "composition")
    said = (await busy.as_(LEO).get(document)).json
    assert (said["status"], said["author"], said["subject"]) == ("preliminary", [ref("Practitioner/ruth")], ref("Patient/ana"))
    sections = {section["title"]: section for section in said["section"]}
    assert sections["From and to"]["entry"] == [ref("Practitioner/maya"), ref("Practitioner/leo")]
    assert sections["Open tasks"]["entry"] == [ref("Task/hers")]
    assert "Ana &lt;likes&gt; to be asked." in sections["What matters"]["text"]["div"]
    assert {"SUD", "PSY", "42CFRPart2"} <= {each["code"] for each in said["meta"]["security"]}
    for other in (CHEN, APP_ANA):
        assert (await busy.as_(other).get(document)).status == 404
    [check] = references(answer.json, "preferenceCheck")
    told = (await busy.as_(APP_ANA).get(check)).json
    assert (told["owner"], told["status"], told["for"]) == (ref("Patient/ana"), "requested", ref("Patient/ana"))


async def test_a_case_manager_hands_over_too(busy: Api) -> None:
    answer = await busy.as_(RUTH).post(PATH.format("eoc-ana"), asked("Practitioner/omar", from_=ref("PractitionerRole/ruth")))
    assert answer.status == 200, answer.body
    omar = busy.as_(OMAR)
    assert (await omar.get("EpisodeOfCare/eoc-ana")).json["careManager"] == ref("Practitioner/omar")
    assert (await omar.get("Task/ruths")).json["owner"] == ref("Practitioner/omar")


async def test_a_handover_for_a_time_ends_by_itself(api: Api) -> None:
    answer = await api.as_(RUTH).post(PATH.format("eoc-ana"), asked(period={"end": "2026-11-12"}))
    assert answer.status == 200, answer.body
    api.clock.move(seconds=3 * 86_400)
    assert (await api.as_(LEO).get("Patient/ana")).status == 404


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (asked("Practitioner/maya"), "handover-to"),
        (asked("Practitioner/chen"), "handover-to"),
        (asked("Practitioner/absent"), "handover-to"),
        (asked("PractitionerRole/absent"), "handover-to"),
        (asked("Practitioner/omar", from_=ref("Practitioner/maya")), "handover-to"),
        (asked(from_=ref("Practitioner/leo")), "handover-from"),
        (asked(from_=ref("Practitioner/absent")), "handover-from"),
        (asked(from_=ref("Practitioner/chen")), "handover-from"),
        (asked(period={"start": "2026-11-11"}), "handover-period"),
        (asked(period={"end": "2026-11-09"}), "handover-period"),
    ],
)
async def test_a_pair_that_does_not_fit_is_refused_and_changes_nothing(shared: Api, body: JsonObject, key: str) -> None:
    answer = await shared.as_(RUTH).post(PATH.format("eoc-ana"), body)
    assert (answer.status, answer.keys) == (422, {key})
    assert (await shared.as_(RUTH).get("CareTeam/ct-ana")).json["meta"]["versionId"] == "1"


async def test_an_episode_that_is_not_theirs_is_not_there(shared: Api) -> None:
    answers = [await shared.as_(OMAR).post(PATH.format(id), asked()) for id in ("eoc-ana", "absent")]
    assert {(answer.status, answer.body) for answer in answers} == {(404, answers[0].body)}


@pytest.mark.parametrize("caller", [MAYA, CHEN, APP_ANA, SAM, KIM], ids=lambda one: one.name)
async def test_nobody_else_hands_over(shared: Api, caller: Caller) -> None:
    assert (await shared.as_(caller).post(PATH.format("eoc-ana"), asked())).status == 403


async def test_what_is_over_is_not_handed_over(api: Api) -> None:
    await api.load([{**(await api.as_(RUTH).get("EpisodeOfCare/eoc-eve")).json, "status": "finished"}])
    answer = await api.as_(RUTH).post(PATH.format("eoc-eve"), asked())
    assert (answer.status, answer.keys) == (409, {"handover-open"})
