"""How reliably supervision happens: promises with a time, and whether they were kept (domain.md 7). Nobody's productivity is measured."""
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from recovery_api.domain.codes import ACT, THO, coding, concept, local, ref, structure
from recovery_api.fhir.instants import HOUR
from recovery_api.fhir.json import JsonObject

WITHIN = structure("measure-within")
"""The extension of a Measure's group that says within how many hours its promise is kept."""
CONTACT = frozenset({"treatment-team-contacted", "crisis-line-988", "emergency-services", "plan-updated"})
"""What came of an escalation where somebody was in contact with the client, or for them."""
RETURNED = "returned"


class Promise(NamedTuple):
    """Something that was due, and when it was done (None: not yet). Times are microseconds, UTC; `made`: what puts it in a period."""

    made: int
    due: int
    done: int | None


class Rate(NamedTuple):
    """How many of the promises whose time has come, or that are kept, were kept in time."""

    kept: int
    of: int


def rate(promises: Iterable[Promise], period: tuple[int, int], now: int) -> Rate:
    """The rate of the promises that were made in the period (its end exclusive)."""
    starts, ends = period
    counted = [one for one in promises if starts <= one.made < ends and (one.due <= now or one.done is not None)]
    return Rate(sum(one.done is not None and one.done <= one.due for one in counted), len(counted))


def hours(measure: JsonObject, group: str) -> int:
    """Microseconds within which the promise of a Measure's group is kept; 0 where the promise says itself when it is due."""
    for each in measure["group"]:
        if each["code"]["coding"][0]["code"] == group:
            return next((one["valueDuration"]["value"] * HOUR for one in each.get("extension", ()) if one["url"] == WITHIN), 0)
    raise KeyError(group)


def groups(measure: JsonObject) -> list[str]:
    """The codes of a Measure's groups."""
    return [each["code"]["coding"][0]["code"] for each in measure["group"]]


def is_returned(review: JsonObject) -> bool:
    """Whether a note went back to its author: what is signed later is another review."""
    return any(each.get("code") == RETURNED for each in review.get("businessStatus", {}).get("coding", ()))


def had_contact(escalation: JsonObject) -> bool:
    """Whether an escalation was closed with an action by which somebody was in contact."""
    said = [each for one in escalation.get("output", ()) for each in one.get("valueCodeableConcept", {}).get("coding", ())]
    return escalation["status"] == "completed" and any(each.get("code") in CONTACT for each in said)


def report(
    measure: JsonObject, rates: Sequence[tuple[str, Rate]], subject: str | None, reporter: str, period: JsonObject, moment: str
) -> JsonObject:
    """The summary MeasureReport. It is about employees, so it is labelled like all that is."""
    population = THO + "measure-population"
    said: JsonObject = {
        "resourceType": "MeasureReport",
        "meta": {"security": [coding(THO + "v3-Confidentiality", "R"), coding(ACT, "EMP")]},
        "status": "complete",
        "type": "summary",
        "measure": f"{measure['url']}|{measure['version']}",
        "date": moment,
        "reporter": ref(reporter),
        "period": period,
        "improvementNotation": concept((THO + "measure-improvement-notation", "increase")),
        "group": [
            {
                "code": concept(local("measure-group", code)),
                "population": [
                    {"code": concept((population, "denominator")), "count": found.of},
                    {"code": concept((population, "numerator")), "count": found.kept},
                ],
            }
            | ({"measureScore": {"value": round(found.kept / found.of, 4)}} if found.of else {})
            for code, found in rates
        ],
    }
    return said | ({"subject": ref(subject)} if subject else {})
