"""The rules of escalation that come with the server, at the edges of their conditions, as data (domain.md 2.4)."""
from decimal import Decimal
from typing import Any

import pytest

from recovery_api.domain.codes import CANON, LOINC
from recovery_api.domain.escalation_rules import FACTS, rule_of, rulebook
from recovery_api.domain.scoring import score_of
from recovery_api.fhir.errors import Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.shipped import shipped
from recovery_api.interactions import validate

PLANS = shipped("PlanDefinition")
INSTRUMENT, COMPANION = f"{CANON}/CodeSystem/instrument", f"{CANON}/CodeSystem/companion-observation"
NOW = "2026-11-10T12:00:00Z"
NO, ROUTINE, URGENT, STAT = None, "routine", "urgent", "stat"

MAN, WOMAN = {"gender": "male"}, {"gender": "female"}
SOBER, NOT_SOBER, IDEATION = {"abstinent": True}, {"abstinent": False}, {"ideation": True}


def was(score: int) -> dict[str, Any]:
    return {"previous": score}


def at(acuity: int) -> dict[str, Any]:
    return {"acuity": acuity}


TABLE: list[tuple[str, str, str, list[tuple[Any, dict[str, Any], str | None]]]] = [  # (value, what else is known, what it raises) …
    ("phq9-item9", LOINC, "44260-8", [
        (0, {}, NO), (1, {}, URGENT), (3, {}, URGENT), (None, {}, NO), ("LA6568-5", {}, NO), ("LA6569-3", {}, URGENT),
    ]),
    ("phq9-total", LOINC, "44261-6", [
        (14, {}, NO), (15, {}, ROUTINE), (16, {}, ROUTINE), (19, {}, ROUTINE), (20, {}, URGENT), (21, {}, URGENT), (None, {}, NO),
        (9, was(5), NO), (10, was(5), ROUTINE), (11, was(5), ROUTINE), (5, was(10), NO), (20, was(20), URGENT),
    ]),
    ("gad7-total", LOINC, "70274-6", [
        (14, {}, NO), (15, {}, ROUTINE), (16, {}, ROUTINE), (None, {}, NO),
    ]),
    ("audit-c-total", LOINC, "75626-2", [
        (3, MAN, NO), (4, MAN, ROUTINE), (5, MAN, ROUTINE), (7, MAN, ROUTINE), (8, MAN, URGENT), (9, MAN, URGENT),
        (2, WOMAN, NO), (3, WOMAN, ROUTINE), (4, WOMAN, ROUTINE), (2, {}, NO), (3, {}, ROUTINE), (8, {}, URGENT), (None, MAN, NO),
    ]),
    ("audit-total", LOINC, "75624-7", [
        (19, {}, NO), (20, {}, URGENT), (21, {}, URGENT), (None, {}, NO),
    ]),
    ("dast10-total", LOINC, "82667-7", [
        (5, {}, NO), (6, {}, URGENT), (7, {}, URGENT), (None, {}, NO),
    ]),
    ("cssrs-risk", LOINC, "93374-7", [
        ("LA9194-7", {}, NO), ("LA6751-7", {}, URGENT), ("LA9193-9", {}, STAT), ("c-ssrs-none", {}, NO), (None, {}, NO),
    ]),
    ("pcl5-total", LOINC, "101698-9", [
        (32, {}, NO), (33, {}, ROUTINE), (34, {}, ROUTINE), (None, {}, NO),
        (19, was(10), NO), (20, was(10), ROUTINE), (21, was(10), ROUTINE),
    ]),
    ("bam-use", INSTRUMENT, "bam-use", [
        (0, SOBER, NO), (1, SOBER, ROUTINE), (2, SOBER, ROUTINE), (9, NOT_SOBER, NO), (None, SOBER, NO),
    ]),
    ("bam-opioid", INSTRUMENT, "bam-opioid-days", [
        (0, SOBER, NO), (1, SOBER, URGENT), (2, SOBER, URGENT), (9, NOT_SOBER, NO), (None, SOBER, NO),
    ]),
    ("scoff-total", INSTRUMENT, "scoff-total", [
        (1, {}, NO), (2, {}, ROUTINE), (3, {}, ROUTINE), (None, {}, NO),
    ]),
    ("edeq-global", INSTRUMENT, "ede-q-global", [
        (Decimal("3.99"), {}, NO), (Decimal("4.00"), {}, ROUTINE), (Decimal("4.01"), {}, ROUTINE), (None, {}, NO),
    ]),
    ("edeq-purging", INSTRUMENT, "ede-q-purging", [
        (27, {}, NO), (28, {}, URGENT), (29, {}, URGENT), (None, {}, NO),
    ]),
    ("pgsi-total", INSTRUMENT, "pgsi-total", [
        (7, {}, NO), (8, {}, ROUTINE), (9, {}, ROUTINE), (None, {}, NO),
    ]),
    ("pgsi-debt", INSTRUMENT, "pgsi-debt", [
        (0, IDEATION, NO), (1, IDEATION, URGENT), (2, IDEATION, URGENT), (3, {"ideation": False}, NO), (None, IDEATION, NO),
    ]),
    ("who5-index", INSTRUMENT, "who-5-index", [
        (24, {}, ROUTINE), (28, {}, ROUTINE), (32, {}, NO), (None, {}, NO),
    ]),
    ("barc10-total", INSTRUMENT, "barc-10-total", [
        (45, was(50), NO), (44, was(50), ROUTINE), (43, was(50), ROUTINE), (56, was(50), NO), (30, {}, NO), (None, was(50), NO),
    ]),
    ("use-after-abstinence", COMPANION, "sober-today", [
        (False, SOBER, ROUTINE), (True, SOBER, NO), (False, NOT_SOBER, NO), (None, SOBER, NO),
    ]),
    ("urge-self-harm", COMPANION, "urge-self-harm", [
        (6, {}, NO), (7, {}, URGENT), (8, {}, URGENT), (None, {}, NO),
    ]),
    ("safety-weapon", COMPANION, "safety-concern", [
        ("weapon", {}, STAT), ("other", {}, NO), (None, {}, NO),
    ]),
    ("safety-overdose", COMPANION, "safety-concern", [
        ("overdose", {}, STAT), ("other", {}, NO), (None, {}, NO),
    ]),
    ("safety-violence", COMPANION, "safety-concern", [
        ("violence", {}, STAT), ("other", {}, NO), (None, {}, NO),
    ]),
    ("safety-child-abuse", COMPANION, "safety-concern", [
        ("child-abuse", {}, URGENT), ("other", {}, NO), (None, {}, NO),
    ]),
    ("safety-elder-abuse", COMPANION, "safety-concern", [
        ("elder-abuse", {}, URGENT), ("other", {}, NO), (None, {}, NO),
    ]),
    ("safety-fainting", COMPANION, "safety-concern", [
        ("fainting", {}, URGENT), ("other", {}, NO), (None, {}, NO),
    ]),
    ("safety-purging", COMPANION, "safety-concern", [
        ("purging-daily", {}, URGENT), ("other", {}, NO), (None, {}, NO),
    ]),
    ("safety-fluids", COMPANION, "safety-concern", [
        ("fluid-refusal", {}, URGENT), ("other", {}, NO), (None, {}, NO),
    ]),
    ("safety-no-contact", COMPANION, "safety-concern", [
        ("no-contact", at(2), NO), ("no-contact", at(3), URGENT), ("no-contact", at(4), URGENT),
        ("no-contact", {}, NO), ("other", at(4), NO),
    ]),
]  # fmt: skip


