"""Profiles: published and found, asked of by $validate, and held to when they are claimed."""
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path

import pytest

from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import JsonObject, parse
from recovery_api.fhir.shipped import PUBLISHED, published
from recovery_api.interactions.publish import publish
from tests.api import Api, Client
from tests.callers import CHEN, KIM, MAYA, RUTH

EXAMPLES = {path.stem: parse(path.read_bytes()) for path in sorted((Path(__file__).parents[1] / "data" / "profiles").glob("*.json"))}
WRITERS = {"Encounter": MAYA, "Observation": MAYA, "DocumentReference": MAYA, "PractitionerRole": KIM}
"""Who makes an example; the others are a case manager's."""
OURS, US_CORE = f"{CANON}/StructureDefinition", "http://hl7.org/fhir/us/core/StructureDefinition"


def example(name: str, **more: object) -> JsonObject:
    return deepcopy(EXAMPLES[name]) | more


@pytest.fixture(scope="module")
async def definitions(shared: Api) -> AsyncIterator[Client]:
    """A caller where the program's definitions are published."""
    report = await publish(shared.running.server)
    assert (report.created, report.unchanged) == (sum(1 for _ in published()), 0)
    yield shared.as_(CHEN)
    again = await publish(shared.running.server)
    assert (again.stored, again.unchanged) == (0, report.created)


async def test_every_definition_is_read_and_found_by_its_url(definitions: Client) -> None:
    for one in published():
        found = await definitions.get(one["resourceType"], url=one["url"])
        assert found.ids == {one["id"]}, one["url"]
        read = await definitions.get(f"{one['resourceType']}/{one['id']}")
        assert (read.status, {name: value for name, value in read.json.items() if name != "meta"}) == (200, one)
    named = await definitions.get(f"StructureDefinition?type=Observation&base={US_CORE}/us-core-simple-observation")
    assert named.ids == {"session-observation"}
    assert (await definitions.get(f"CodeSystem?system={CANON}/CodeSystem/trigger")).ids == {"trigger"}
    assert (await definitions.get("OperationDefinition?code=expand")).ids == {"expand"}
    assert (await definitions.get("OperationDefinition/expand/_history/1")).status == 200


async def test_nobody_changes_what_the_program_publishes(shared: Api, definitions: Client) -> None:
    kim = shared.as_(KIM)
    for type in PUBLISHED:
        one = next(each for each in published() if each["resourceType"] == type)
        there = (await definitions.get(f"{type}/{one['id']}")).json
        expected = {405, 403} if type == "OperationDefinition" else {403}
        assert (await kim.put(f"{type}/{one['id']}", there | {"title": "Other"})).status in expected
        assert (await kim.delete(f"{type}/{one['id']}")).status in expected
        assert (await kim.post(type, {name: value for name, value in one.items() if name != "id"})).status in expected
    theirs = {"resourceType": "ValueSet", "url": "https://agency.example.org/fhir/ValueSet/x", "status": "draft"}
    made = await kim.post("ValueSet", theirs)
    assert made.status == 201
    claimed = made.json | {"url": f"{CANON}/ValueSet/trigger"}
    assert (await kim.put(f"ValueSet/{made.json['id']}", claimed)).status == 403


async def test_the_capabilities_name_the_profiles(shared: Api) -> None:
    entries = (await shared.as_(None).get("metadata")).json["rest"][0]["resource"]
    told = {entry["type"]: entry.get("supportedProfile", []) for entry in entries}
    assert {f"{US_CORE}/us-core-encounter", f"{OURS}/session-encounter"} <= set(told["Encounter"])
    assert {f"{OURS}/escalation-task", f"{OURS}/note-review-task", f"{OURS}/supervision-task"} == set(told["Task"])


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"note-review-task"}))
async def test_an_example_of_each_profile_is_accepted_and_one_that_breaks_it_is_not(shared: Api, name: str) -> None:
    resource = example(name)
    type = resource["resourceType"]
    writer = shared.as_(WRITERS.get(type, RUTH))
    valid = await writer.post(f"{type}/$validate?profile={OURS}/{name}", resource)
    assert (valid.status, {issue["severity"] for issue in valid.json["issue"]} - {"warning"}) == (200, {"information"}), valid.body
    stored = await writer.post(type, resource)
    assert stored.status == 201, stored.body
    assert stored.json["meta"]["profile"] == [f"{OURS}/{name}"]
    broken = resource | {"meta": {"profile": [f"{OURS}/{'paced-goal' if type != 'Goal' else 'safety-plan'}"]}}
    refused = await writer.post(type, broken)
    assert (refused.status, refused.places) == (422, {type})


