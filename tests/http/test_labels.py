"""The labels that the server sets on every write: by content, by what it refers to, by its client's episodes and the law."""

import base64
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recovery_api.demo.codes import diagnosis
from recovery_api.demo.world import fixture
from recovery_api.domain.codes import ACT, coding, concept, ref
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.labels import CONFIDENTIALITY
from tests.api import Api, Response, serving
from tests.callers import KIM, LEO, MAYA, RUTH, SYS_LAKESIDE
from tests.http.resources import bundle, local, note, observation, patient, post, referral, session
from tests.labels import BH, LAW, PSY, SENSITIVE, SUD, WITHOUT_LAW, act, codes, labelled, made, sensitivities, stored, versions
from tests.world import Story, by_id

ELSEWHERE = {"system": "https://elsewhere.example/labels", "code": "SUD", "display": "Theirs"}


async def found(api: Api, reference: str) -> frozenset[str]:
    return codes((await stored(api))[reference])


async def change(api: Api, reference: str, **members: Any) -> None:
    """The operator loads the resource with other members."""
    world = by_id(fixture())
    said = world[tuple(reference.split("/"))] | members  # type: ignore[index]
    await api.load([{name: value for name, value in said.items() if value is not None}])


@pytest.fixture
async def empty(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path) as server:
        yield server


async def test_the_fixture_world_has_the_sensitivities_of_the_design(shared: Api) -> None:
    there = await stored(shared)
    assert {said["id"]: sensitivities(said) for said in there.values() if sensitivities(said)} == SENSITIVE


async def test_the_law_is_on_all_of_the_clients_whom_it_protects_and_on_nobody_elses(shared: Api) -> None:
    there = await stored(shared)
    lawful = {said["id"] for said in there.values() if codes(said) >= LAW}
    assert lawful == {
        said["id"]
        for said in there.values()
        if said["resourceType"] not in WITHOUT_LAW and "ben" not in said["id"] and said["id"] != "task-checkin-maya"
    }
    assert all("R" in codes(said) for said in there.values() if codes(said))
    assert not any(codes(said) for said in there.values() if said["resourceType"] in WITHOUT_LAW)


@pytest.mark.parametrize(
    ("said", "labels"),
    [
        (observation("craving", 4), SUD),
        (observation("mood"), frozenset[str]()),
        (observation("urge-sexual"), BH | {"SEX"}),
        (observation("meal-support"), PSY),
        (observation("mood", valueInteger=None, valueCodeableConcept=diagnosis("F10.20")), SUD),
        (observation("mood", component=[{"code": local("companion-observation", "craving"), "valueInteger": 1}]), SUD),
        (observation("mood", contained=[{"resourceType": "Condition", "id": "c", "subject": ref("#"), "code": diagnosis("F43.12")}]), PSY),
        (session(reasonCode=[diagnosis("F63.0")]), BH),
        (session(reasonReference=[ref("Condition/cond-ana-aud")]), SUD),
        (session(diagnosis=[{"condition": ref("Condition/cond-ana-ptsd")}]), PSY),
        (session(), frozenset[str]()),
        (note(), SUD | PSY),
        (note(securityLabel=[concept((ACT, "SDV"))]), SUD | PSY | {"SDV"}),
    ],
)
async def test_a_new_resource_has_the_labels_of_its_content(shared: Api, said: JsonObject, labels: frozenset[str]) -> None:
    """Scenario 6: none was sent, the law of the client is on each."""
    said = {name: value for name, value in said.items() if value is not None}
    answer = made(await shared.as_(MAYA).post(said["resourceType"], said))
    assert (sensitivities(answer), codes(answer) >= LAW) == (labels, True)


async def test_labels_are_found_by_search(shared: Api) -> None:
    there = await shared.as_(MAYA).get("Condition", patient="ana", _security=f"{ACT}|SUD")
    assert there.ids == {"cond-ana-aud"}


async def test_a_caller_may_raise_and_what_was_raised_stays(api: Api) -> None:
    maya = api.as_(MAYA)
    first = made(await maya.post("Observation", observation(meta={"security": [act("HIV"), ELSEWHERE, coding(CONFIDENTIALITY, "N")]})))
    assert codes(first) == LAW | {"HIV", "SUD"}
    assert ELSEWHERE in first["meta"]["security"]
    plain = {name: value for name, value in first.items() if name != "meta"}
    second = made(await maya.put(f"Observation/{first['id']}", plain, headers={"if-match": 'W/"1"'}))
    assert codes(second) == LAW | {"HIV"}
    assert ELSEWHERE not in second["meta"]["security"]


