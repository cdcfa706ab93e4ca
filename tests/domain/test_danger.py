"""Which resources say that somebody is in imminent danger, and which do not (domain.md 2.4, 5)."""
import pytest

from recovery_api.domain.danger import HIGH_ITEMS, escalation, is_alarming
from recovery_api.fhir.json import JsonObject

LOINC = "http://loinc.org"
YES, NO = {"valueCoding": {"system": LOINC, "code": "LA33-6"}}, {"valueCoding": {"system": LOINC, "code": "LA32-8"}}


def answered(link: str, answer: JsonObject) -> JsonObject:
    """A QuestionnaireResponse with an answer in a group."""
    return {"resourceType": "QuestionnaireResponse", "item": [{"linkId": "/93373-9", "item": [{"linkId": link, "answer": [answer]}]}]}


def level(code: str) -> JsonObject:
    """A risk level of the C-SSRS."""
    coded = {"coding": [{"system": LOINC, "code": "93374-7"}]}
    return {"resourceType": "Observation", "code": coded, "valueCodeableConcept": {"coding": [{"system": LOINC, "code": code}]}}


@pytest.mark.parametrize("item", sorted(HIGH_ITEMS))
@pytest.mark.parametrize("prefix", ["", "/", "/93373-9/"])
def test_a_yes_to_intent_a_plan_or_recent_behaviour_is_danger_and_a_no_is_not(item: str, prefix: str) -> None:
    assert is_alarming(answered(prefix + item, YES))
    assert is_alarming(answered(prefix + item, {"valueBoolean": True}))
    assert not is_alarming(answered(prefix + item, NO))
    assert not is_alarming(answered(prefix + item, {"valueBoolean": False}))


@pytest.mark.parametrize("item", ["93246-7", "93247-5", "93248-3", "93267-3"])
def test_a_yes_to_another_item_is_not(item: str) -> None:
    assert not is_alarming(answered(item, YES))


@pytest.mark.parametrize(("code", "alarming"), [("LA9193-9", True), ("LA6751-7", False), ("LA9194-7", False)])
def test_of_the_risk_levels_high_is_danger(code: str, alarming: bool) -> None:
    assert is_alarming(level(code)) is alarming
    assert is_alarming(answered("93374-7", {"valueCoding": {"system": LOINC, "code": code}})) is alarming


@pytest.mark.parametrize(
    ("order", "alarming"),
    [
        ({"priority": "stat"}, True),
        ({"priority": "urgent"}, False),
        ({"note": [{"text": "In IMMINENT danger since yesterday"}]}, True),
        ({"reasonCode": [{"text": "imminent danger"}]}, True),
        ({"reasonCode": [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "R45.851"}]}]}, False),
        ({"reasonCode": [{"coding": [{"system": "http://snomed.info/sct", "code": "711561004"}]}]}, True),
    ],
)
def test_an_order_says_it_by_priority_words_or_codes(order: JsonObject, alarming: bool) -> None:
    assert is_alarming({"resourceType": "ServiceRequest", **order}) is alarming


def test_an_escalation_is_to_be_seen_within_a_quarter_of_an_hour() -> None:
    task = escalation({"id": "t", "owner": {"reference": "Organization/o"}, "for": {"reference": "Patient/p"}}, 0)
    assert task["restriction"]["period"] == {"start": "1970-01-01T00:00:00.000000Z", "end": "1970-01-01T00:15:00.000000Z"}
    assert (task["priority"], task["owner"], task["focus"]) == ("stat", {"reference": "Organization/o"}, {"reference": "Task/t"})