def observation(system: str, code: str, value: object) -> JsonObject:
    said: JsonObject = {"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": system, "code": code}]}}
    if isinstance(value, bool):
        return said | {"valueBoolean": value}
    if isinstance(value, int):
        return said | {"valueInteger": value}
    if isinstance(value, str):
        coded = LOINC if system == LOINC else f"{CANON}/CodeSystem/safety-concern"
        return said | {"valueCodeableConcept": {"coding": [{"system": coded, "code": value}]}}
    return said | ({} if value is None else {"valueQuantity": {"value": value}})


def raised(resource: JsonObject, facts: dict[str, Any]) -> dict[str, str]:
    """By rule, the priority that it asks for."""
    keys, rules = rulebook(PLANS, []).about(resource)
    known = dict.fromkeys(FACTS) | {"score": score_of(resource)} | facts
    return {rule.url.rpartition("/escalation-")[2]: action.priority for rule in rules if (action := rule.fires(resource, keys, known, NOW))}


@pytest.mark.parametrize(
    ("rule", "system", "code", "value", "facts", "priority"),
    [(rule, system, code, *edge) for rule, system, code, edges in TABLE for edge in edges],
)
def test_a_rule_holds_from_its_edge_on(
    rule: str, system: str, code: str, value: object, facts: dict[str, Any], priority: str | None
) -> None:
    assert raised(observation(system, code, value), facts) == ({rule: priority} if priority else {})


def test_the_table_has_every_rule_that_comes_with_the_server() -> None:
    assert {f"escalation-{rule}" for rule, *_ in TABLE} == {plan["id"] for plan in PLANS}
    assert len(TABLE) >= 20


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan["id"])
def test_a_plan_that_comes_with_the_server_is_valid(plan: JsonObject) -> None:
    validate.check(plan, "PlanDefinition")
    assert plan["url"] == f"{CANON}/PlanDefinition/{plan['id']}"
    rule_of(plan)


def when(expression: str, language: str = "text/fhirpath") -> dict[str, Any]:
    return {"condition": [{"kind": "applicability", "expression": {"language": language, "expression": expression}}]}


def plan(**changes: Any) -> JsonObject:
    action = PLANS[0]["action"][0] | changes
    return PLANS[0] | {"action": [{name: value for name, value in action.items() if value is not None}]}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"priority": None}, "priority"),
        ({"condition": None}, "condition"),
        (when("true", "text/cql"), "condition"),
        (when("value >"), "condition[0].expression"),
        (when("%secret > 1"), "condition[0].expression"),
        (when("wards > 1"), "condition[0].expression"),
        ({"trigger": None}, "trigger"),
        ({"trigger": [{"type": "data-changed", "data": [{"type": "Patient"}]}]}, "trigger"),
    ],
)
def test_a_rule_that_cant_be_used_is_refused_with_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        rule_of(plan(**changes))
    assert [(issue.expression, issue.key) for issue in refused.value.issues] == [(f"PlanDefinition.action[0].{place}", "escalation-rule")]


def test_a_stored_plan_takes_the_place_of_a_shipped_one() -> None:
    worry = observation(LOINC, "70274-6", 15)
    stored = next(one for one in PLANS if one["id"] == "escalation-gad7-total")
    for changed, expected in ((stored | {"status": "retired"}, []), (stored | {"version": "2.0.0"}, ["2.0.0"])):
        _, rules = rulebook(PLANS, [changed]).about(worry)
        assert [rule.version for rule in rules] == expected
