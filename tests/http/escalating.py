"""Answers to instruments and what follows from them, as callers send and find it."""
from collections.abc import Mapping
from typing import Any

from recovery_api.domain.codes import CANON, ref
from recovery_api.fhir.json import JsonObject
from tests.api import Api
from tests.callers import MAYA, RUTH
from tests.http.resources import local
from tests.world import Story

LOINC = "http://loinc.org"
URGE = f"{CANON}/PlanDefinition/escalation-urge-self-harm"
ACTION = {"type": local("escalation-output", "action"), "valueCodeableConcept": local("escalation-action", "monitor")}
YES, NO = "LA33-6", "LA32-8"
PHQ_9 = dict.fromkeys(("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8"), 0) | {
    "44255-8": 1, "44259-0": 2,
}  # fmt: skip
"""A total of 3, and nothing at item 9."""


def answer(value: object) -> JsonObject:
    """An answer: a LOINC code, a boolean or a number."""
    if isinstance(value, str):
        return {"valueCoding": {"system": LOINC, "code": value}}
    return {"valueBoolean": value} if isinstance(value, bool) else {"valueInteger": value}


def status(value: str) -> list[Any]:
    return [{"op": "replace", "path": "/status", "value": value}]


def ends(task: JsonObject) -> str:
    return task["restriction"]["period"]["end"]


def response(questionnaire: str, answers: Mapping[str, object], client: str = "ana", by: str = "maya", **more: Any) -> JsonObject:
    """A QuestionnaireResponse of an instrument; `answers` are by linkId."""
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{CANON}/Questionnaire/{questionnaire}",
        "status": "completed",
        "subject": {"reference": f"Patient/{client}"},
        "author": {"reference": f"Practitioner/{by}"},
        "authored": "2026-11-10T11:30:00Z",
        "item": [{"linkId": link, "answer": [answer(value)]} for link, value in answers.items()],
    } | more


def lead() -> Story:
    """The fixture world, where Omar supervises Ruth, and Iris is a case manager who has no client."""
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
