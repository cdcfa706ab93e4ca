"""Signs of imminent danger in what somebody outside sends, and what they are told then (domain.md 5, safety; 2.4, C-SSRS).

Whoever sends them is told the same, whoever they speak of: this server answers no emergency.
"""
from collections.abc import Iterator
from typing import Final, cast

from recovery_api.domain.codes import ICD, LOINC, SCT, concept, local, ref
from recovery_api.domain.referrals import order_of
from recovery_api.fhir.errors import Issue
from recovery_api.fhir.instants import MINUTE, instant
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.paths import at, has_coding, objects_at

NO_EMERGENCY_CHANNEL: Final = Issue(
    "business-rule",
    "This API is not an emergency channel, and nobody may read this at once. In danger call 911; for a suicidal crisis call or text 988.",
    severity="warning",
    key="not-an-emergency-channel",
)
SIGNS: Final = frozenset(
    {(SCT, "711561004"), (ICD, "T14.91XA"), local("referral-flag", "imminent-danger")[:2]}  # access to planned means, suicide attempt
)
RISK_LEVEL, HIGH = "93374-7", "LA9193-9"
HIGH_ITEMS: Final = frozenset({"93249-1", "93250-9", "93269-9"})
"""The items of the C-SSRS screener of which a Yes is high risk: intent, a plan, and behaviour in the past three months."""
YES: Final = "LA33-6"
PHRASE: Final = "imminent danger"
SPOKEN: Final = ("description", "reasonCode.text", "note.text", "patientInstruction", "input.valueString")
ACKNOWLEDGED_WITHIN: Final = 15 * MINUTE
"""Microseconds until somebody must have seen it (stat)."""


def is_alarming(resource: JsonObject) -> bool:
    """Whether a resource says that somebody is in imminent danger."""
    if resource["resourceType"] in {"ServiceRequest", "Task"} and (resource.get("priority") == "stat" or _speaks(resource)):
        return True
    if has_coding(resource, "code", LOINC, RISK_LEVEL) and has_coding(resource, "valueCodeableConcept", LOINC, HIGH):
        return True
    return any(each in SIGNS for each in _codings(resource)) or any(map(_answers_high, objects_at(resource, "item")))


def escalation(referral: JsonObject, stamp: int) -> JsonObject:
    """The Task that somebody looks at a referral at once; `stamp` is now (microseconds, UTC)."""
    order = order_of(referral)
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "priority": "stat",
        "code": concept(local("task-code", "escalation")),
        "focus": ref(f"Task/{referral['id']}"),
        **({"for": referral["for"]} if "for" in referral else {}),
        "authoredOn": instant(stamp),
        **({"owner": referral["owner"]} if "owner" in referral else {}),
        **({"reasonReference": ref(order)} if order else {}),
        "restriction": {"period": {"start": instant(stamp), "end": instant(stamp + ACKNOWLEDGED_WITHIN)}},
    }


def _speaks(resource: JsonObject) -> bool:
    return any(PHRASE in text.casefold() for path in SPOKEN for text in at(resource, path) if isinstance(text, str))


def _answers_high(item: JsonObject) -> bool:
    """Whether an item of a QuestionnaireResponse, or one below it, is answered as high risk."""
    code = str(item.get("linkId", "")).rpartition("/")[2]
    answers = objects_at(item, "answer")
    said = {str(each.get("code")) for each in objects_at(item, "answer.valueCoding")}
    yes = YES in said or any(answer.get("valueBoolean") is True for answer in answers)
    if (code in HIGH_ITEMS and yes) or (code == RISK_LEVEL and HIGH in said):
        return True
    return any(map(_answers_high, [*objects_at(item, "item"), *objects_at(item, "answer.item")]))


def _codings(value: Json) -> Iterator[tuple[Json, Json]]:
    """Every system and code in a resource."""
    if isinstance(value, dict):
        members = cast("JsonObject", value)
        if "code" in members and "system" in members and isinstance(members["code"], str):
            yield members["system"], members["code"]
        for each in members.values():
            yield from _codings(each)
    elif isinstance(value, list):
        for each in cast("list[Json]", value):
            yield from _codings(each)