async def test_a_patch_that_takes_labels_away_takes_none_away(api: Api) -> None:
    said = made(await api.as_(MAYA).post("Observation", observation("craving", 3)))
    patch = [{"op": "remove", "path": "/meta/security"}, {"op": "replace", "path": "/valueInteger", "value": 4}]
    after = made(await api.as_(MAYA).patch(f"Observation/{said['id']}", patch, headers={"if-match": 'W/"1"'}))
    assert codes(after) == codes(said) == LAW | SUD


async def test_computed_labels_go_when_the_content_goes_though_they_were_sent_back(api: Api) -> None:
    said = made(await api.as_(MAYA).post("Observation", observation("craving", 3)))
    said["code"] = local("companion-observation", "mood")
    assert codes(made(await api.as_(MAYA).put(f"Observation/{said['id']}", said, headers={"if-match": 'W/"1"'}))) == LAW


async def test_an_old_version_keeps_the_labels_that_it_had(api: Api) -> None:
    said = made(await api.as_(MAYA).post("Observation", observation("craving", 3)))
    said["code"] = local("companion-observation", "mood")
    await api.as_(MAYA).put(f"Observation/{said['id']}", said, headers={"if-match": 'W/"1"'})
    assert codes((await api.as_(MAYA).get(f"Observation/{said['id']}/_history/1")).json) == LAW | SUD


async def test_very_restricted_is_said_in_place_of_restricted(api: Api) -> None:
    said = made(await api.as_(MAYA).post("Observation", observation(meta={"security": [coding(CONFIDENTIALITY, "V")]})))
    assert codes(said) == (LAW - {"R"}) | {"V"}
    again = made(await api.as_(MAYA).put(f"Observation/{said['id']}", said, headers={"if-match": 'W/"1"'}))
    assert codes(again) == codes(said)


async def test_another_code_of_a_condition_relabels_what_depends_on_it_without_new_versions(api: Api) -> None:
    before = await versions(api)
    condition = (await api.as_(RUTH).get("Condition/cond-ana-ptsd")).json | {"code": diagnosis("F63.0")}
    made(await api.as_(RUTH).put("Condition/cond-ana-ptsd", condition, headers={"if-match": 'W/"1"'}))
    there = await stored(api)
    assert sensitivities(there["Encounter/e-ana-1"]) == PSY | BH  # its reasonCode says PSY itself
    assert sensitivities(there["EpisodeOfCare/eoc-ana"]) == SUD | BH
    assert sensitivities(there["DocumentReference/d-ana-2"]) == sensitivities(there["Binary/b-ana-2"]) == SUD | BH
    assert sensitivities(there["DocumentReference/d-ana-1"]) == SUD
    changed = {reference for reference, version in (await versions(api)).items() if before[reference] != version}
    assert changed == {"Condition/cond-ana-ptsd"}
    assert (await api.as_(MAYA).get("DocumentReference", patient="ana", _security=f"{ACT}|BH")).ids == {"d-ana-2"}
    assert (await api.as_(MAYA).get("DocumentReference", patient="ana", _security=f"{ACT}|PSY")).ids == set()


async def test_an_episode_that_gains_a_substance_use_diagnosis_brings_the_law_to_all_of_the_client(api: Api) -> None:
    before = await versions(api)
    await change(api, "Condition/cond-ben-dep", code=diagnosis("F10.20"))
    there = await stored(api)
    bens = [said for reference, said in there.items() if "ben" in said["id"] and reference.partition("/")[0] not in WITHOUT_LAW]
    assert all(codes(said) >= LAW for said in bens)
    assert sensitivities(there["DocumentReference/d-ben-1"]) == sensitivities(there["Binary/b-ben-1"]) == SUD | BH
    assert not codes(there["Patient/ben"])
    assert not codes(there["Consent/c-ben"])
    changed = {reference for reference, version in (await versions(api)).items() if before[reference] != version}
    assert changed == {"Condition/cond-ben-dep"}
    await change(api, "Condition/cond-ben-dep")
    assert not any("42CFRPart2" in codes(said) for said in (await stored(api)).values() if "ben" in said["id"])


