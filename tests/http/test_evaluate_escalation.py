"""$evaluate-escalation: what would be raised."""
from collections.abc import Mapping
from typing import Any

from recovery_api.domain.codes import CANON, ref
from recovery_api.fhir.json import JsonObject
from tests.api import Api
from tests.callers import CHEN, LEO, MAYA, RUTH
from tests.http.escalating import PHQ_9, escalations, response
from tests.http.resources import observation


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
