"""Answers to instruments, as callers send them, and what follows from them."""
from collections.abc import Mapping
from typing import Any

from recovery_api.fhir.json import JsonObject
from tests.http.resources import CANON

LOINC = "http://loinc.org"
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