async def test_old_versions_get_the_law_too(api: Api) -> None:
    await change(api, "Goal/g-ben-1", lifecycleStatus="on-hold")
    await change(api, "Condition/cond-ben-dep", code=diagnosis("F10.20"))
    assert codes((await api.as_(RUTH).get("Goal/g-ana-1/_history/1")).json) == LAW
    async with api.running.server.store.reader(api.running.server.grants.system) as reader:
        record = await reader.vread("Goal", "g-ben-1", 1)
    assert record is not None
    assert b"42CFRPart2" in (record.body or b"")


async def test_an_episode_that_loses_its_diagnosis_takes_the_law_away(api: Api) -> None:
    await change(api, "EpisodeOfCare/eoc-eve", diagnosis=None)
    there = await stored(api)
    assert not codes(there["CareTeam/ct-eve"])
    assert codes(there["Condition/cond-eve-alc"]) == SUD | {"R"}
    assert codes(there["ServiceRequest/sr-ls-401"]) == LAW | SUD


async def test_an_organization_that_stops_being_a_program_takes_the_law_away_and_brings_it_back(api: Api) -> None:
    home = (await api.as_(KIM).get("Organization/org-cir")).json
    other = {name: value for name, value in home.items() if name != "extension"}
    made(await api.as_(KIM).put("Organization/org-cir", other, headers={"if-match": 'W/"1"'}))
    lawful = {reference for reference, labels in (await labelled(api)).items() if labels >= LAW}
    assert lawful == {"ServiceRequest/sr-ls-401", "Task/task-ls-401"}
    made(await api.as_(KIM).put("Organization/org-cir", home, headers={"if-match": 'W/"2"'}))
    assert codes((await stored(api))["CareTeam/ct-ana"]) == LAW


async def test_a_signed_note_is_narrowed_by_its_security_label_and_a_draft_is_not(api: Api) -> None:
    narrowed = [concept((ACT, "PSY"))]
    await change(api, "DocumentReference/d-ana-2", securityLabel=narrowed)
    assert sensitivities((await stored(api))["DocumentReference/d-ana-2"]) == SUD | PSY
    await change(api, "DocumentReference/d-ana-2", securityLabel=narrowed, docStatus="final", authenticator=ref("Practitioner/ruth"))
    there = await stored(api)
    assert sensitivities(there["DocumentReference/d-ana-2"]) == sensitivities(there["Binary/b-ana-2"]) == PSY


async def test_a_counseling_note_and_supervision_are_labelled_as_such(api: Api) -> None:
    story = Story(blank=True)
    story.resources.clear()
    story.counseling_note("d-counsel-ana", "ana", "ruth")
    story.supervision_message("com-maya", "ruth", "maya")
    story.case_discussion("com-ana-case", "ana", "Practitioner/ruth", ["Practitioner/maya"])
    story.boundary_event("o-boundary-maya", "maya", "ruth")
    await api.load(story.resources)
    there = await labelled(api)
    assert there["DocumentReference/d-counsel-ana"] == (LAW - {"R"}) | {"V", "PSYTHPN"} | SUD | PSY
    assert there["Communication/com-maya"] == there["Observation/o-boundary-maya"] == {"EMP", "R"}
    assert there["Communication/com-ana-case"] == LAW | SUD | PSY


async def test_what_an_episode_is_raised_to_comes_to_the_notes(api: Api) -> None:
    episode = by_id(fixture())["EpisodeOfCare", "eoc-ben"]
    await api.load([episode | {"meta": {"security": [act("HIV"), act("EMP")]}}])
    there = await stored(api)
    assert sensitivities(there["EpisodeOfCare/eoc-ben"]) == PSY | BH | {"HIV", "EMP"}
    assert sensitivities(there["DocumentReference/d-ben-1"]) == PSY | BH | {"HIV"}


