"""Acceptance scenarios 14 to 16 of domain.md 8: instruments, escalations, deadlines."""
from pathlib import Path

from recovery_api.domain.codes import ref
from recovery_api.interactions.care.unacknowledged import reassign_due
from tests.api import Api, serving
from tests.callers import MAYA, OMAR, RUTH
from tests.databases import Databases
from tests.http.escalating import PHQ_9, YES, ends, response, status
from tests.http.resources import CANON, local


async def test_14_an_answer_to_item_9_of_the_phq_9_escalates_within_the_hour(api: Api) -> None:
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    answers = response("phq-9", PHQ_9 | {"44260-8": "LA6569-3"}, encounter={"reference": "Encounter/e-ana-2"})
    made = await maya.post("QuestionnaireResponse", answers)
    assert made.status == 201, made.body
    derived = {
        one["code"]["coding"][0]["code"]: one
        for one in (await ruth.get(f"Observation?derived-from=QuestionnaireResponse/{made.json['id']}")).matches
    }
    assert derived["44261-6"]["valueInteger"] == 4
    assert {one["category"][0]["coding"][0]["code"] for one in derived.values()} == {"survey"}
    [task] = (await ruth.get("Task", patient="ana", status="requested")).matches
    assert {name: value for name, value in task.items() if name not in {"id", "meta", "resourceType"}} == {
        "instantiatesCanonical": f"{CANON}/PlanDefinition/escalation-phq9-item9|1.0.0",
        "status": "requested",
        "intent": "order",
        "priority": "urgent",
        "code": {"coding": [{"system": f"{CANON}/CodeSystem/task-code", "code": "escalation", "display": "Escalation"}]},
        "for": {"reference": "Patient/ana"},
        "encounter": {"reference": "Encounter/e-ana-2"},
        "authoredOn": "2026-11-10T12:00:00.000000Z",
        "requester": {
            "type": "Device",
            "identifier": {"system": f"{CANON}/NamingSystem/device", "value": "rules-engine"},
            "display": "Rules engine",
        },
        "owner": {"reference": "Practitioner/ruth"},
        "reasonReference": {"reference": f"Observation/{derived['44260-8']['id']}"},
        "restriction": {"period": {"end": "2026-11-10T13:00:00.000000Z"}},
    }


async def test_15_a_high_risk_of_suicide_is_told_at_once_and_goes_up_when_nobody_answers(
    databases: Databases, world_template: str, tmp_path: Path
) -> None:
    url = databases.clone(world_template)
    async with serving(url, tmp_path, ON_CALL="Practitioner/omar") as api:
        made = await api.as_(MAYA).post("QuestionnaireResponse", response("c-ssrs", {"93249-1": YES}))
        assert made.status == 201, made.body
        ruth, omar = api.as_(RUTH), api.as_(OMAR)
        [task] = (await ruth.get("Task", patient="ana", status="requested")).matches
        [flag] = (await ruth.get("Flag", patient="ana")).matches
        assert (task["priority"], ends(task), task["owner"]) == ("stat", "2026-11-10T12:15:00.000000Z", ref("Practitioner/ruth"))
        assert (flag["status"], flag["category"][0]["coding"][0]["code"]) == ("active", "safety")
        path = f"Task/{task['id']}"
        assert (await omar.get(path)).status == 404
        api.clock.move(seconds=15 * 60 - 0.000001)
        await reassign_due(api.running.server)
        assert (await ruth.get(path)).json["meta"]["versionId"] == "1"
        api.clock.move(seconds=0.000001)
        await reassign_due(api.running.server)
        told = (await omar.get(path)).json
        assert (told["owner"], ends(told), told["status"]) == (ref("Practitioner/omar"), "2026-11-10T12:30:00.000000Z", "requested")
        assert told["statusReason"]["coding"][0]["code"] == "unacknowledged"
        [record] = (await ruth.get("Provenance", target=path)).matches
        assert record["target"] == [ref(f"{path}/_history/2")]
        assert (await omar.patch(path, status("accepted"))).status == 200
        api.clock.move(seconds=3600)
        await reassign_due(api.running.server)
        assert (await omar.get(path)).json["meta"]["versionId"] == "3"
    databases.drop(url)


async def test_16_an_escalation_is_closed_with_what_was_done(api: Api) -> None:
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    assert (await maya.post("QuestionnaireResponse", response("phq-9", PHQ_9 | {"44260-8": "LA6569-3"}))).status == 201
    [task] = (await ruth.get("Task", patient="ana", status="requested")).matches
    path = f"Task/{task['id']}"
    for step in ("accepted", "in-progress"):
        assert (await ruth.patch(path, status(step))).status == 200
    before = (await ruth.get(path)).body
    refused = await ruth.patch(path, status("completed"))
    assert (refused.status, refused.keys, refused.places) == (422, {"escalation-output"}, {"Task.output"})
    assert (await ruth.get(path)).body == before
    told = await ruth.post(
        "Communication",
        {
            "resourceType": "Communication",
            "status": "completed",
            "subject": ref("Patient/ana"),
            "about": [ref(path)],
            "sender": ref("Practitioner/ruth"),
            "recipient": [ref("Practitioner/chen")],
            "sent": "2026-11-10T12:00:00Z",
            "payload": [{"contentString": "Please call Ana today."}],
        },
    )
    assert told.status == 201, told.body
    output = [
        {"type": local("escalation-output", "action"), "valueCodeableConcept": local("escalation-action", "treatment-team-contacted")},
        {"type": local("escalation-output", "communication"), "valueReference": ref(f"Communication/{told.json['id']}")},
    ]
    done = await ruth.patch(path, [*status("completed"), {"op": "add", "path": "/output", "value": output}])
    assert (done.status, done.json["status"]) == (200, "completed")
