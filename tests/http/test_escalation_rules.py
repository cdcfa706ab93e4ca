"""Which escalations follow from what was written of a client, by the rules that come with the server and those that are stored."""
import asyncio
from pathlib import Path
from typing import Any

import pytest

from recovery_api.domain.codes import CANON, ref
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.shipped import shipped
from tests.api import Api, serving
from tests.callers import APP_ANA, CHEN, IRIS, KIM, LEO, MAYA, OMAR, RUTH, SYS_LAKESIDE
from tests.databases import Databases
from tests.http.escalating import PHQ_9, URGE, YES, ends, escalations, response, status, walked, written
from tests.http.resources import bundle, local, observation, post, referral
from tests.world import Story

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


async def test_what_comes_with_a_referral_is_escalated_to_the_case_managers_whom_it_was_sent_to(api: Api) -> None:
    sent = referral()
    person = sent["entry"][0]["fullUrl"]
    answers = response("c-ssrs", {"93249-1": YES}) | {"subject": ref(person)}
    del answers["author"]
    sent["entry"].append(post(answers))
    answer = await api.as_(SYS_LAKESIDE).post("", sent)
    assert answer.status == 200, answer.body
    code = f"{CANON}/CodeSystem/task-code|escalation"
    for manager in (RUTH, OMAR):
        [task] = (await api.as_(manager).get("Task", code=code, status="requested")).matches
        assert (task["priority"], "owner" in task) == ("stat", False)
    for other in (SYS_LAKESIDE, MAYA, CHEN):
        assert (await api.as_(other).get(f"Task/{task['id']}")).status == 404


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