async def test_a_review_is_made_by_submitting_a_note_and_keeps_its_profile(shared: Api) -> None:
    maya, ruth = shared.as_(MAYA), shared.as_(RUTH)
    note = await maya.get("DocumentReference/d-ana-2")
    submitted = await maya.request("POST", "DocumentReference/d-ana-2/$submit", headers={"if-match": note.headers["etag"]})
    assert submitted.status == 200, submitted.body
    await shared.load([example("note-review-task", id="loaded-review")])
    made = await ruth.get(f"Task?code={CANON}/CodeSystem/task-code|note-review&focus=DocumentReference/d-ana-2")
    assert len(made.ids) == 2
    for id in made.ids:
        told = await ruth.get(f"Task/{id}/$validate?profile={OURS}/note-review-task")
        assert [issue["severity"] for issue in told.json["issue"]] == ["information"], told.body


async def test_a_broken_claim_is_told_with_profile_and_place_and_nothing_is_stored(shared: Api) -> None:
    maya = shared.as_(MAYA)
    before = (await maya.get("Observation?_summary=count")).json["total"]
    wrong = example("trigger-observation", valueCodeableConcept={"text": "noise"})
    del wrong["component"][0]["valueInteger"]
    wrong["component"][0]["dataAbsentReason"] = {"text": "not asked"}
    answer = await maya.post("Observation", wrong)
    assert (answer.status, answer.keys) == (422, {"trigger-observation"})
    assert answer.places == {"Observation.value", "Observation.component[0].value"}
    assert (await maya.get("Observation?_summary=count")).json["total"] == before
    unclaimed = {name: value for name, value in wrong.items() if name != "meta"}
    assert (await maya.post("Observation", unclaimed)).status == 201


async def test_an_update_and_a_patch_are_held_to_what_the_resource_claims(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    goal = (await ruth.post("Goal", example("paced-goal"))).json
    without = {name: value for name, value in goal.items() if name != "extension"}
    assert (await ruth.put(f"Goal/{goal['id']}", without)).status == 422
    assert (await ruth.patch(f"Goal/{goal['id']}", [{"op": "remove", "path": "/extension"}])).status == 422
    freed = await ruth.put(f"Goal/{goal['id']}", {name: value for name, value in without.items() if name != "meta"})
    assert freed.status == 200
    assert (await ruth.put(f"Goal/{goal['id']}", freed.json | {"meta": goal["meta"]})).status == 422


async def test_what_was_broken_when_it_was_loaded_may_stay_and_no_more_may_break(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    loaded = example("paced-goal", id="loaded-goal", lifecycleStatus="active")
    loaded["extension"][0]["extension"][0]["valueCode"] = "rush"
    await shared.load([loaded])
    there = (await ruth.get("Goal/loaded-goal")).json
    assert (await ruth.put("Goal/loaded-goal", there | {"note": [{"text": "Talked about it"}]})).status == 200
    worse = await ruth.put("Goal/loaded-goal", {name: value for name, value in there.items() if name != "extension"})
    assert (worse.status, worse.places) == (422, {"Goal.extension"})


async def test_a_claim_that_is_added_alone_must_be_kept_too(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    kept = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"profile": [f"{US_CORE}/us-core-goal"]}}]}
    broken = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"profile": [f"{OURS}/safety-plan"]}}]}
    assert (await ruth.post("Goal/g-ana-1/$meta-add", broken)).status == 422
    assert (await ruth.post("Goal/g-ana-1/$meta-add", kept)).status == 200


async def test_a_profile_that_is_not_known_is_no_reason_to_refuse(shared: Api) -> None:
    maya = shared.as_(MAYA)
    claiming = example("session-observation", meta={"profile": ["https://elsewhere.example.org/StructureDefinition/mood"]})
    told = await maya.post("Observation/$validate", claiming)
    assert [issue["severity"] for issue in told.json["issue"]] == ["information", "information"]
    assert told.places == {"Observation.meta.profile"}
    assert (await maya.post("Observation", claiming)).status == 201


async def test_validate_judges_by_profiles_of_us_core_too(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    plain: JsonObject = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"}}
    plain["subject"] = {"reference": "Patient/ana"}
    answer = await ruth.post(f"Goal/$validate?profile={US_CORE}/us-core-goal|7.0.0", plain)
    assert [issue["severity"] for issue in answer.json["issue"]] == ["information"]
    answer = await ruth.post(f"Goal/$validate?profile={OURS}/paced-goal", plain)
    assert ("Goal.extension" in answer.places, answer.keys) == (True, {"paced-goal"})
    stored = await ruth.get(f"Encounter/e-ana-1/$validate?profile={OURS}/session-encounter")
    assert [issue["severity"] for issue in stored.json["issue"]] == ["information"]


async def test_validate_tells_nothing_of_what_is_not_in_the_callers_copy(shared: Api) -> None:
    """A companion's copy of a Patient has no identifier: it is judged as they have it."""
    url = f"Patient/ana/$validate?profile={US_CORE}/us-core-patient"
    assert "Patient.identifier" in (await shared.as_(MAYA).get(url)).places
    assert "Patient.identifier" not in (await shared.as_(RUTH).get(url)).places
