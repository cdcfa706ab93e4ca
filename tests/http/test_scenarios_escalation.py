"""Acceptance scenarios 14 to 16 of domain.md 8: instruments, escalations, deadlines."""
from tests.api import Api
from tests.callers import MAYA, RUTH
from tests.http.instruments import PHQ_9, response
from tests.http.resources import CANON


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
