"""What follows from what was written of a client: derived scores, escalations, and what may become of them."""
import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from recovery_api.domain.codes import CANON, ref
from recovery_api.domain.escalations import ACTIONS, ESCALATION
from recovery_api.domain.instruments import RESPONSE
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.shipped import shipped
from recovery_api.interactions.care.unacknowledged import reassign_due
from tests.api import Api, serving
from tests.callers import APP_ANA, CHEN, IRIS, KIM, LEO, MAYA, OMAR, RUTH
from tests.databases import Databases
from tests.http.instruments import PHQ_9, ends, response, status
from tests.http.resources import bundle, local, observation, post
from tests.world import Story

URGE = f"{CANON}/PlanDefinition/escalation-urge-self-harm"
PHQ9_TOTAL = f"{CANON}/PlanDefinition/escalation-phq9-total"
ACTION = {"type": local("escalation-output", "action"), "valueCodeableConcept": local("escalation-action", "monitor")}


@pytest.fixture
async def office(databases: Databases, migrated_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The fixture world, where Omar supervises Ruth and Iris is on call."""
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, lead().resources, ON_CALL="Practitioner/iris") as server:
        yield server
    databases.drop(url)


def lead() -> Story:
    story = Story()
    story.case_manager("iris")
    always = {"url": "period", "valuePeriod": {"start": "2026-01-01"}}
    supervised = [{"url": "supervisor", "valueReference": ref("PractitionerRole/omar")}, always]
    story.find("PractitionerRole/ruth")["extension"] = [{"url": f"{CANON}/StructureDefinition/supervised-by", "extension": supervised}]
    return story


async def escalations(api: Api, client: str = "ana", by: Any = RUTH) -> list[JsonObject]:
    """The client's escalations that rules have raised, the oldest first."""
    tasks = (await api.as_(by).get("Task", patient=client, code=f"{CANON}/CodeSystem/task-code|escalation")).matches
    return sorted((task for task in tasks if "instantiatesCanonical" in task), key=lambda task: task["id"])


async def derived(api: Api, answers: str) -> dict[str, JsonObject]:
    """What is derived from a QuestionnaireResponse, by its LOINC or local code."""
    found = (await api.as_(RUTH).get(f"Observation?derived-from=QuestionnaireResponse/{answers}")).matches
    return {one["code"]["coding"][0]["code"]: one for one in found}


async def written(api: Api, resource: JsonObject, by: Any = MAYA, expected: int = 201) -> str:
    answer = await api.as_(by).post(resource["resourceType"], resource)
    assert answer.status == expected, answer.body
    return answer.json["id"]


async def walked(api: Api, task: str, *steps: str, by: Any = RUTH) -> None:
    for step in steps:
        more = [{"op": "add", "path": "/output", "value": [ACTION]}] if step == "completed" else []
        answer = await api.as_(by).patch(f"Task/{task}", [*status(step), *more])
        assert answer.status == 200, answer.body


# Instruments ------------------------------------------------------------------------------------------------------------


async def test_what_is_derived_tells_the_score_who_answered_when_and_where(api: Api) -> None:
    id = await written(api, response("phq-9", PHQ_9, encounter=ref("Encounter/e-ana-2")))
    total = (await derived(api, id))["44261-6"]
    assert (total["status"], total["valueInteger"], total["interpretation"]) == ("final", 3, [{"text": "minimal"}])
    assert (total["subject"], total["encounter"]) == (ref("Patient/ana"), ref("Encounter/e-ana-2"))
    assert total["performer"] == [ref("Practitioner/maya")]
    assert (total["effectiveDateTime"], total["derivedFrom"]) == ("2026-11-10T11:30:00Z", [ref(f"QuestionnaireResponse/{id}")])
    assert {label["code"] for label in total["meta"]["security"]} >= {"PSY", "R", "42CFRPart2"}
    assert await escalations(api) == []


async def test_without_all_answers_there_is_no_total_and_item_9_counts_all_the_same(api: Api) -> None:
    told = await derived(api, await written(api, response("phq-9", {"44260-8": 2})))
    assert "valueInteger" not in told["44261-6"]
    assert told["44261-6"]["dataAbsentReason"]["coding"][0]["code"] == "not-asked"
    assert [task["priority"] for task in await escalations(api)] == ["urgent"]


async def test_answers_that_are_amended_correct_what_is_derived_and_pile_nothing_up(api: Api) -> None:
    maya = api.as_(MAYA)
    id = await written(api, response("phq-9", dict.fromkeys(PHQ_9, 2) | {"44260-8": 0}))
    first = await derived(api, id)
    [raised] = await escalations(api)
    assert (first["44261-6"]["valueInteger"], raised["priority"]) == (16, "routine")
    for link, total, priority in (("44250-9", 17, "routine"), ("44260-8", 20, "urgent")):
        answers: JsonObject = {**(await maya.get(f"QuestionnaireResponse/{id}")).json, "status": "amended"}
        items: list[JsonObject] = answers["item"]
        next(item for item in items if item["linkId"] == link)["answer"] = [{"valueInteger": 3}]
        assert (await maya.put(f"QuestionnaireResponse/{id}", answers)).status == 200
        again = await derived(api, id)
        assert {one["id"] for one in again.values()} == {one["id"] for one in first.values()}
        assert (again["44261-6"]["status"], again["44261-6"]["valueInteger"]) == ("corrected", total)
        [same] = [task for task in await escalations(api) if task["instantiatesCanonical"].startswith(PHQ9_TOTAL)]
        assert (same["id"], same["priority"]) == (raised["id"], priority)
    assert ends(same) == "2026-11-10T13:00:00.000000Z"
    assert len(await escalations(api)) == 2  # and the one of item 9
    gone = (await maya.get(f"QuestionnaireResponse/{id}")).json | {"status": "entered-in-error"}
    assert (await maya.put(f"QuestionnaireResponse/{id}", gone)).status == 200
    assert {one["status"] for one in (await derived(api, id)).values()} == {"entered-in-error"}


async def test_answers_are_scored_when_they_are_complete(api: Api) -> None:
    maya = api.as_(MAYA)
    id = await written(api, response("phq-9", PHQ_9, status="in-progress"))
    assert await derived(api, id) == {}
    assert (await maya.patch(f"QuestionnaireResponse/{id}", status("completed"))).status == 200
    assert (await derived(api, id))["44261-6"]["valueInteger"] == 3


async def test_what_is_no_answer_is_refused_with_its_place_and_nothing_is_stored(api: Api) -> None:
    ruth = api.as_(RUTH)
    refused = await api.as_(MAYA).post("QuestionnaireResponse", response("phq-9", PHQ_9 | {"44260-8": 4}))
    assert (refused.status, refused.keys) == (422, {"instrument-answer"})
    assert refused.places == {"QuestionnaireResponse.item[8].answer[0]"}
    assert (await ruth.get("QuestionnaireResponse", patient="ana")).ids == set()
    nobody = response("phq-9", PHQ_9)
    del nobody["subject"]
    assert (await ruth.post("QuestionnaireResponse", nobody)).keys == {"instrument-subject"}


async def test_a_questionnaire_that_is_no_instrument_is_stored_as_it_is(api: Api) -> None:
    answers = response("phq-9", {"44260-8": 9}) | {"questionnaire": "https://elsewhere.example/Questionnaire/phq-9"}
    assert await derived(api, await written(api, answers)) == {}


@pytest.mark.parametrize("before", sorted(RESPONSE.moves))
async def test_answered_instruments_make_no_move_that_is_not_in_the_table(shared: Api, before: str) -> None:
    maya, path = shared.as_(MAYA), f"QuestionnaireResponse/answers-{before}"
    await shared.load([response("phq-9", PHQ_9, status=before) | {"id": f"answers-{before}"}])
    for after in RESPONSE.moves.keys() - RESPONSE.moves[before] - {before}:
        refused = await maya.patch(path, status(after))
        assert (refused.status, refused.keys) == (409, {"response-move"}), after
        assert (await maya.get(path)).json["meta"]["versionId"] == "1"


# Rules ------------------------------------------------------------------------------------------------------------------


async def test_a_rise_counts_from_what_was_told_before(api: Api) -> None:
    for day, value, expected in (("01", 5, 0), ("08", 9, 0), ("09", 14, 1)):
        answers = dict.fromkeys(PHQ_9, 0) | dict(zip(PHQ_9, [3] * (value // 3) + [value % 3], strict=False))
        await written(api, response("phq-9", answers, authored=f"2026-11-{day}T10:00:00Z"))
        assert len(await escalations(api)) == expected


async def test_use_after_abstinence_that_was_stated_is_told(api: Api) -> None:
    bam = {"bam-4": 2, "bam-5": 0, "bam-6": 1, "bam-7e": 1}
    await written(api, response("bam", bam, authored="2026-11-01T10:00:00Z"))
    assert await escalations(api) == []
    sober = observation("sober-today", effectiveDateTime="2026-11-02T10:00:00Z") | {"valueBoolean": True}
    del sober["valueInteger"]
    await written(api, sober)
    await written(api, response("bam", bam))
    raised = {task["instantiatesCanonical"].rpartition("/")[2]: task["priority"] for task in await escalations(api)}
    assert raised == {"escalation-bam-use|1.0.0": "routine", "escalation-bam-opioid|1.0.0": "urgent"}


async def test_gender_debt_and_acuity_count_where_a_rule_asks_for_them(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    story = Story()
    story.find("EpisodeOfCare/eoc-ben")["extension"] = [{"url": f"{CANON}/StructureDefinition/acuity", "valueInteger": 3}]
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, story.resources) as api:
        three = {"68518-0": 1, "68519-8": 1, "68520-6": 1}
        for client, by, expected in (("ana", MAYA, 1), ("ben", LEO, 0)):  # she is a woman, he is a man
            await written(api, response("audit-c", three, client, by.name), by)
            assert len(await escalations(api, client, RUTH if client == "ana" else OMAR)) == expected
        missed = observation("safety-concern", client="ben", by="leo") | {"valueCodeableConcept": local("safety-concern", "no-contact")}
        del missed["valueInteger"]
        await written(api, missed, LEO)
        await written(api, response("phq-9", {"44260-8": 1}, "ben", "leo", authored="2026-11-10T10:00:00Z"), LEO)
        await written(api, response("pgsi", {"pgsi-4": 1}, "ben", "leo"), LEO)
        raised = {task["instantiatesCanonical"].rpartition("/escalation-")[2] for task in await escalations(api, "ben", OMAR)}
        assert raised == {"safety-no-contact|1.0.0", "phq9-item9|1.0.0", "pgsi-debt|1.0.0"}
    databases.drop(url)


async def test_one_escalation_is_open_for_a_rule_and_a_client_and_another_one_after_it_was_closed(api: Api) -> None:
    for value in (8, 9):
        await written(api, observation("urge-self-harm", value))
    [first] = await escalations(api)
    assert first["meta"]["versionId"] == "1"
    await walked(api, first["id"], "accepted", "in-progress", "completed")
    last = await written(api, observation("urge-self-harm", 7))
    [_, second] = await escalations(api)
    assert second["reasonReference"] == ref(f"Observation/{last}")
    await walked(api, second["id"], "accepted", "in-progress", "completed")
    changed = (await api.as_(MAYA).get(f"Observation/{last}")).json | {"status": "amended", "valueInteger": 8}
    assert (await api.as_(MAYA).put(f"Observation/{last}", changed)).status == 200
    assert len(await escalations(api)) == 2  # this Observation has been answered
    await written(api, observation("urge-self-harm", 7))
    assert len(await escalations(api)) == 3


async def test_several_at_once_raise_one_escalation(api: Api) -> None:
    answers = await asyncio.gather(*(api.as_(MAYA).post("Observation", observation("urge-self-harm", 8)) for _ in range(6)))
    assert {answer.status for answer in answers} == {201}
    assert len(await escalations(api)) == 1
    entries = [post(observation("urge-self-harm", 8, "ben", "leo")) for _ in range(3)]
    assert (await api.as_(LEO).post("", bundle("transaction", *entries))).status == 200
    assert len(await escalations(api, "ben", OMAR)) == 1


async def test_what_is_in_error_or_cancelled_raises_nothing(api: Api) -> None:
    for state in ("entered-in-error", "cancelled"):
        await written(api, observation("urge-self-harm", 9, status=state))
    assert await escalations(api) == []


async def test_the_clients_case_manager_acts_on_what_the_client_tells_and_whoever_is_on_call_where_there_is_none(office: Api) -> None:
    told = response("phq-9", {"44260-8": 1}) | {"author": ref("Patient/ana")}
    await written(office, told, APP_ANA)
    assert [task["owner"] for task in await escalations(office)] == [ref("Practitioner/ruth")]
    team = (await office.as_(OMAR).get("CareTeam/ct-ben")).json
    team["participant"] = [one for one in team["participant"] if one["member"]["reference"] != "Practitioner/omar"]
    assert (await office.as_(OMAR).put("CareTeam/ct-ben", team)).status == 200
    role = (await office.as_(KIM).get("PractitionerRole/leo")).json
    del role["extension"]
    assert (await office.as_(KIM).put("PractitionerRole/leo", role)).status == 200
    await written(office, observation("urge-self-harm", 8, "ben", "leo"), LEO)
    [task] = (await office.as_(IRIS).get("Task", code=f"{CANON}/CodeSystem/task-code|escalation")).matches
    assert (task["owner"], task["for"]) == (ref("Practitioner/iris"), ref("Patient/ben"))


# Plans that are stored --------------------------------------------------------------------------------------------------


def plan(id: str, **changes: Any) -> JsonObject:
    [found] = [one for one in shipped("PlanDefinition") if one["id"] == f"escalation-{id}"]
    return {name: value for name, value in found.items() if name != "id"} | changes


async def test_an_admin_changes_disables_and_adds_rules_and_every_process_follows_at_once(
    databases: Databases, world_template: str, tmp_path: Path
) -> None:
    url = databases.clone(world_template)
    async with serving(url, tmp_path) as one, serving(url, tmp_path) as other:
        kim = one.as_(KIM)
        await written(other, observation("urge-self-harm", 6))
        assert await escalations(other) == []
        softer = plan("urge-self-harm", version="2.0.0")
        softer["action"][0]["condition"][0]["expression"]["expression"] = "%score >= 5"
        id = await written(one, softer, KIM)
        await written(other, observation("urge-self-harm", 6))
        [raised] = await escalations(other)
        assert raised["instantiatesCanonical"] == f"{URGE}|2.0.0"
        assert (await kim.patch(f"PlanDefinition/{id}", status("retired"))).status == 200
        await written(other, observation("urge-self-harm", 10, "ben", "leo"), LEO)
        assert await escalations(other, "ben", OMAR) == []
        assert (await kim.delete(f"PlanDefinition/{id}")).status == 204
        mood = plan("urge-self-harm", url=f"{CANON}/PlanDefinition/low-mood", version="1")
        mood["action"][0]["trigger"][0]["data"][0]["codeFilter"][0]["code"][0]["code"] = "mood"
        mood["action"][0]["condition"][0]["expression"]["expression"] = "value = 0"
        mood["action"][0]["priority"] = "asap"
        await written(one, mood, KIM)
        await written(other, observation("mood", 0, "ben", "leo"), LEO)
        await written(other, observation("urge-self-harm", 7, "ben", "leo"), LEO)
        raised = {task["instantiatesCanonical"]: ends(task) for task in await escalations(other, "ben", OMAR)}
        assert raised == {
            f"{CANON}/PlanDefinition/low-mood|1": "2026-11-10T16:00:00.000000Z",
            f"{URGE}|1.0.0": "2026-11-10T13:00:00.000000Z",
        }
    databases.drop(url)


async def test_a_rule_that_cant_be_used_is_refused(shared: Api) -> None:
    broken = plan("urge-self-harm")
    broken["action"][0]["condition"][0]["expression"]["expression"] = "%nothing > 3"
    refused = await shared.as_(KIM).post("PlanDefinition", broken)
    assert (refused.status, refused.keys) == (422, {"escalation-rule"})
    assert refused.places == {"PlanDefinition.action[0].condition[0].expression"}


async def test_a_rule_that_can_be_judged_of_nothing_stops_no_write(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    odd = plan("urge-self-harm", url=f"{CANON}/PlanDefinition/odd", version="1")
    odd["action"][0]["condition"][0]["expression"]["expression"] = "%gender > 3"
    await written(api, odd, KIM)
    await written(api, observation("urge-self-harm", 8))
    assert [task["instantiatesCanonical"] for task in await escalations(api)] == [f"{URGE}|1.0.0"]
    assert f"The rule {CANON}/PlanDefinition/odd|1 can't be judged." in caplog.text


# The life of an escalation ----------------------------------------------------------------------------------------------


def escalation(id: str, state: str, client: str = "ana") -> JsonObject:
    """An escalation in a state, as it may have been loaded."""
    return {
        "resourceType": "Task",
        "id": id,
        "status": state,
        "intent": "order",
        "priority": "urgent",
        "code": local("task-code", "escalation"),
        "for": ref(f"Patient/{client}"),
        "authoredOn": "2026-11-10T12:00:00Z",
        "requester": ref("Practitioner/ruth"),
        "owner": ref("Practitioner/ruth"),
        "restriction": {"period": {"end": "2026-11-20T12:00:00Z"}},
    }


STATES = sorted(definitions().code_values("http://hl7.org/fhir/ValueSet/task-status") or ())


@pytest.mark.parametrize("before", sorted(ESCALATION.moves))
async def test_an_escalation_makes_no_move_that_is_not_in_the_table(shared: Api, before: str) -> None:
    ruth, path = shared.as_(RUTH), f"Task/esc-{before}"
    await shared.load([escalation(f"esc-{before}", before)])
    assert len(STATES) == 12
    for after in STATES:
        if after in ESCALATION.moves[before] or after == before:
            continue
        told = [{"op": "add", "path": "/output", "value": [ACTION]}, {"op": "add", "path": "/statusReason", "value": {"text": "So it is."}}]
        refused = await ruth.patch(path, [*status(after), *told])
        assert (refused.status, refused.keys) == (409, {"escalation-move"}), after
        assert (await ruth.get(path)).json["meta"]["versionId"] == "1"


@pytest.mark.parametrize("start", [state for state in STATES if state not in ESCALATION.starts])
async def test_an_escalation_begins_as_requested(shared: Api, start: str) -> None:
    begun = escalation("", start) | {"output": [ACTION], "statusReason": {"text": "So it is."}}
    del begun["id"]
    refused = await shared.as_(RUTH).post("Task", begun)
    assert (refused.status, refused.keys) == (422, {"escalation-start"})


async def test_an_escalation_that_is_made_by_hand_has_the_deadline_of_its_priority(api: Api) -> None:
    by_hand = {name: value for name, value in escalation("", "requested").items() if name not in {"id", "restriction", "priority"}}
    id = await written(api, by_hand, RUTH)
    made = (await api.as_(RUTH).get(f"Task/{id}")).json
    assert (made["priority"], ends(made)) == ("routine", "2026-11-11T17:00:00.000000Z")


@pytest.mark.parametrize("action", ACTIONS)
async def test_it_is_completed_with_one_of_the_actions(shared: Api, action: str) -> None:
    ruth, path = shared.as_(RUTH), f"Task/esc-done-{action}"
    await shared.load([escalation(f"esc-done-{action}", "in-progress")])
    for wrong in (
        {"type": local("escalation-output", "action"), "valueCodeableConcept": local("escalation-action", "nothing")},
        {"type": local("escalation-output", "other"), "valueCodeableConcept": local("escalation-action", action)},
        {"type": local("escalation-output", "action"), "valueString": action},
    ):
        refused = await ruth.patch(path, [*status("completed"), {"op": "add", "path": "/output", "value": [wrong]}])
        assert (refused.status, refused.keys) == (422, {"escalation-output"})
    done = {"type": local("escalation-output", "action"), "valueCodeableConcept": local("escalation-action", action)}
    assert (await ruth.patch(path, [*status("completed"), {"op": "add", "path": "/output", "value": [done]}])).status == 200


@pytest.mark.parametrize(("before", "after"), [("requested", "cancelled"), ("accepted", "cancelled"), ("in-progress", "failed")])
async def test_giving_it_up_needs_a_reason(shared: Api, before: str, after: str) -> None:
    ruth, path = shared.as_(RUTH), f"Task/esc-{before}-{after}"
    await shared.load([escalation(f"esc-{before}-{after}", before)])
    refused = await ruth.patch(path, status(after))
    assert (refused.status, refused.keys, refused.places) == (422, {"escalation-reason"}, {"Task.statusReason"})
    reason = {"op": "add", "path": "/statusReason", "value": {"text": "Raised in error."}}
    assert (await ruth.patch(path, [*status(after), reason])).status == 200


async def test_its_owner_acknowledges_it_and_whoever_takes_it_over(office: Api) -> None:
    await written(office, observation("urge-self-harm", 8))
    [task] = await escalations(office)
    path = f"Task/{task['id']}"
    ruth, maya = office.as_(RUTH), office.as_(MAYA)
    given = {"op": "replace", "path": "/owner/reference", "value": "Practitioner/omar"}
    refused = await ruth.patch(path, [*status("accepted"), given])
    assert (refused.status, refused.keys) == (403, {"acknowledged-by-owner"})
    assert (await maya.patch(path, status("accepted"))).status == 404
    assert (await ruth.patch(path, [given])).status == 200
    assert (await ruth.patch(path, status("accepted"))).status == 403
    taken = {"op": "replace", "path": "/owner/reference", "value": "Practitioner/ruth"}
    assert (await ruth.patch(path, [*status("accepted"), taken])).status == 200


async def test_a_companion_reads_an_escalation_that_she_requested_and_does_not_write_it(shared: Api) -> None:
    await shared.load([escalation("esc-maya", "requested") | {"requester": ref("Practitioner/maya")}])
    maya = shared.as_(MAYA)
    assert (await maya.get("Task/esc-maya")).status == 200
    refused = await maya.patch("Task/esc-maya", status("accepted"))
    assert (refused.status, refused.keys) == (403, {"own-task"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("priority", "routine"),
        ("restriction", {"period": {"end": "2027-01-01T00:00:00Z"}}),
        ("reasonReference", ref("Observation/o-ana-mood")),
        ("code", local("task-code", "case-discussion")),
        ("authoredOn", "2026-11-11T12:00:00Z"),
    ],
)
async def test_what_it_is_about_and_by_when_stays_as_the_server_said(shared: Api, name: str, value: Any) -> None:
    await shared.load([escalation(f"esc-fixed-{name}", "requested")])
    refused = await shared.as_(RUTH).patch(f"Task/esc-fixed-{name}", [{"op": "add", "path": f"/{name}", "value": value}])
    assert (refused.status, refused.keys, refused.places) == (422, {"escalation-fixed"}, {f"Task.{name}"})


# Deadlines --------------------------------------------------------------------------------------------------------------


async def test_it_goes_up_rung_by_rung_and_comes_back_no_more(office: Api) -> None:
    await written(office, observation("urge-self-harm", 8))
    [task] = await escalations(office)
    owners = [task["owner"]["reference"]]
    for _ in range(3):
        office.clock.move(seconds=3600)
        assert await reassign_due(office.running.server) == 1
        assert await reassign_due(office.running.server) == 0
        owners.append((await office.as_(RUTH).get(f"Task/{task['id']}")).json["owner"]["reference"])
    assert owners == ["Practitioner/ruth", "Practitioner/omar", "Practitioner/iris", "Practitioner/iris"]


async def test_two_workers_at_once_and_one_after_a_restart_pass_it_on_once(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, lead().resources) as one, serving(url, tmp_path) as other:
        for client, by in (("ana", MAYA), ("cora", MAYA), ("eve", MAYA)):
            await written(one, observation("urge-self-harm", 8, client), by)
        for each in (one, other):
            each.clock.move(seconds=3600)
        passed = await asyncio.gather(*(reassign_due(each.running.server) for each in (one, other, one, other)))
        assert sum(passed) == 3
        [task] = await escalations(one)
        assert (task["meta"]["versionId"], task["owner"]) == ("2", ref("Practitioner/omar"))
        assert len((await one.as_(RUTH).get("Provenance", target=f"Task/{task['id']}")).matches) == 1
    async with serving(url, tmp_path) as restarted:
        restarted.clock.move(seconds=3600)
        assert await reassign_due(restarted.running.server) == 0
        restarted.clock.move(seconds=7 * 3600)
        assert await reassign_due(restarted.running.server) == 3
        assert (await restarted.as_(RUTH).get(f"Task/{task['id']}")).json["meta"]["versionId"] == "3"
    databases.drop(url)


# $evaluate-escalation ---------------------------------------------------------------------------------------------------


def parts(answer: JsonObject, name: str) -> list[dict[str, Any]]:
    """What parameters of a name say, by their parts."""
    return [
        {part["name"]: next(value for key, value in part.items() if key != "name") for part in one["part"]}
        for one in answer.get("parameter", ())
        if one["name"] == name
    ]


async def test_a_dry_run_tells_what_would_be_raised_and_stores_nothing(shared: Api) -> None:
    before = (await shared.as_(RUTH).get("Observation", patient="cora")).ids
    answers = response("phq-9", dict.fromkeys(PHQ_9, 3), "cora")
    told = await shared.as_(MAYA).post("QuestionnaireResponse/$evaluate-escalation", answers)
    assert told.status == 200, told.body
    derived = [one["resource"] for one in told.json["parameter"] if one["name"] == "observation"]
    assert {one["code"]["coding"][0]["code"]: one.get("valueInteger") for one in derived} == {"44261-6": 27, "44260-8": None}
    assert parts(told.json, "escalation") == [
        {
            "rule": f"{CANON}/PlanDefinition/escalation-{rule}|1.0.0",
            "title": title,
            "priority": "urgent",
            "owner": ref("Practitioner/ruth"),
            "acknowledgeBy": "2026-11-10T13:00:00.000000Z",
        }
        for rule, title in (("phq9-total", "20 or more"), ("phq9-item9", "Any thought of death or self-harm"))
    ]
    assert await escalations(shared, "cora") == []
    assert (await shared.as_(RUTH).get("Observation", patient="cora")).ids == before


async def test_a_stored_resource_is_judged_by_its_address(shared: Api) -> None:
    await shared.load([observation("urge-self-harm", 9, "eve") | {"id": "o-eve-urge"}])
    for by in (MAYA, RUTH):
        told = await shared.as_(by).get("Observation/o-eve-urge/$evaluate-escalation")
        assert [one["priority"] for one in parts(told.json, "escalation")] == ["urgent"]
    calm = await shared.as_(MAYA).get("Observation/o-ana-mood/$evaluate-escalation")
    assert parts(calm.json, "escalation") == []


async def test_a_dry_run_is_for_those_who_see_the_client(shared: Api) -> None:
    leo, path = shared.as_(LEO), "Observation/{}/$evaluate-escalation"
    hidden, absent = [await leo.get(path.format(id)) for id in ("o-ana-mood", "absent")]
    assert (hidden.status, hidden.body) == (404, absent.body)
    for client in ("ana", "nobody"):
        assert (await leo.post("Observation/$evaluate-escalation", observation("urge-self-harm", 9, client))).status == 404
    assert (await shared.as_(CHEN).get(path.format("o-ana-mood"))).status == 403
    assert (await shared.as_(MAYA).post("Observation/$evaluate-escalation", b"")).status == 400
    wrong: Mapping[str, object] = {"44260-8": 7}
    assert (await shared.as_(MAYA).post("QuestionnaireResponse/$evaluate-escalation", response("phq-9", wrong))).status == 422