async def test_a_transaction_labels_what_it_makes_together(api: Api) -> None:
    document, binary = "urn:uuid:00000000-0000-4000-8000-000000000011", "urn:uuid:00000000-0000-4000-8000-000000000012"
    text: JsonObject = {"resourceType": "Binary", "contentType": "text/plain", "securityContext": ref(document)}
    text["data"] = base64.b64encode(b"A quiet hour.").decode()
    told = bundle(
        "transaction",
        post(text, full_url=binary),
        post(note(url=binary), full_url=document),
        post(observation("craving", 2)),
        post(session(reasonReference=[ref("Condition/cond-ana-ptsd")])),
    )
    answer = made(await api.as_(MAYA).post("", told, headers={"prefer": "return=representation"}))
    labels = [codes(entry["resource"]) for entry in answer["entry"]]
    assert labels == [LAW | SUD | PSY, LAW | SUD | PSY, LAW | SUD, LAW | PSY]
    there = await stored(api)
    for entry in answer["entry"]:
        said = entry["resource"]
        assert there[f"{said['resourceType']}/{said['id']}"] == said


async def test_what_a_program_refers_is_under_the_law_whoever_the_client_is(api: Api) -> None:
    made(await api.as_(SYS_LAKESIDE).post("", referral()))
    there = {reference: labels for reference, labels in (await labelled(api)).items() if "019e" in reference}
    assert sorted(reference.partition("/")[0] for reference, labels in there.items() if labels == LAW) == ["ServiceRequest", "Task"]


async def test_what_a_program_sends_stays_under_the_law(api: Api) -> None:
    who = made_id(await api.as_(SYS_LAKESIDE).post("Patient", patient()))
    condition = {"resourceType": "Condition", "code": diagnosis("F33.1"), "subject": ref(f"Patient/{who}")}
    condition["clinicalStatus"] = concept(("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"))
    sent = made_id(await api.as_(SYS_LAKESIDE).post("Condition", condition))
    assert codes((await stored(api))[f"Condition/{sent}"]) == LAW | PSY
    assert not codes((await stored(api))[f"Patient/{who}"])


def made_id(answer: Response) -> str:
    assert answer.status == 201, answer.body
    return answer.headers["location"].split("/")[-3]


async def test_a_deleted_reason_labels_nothing_any_more(api: Api) -> None:
    craving = made(await api.as_(MAYA).post("Observation", observation("craving", 3)))
    world = by_id(fixture())
    await api.load([world["Task", "task-esc-ana-1"] | {"reasonReference": ref(f"Observation/{craving['id']}")}])
    assert await found(api, "Task/task-esc-ana-1") == LAW | SUD
    assert (await api.as_(MAYA).delete(f"Observation/{craving['id']}", headers={"if-match": 'W/"1"'})).status == 204
    assert await found(api, "Task/task-esc-ana-1") == LAW


async def test_loading_the_same_again_changes_nothing(api: Api) -> None:
    before = await stored(api)
    await api.load(fixture())
    assert await stored(api) == before


async def test_loading_a_label_raises_it_once(api: Api) -> None:
    mood = by_id(fixture())["Observation", "o-ben-mood"]
    for _ in range(2):
        await api.load([mood | {"meta": {"security": [act("HIV"), ELSEWHERE]}}])
    said = (await stored(api))["Observation/o-ben-mood"]
    assert (said["meta"]["versionId"], codes(said)) == ("2", {"HIV", "R", "SUD"})
    assert ELSEWHERE in said["meta"]["security"]


@pytest.mark.parametrize(("seed", "at_once"), [(0, 1), (1, 7), (2, 40), (3, 1)])
async def test_a_world_has_the_same_labels_in_whatever_order_it_is_loaded(empty: Api, seed: int, at_once: int) -> None:
    resources = fixture()
    random.Random(seed).shuffle(resources)
    for start in range(0, len(resources), at_once):
        await empty.load(resources[start : start + at_once])
    there = await stored(empty)
    assert {said["id"]: sensitivities(said) for said in there.values() if sensitivities(said)} == SENSITIVE
    assert {reference for reference, said in there.items() if codes(said) >= LAW} == {
        reference
        for reference, said in there.items()
        if said["resourceType"] not in WITHOUT_LAW and "ben" not in said["id"] and said["id"] != "task-checkin-maya"
    }


async def test_the_index_says_what_the_bodies_say(api: Api) -> None:
    await change(api, "Condition/cond-ben-dep", code=diagnosis("F10.20"))
    there = await labelled(api)
    for reference in ("CareTeam/ct-ben", "Goal/g-ben-1", "Encounter/e-ben-1"):
        type_ = reference.partition("/")[0]
        assert "42CFRPart2" in there[reference]
        assert (await api.as_(LEO).get(type_, patient="ben", _security="42CFRPart2")).ids == {reference.partition("/")[2]}
