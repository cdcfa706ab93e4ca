"""Triggers, responses and what helped, counted from a session's Observations."""
from collections import Counter
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recovery_api.domain.codes import concept, local
from recovery_api.domain.patterns import DAYS, Pattern, timeline
from recovery_api.fhir.json import JsonObject

UTC = ZoneInfo("UTC")


def component(code: str, **value: Any) -> JsonObject:
    return {"code": concept(local("companion-observation-component", code)), **value}


def seen(what: str, kind: str, when: str, session: str = "one", *components: JsonObject) -> JsonObject:
    return {
        "code": concept(local("companion-observation", what)),
        "valueCodeableConcept": concept(local(what, kind)),
        "effectiveDateTime": when,
        "encounter": {"reference": f"Encounter/{session}"},
        "component": list(components),
    }


def companion_did(kind: str) -> JsonObject:
    return component("companion-response", valueCodeableConcept=concept(local("companion-response", kind)))


TRIGGER = seen("trigger", "sensory", "2026-10-05T17:00:00Z")
CASES = {
    "a trigger that nothing follows": ([TRIGGER], [Pattern("sensory", "none", 1, Counter(), None)]),
    "the response after it in the same session": (
        [TRIGGER, seen("trauma-response", "freeze", "2026-10-05T17:05:00Z", "one", companion_did("gave-space"))],
        [Pattern("sensory", "freeze", 1, Counter(["gave-space"]), None)],
    ),
    "no response of another session": (
        [TRIGGER, seen("trauma-response", "freeze", "2026-10-05T17:05:00Z", "two")],
        [Pattern("other", "freeze", 1, Counter(), None), Pattern("sensory", "none", 1, Counter(), None)],
    ),
    "the trigger that a response names, and not the last one": (
        [
            TRIGGER,
            seen("trigger", "people", "2026-10-05T17:01:00Z"),
            seen(
                "trauma-response", "flight", "2026-10-05T17:05:00Z", "one",
                component("preceding-trigger", valueCodeableConcept=concept(local("trigger", "sensory"))),
                component("recovery-minutes", valueInteger=12),
            ),
        ],
        [Pattern("people", "none", 1, Counter(), None), Pattern("sensory", "flight", 1, Counter(), 12.0)],
    ),
    "grounding that helped, and none that did not": (
        [
            TRIGGER,
            seen("trauma-response", "freeze", "2026-10-05T17:05:00Z"),
            seen("grounding-used", "five-things", "2026-10-05T17:06:00Z"),
            seen("grounding-used", "cold-water", "2026-10-05T17:07:00Z", "one", component("helped", valueBoolean=False)),
        ],
        [Pattern("sensory", "freeze", 1, Counter(["five-things"]), None)],
    ),
    "the most frequent first": (
        [
            seen("trigger", "place", "2026-10-05T17:00:00Z", "one"),
            *(seen("trigger", "sensory", f"2026-10-0{day}T17:00:00Z", "two") for day in (6, 7)),
        ],
        [Pattern("sensory", "none", 2, Counter(), None), Pattern("place", "none", 1, Counter(), None)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_patterns_pair_triggers_with_what_followed(name: str) -> None:
    observations, patterns = CASES[name]
    assert timeline(observations, DAYS["week"], UTC).patterns == patterns


def test_buckets_begin_on_a_monday_and_hold_empty_weeks_between() -> None:
    found = timeline([TRIGGER, seen("trigger", "place", "2026-10-22T01:00:00Z")], DAYS["week"], UTC)
    assert [(one.first, one.last, dict(one.triggers)) for one in found.buckets] == [
        (date(2026, 10, 5), date(2026, 10, 11), {"sensory": 1}),
        (date(2026, 10, 12), date(2026, 10, 18), {}),
        (date(2026, 10, 19), date(2026, 10, 25), {"place": 1}),
    ]


def test_a_day_is_one_of_the_agencys_zone() -> None:
    found = timeline([seen("trigger", "place", "2026-10-22T01:00:00Z")], DAYS["day"], ZoneInfo("America/New_York"))
    assert [one.first for one in found.buckets] == [date(2026, 10, 21)]


def test_words_are_not_counted() -> None:
    told = TRIGGER | {"valueCodeableConcept": {"text": "The smell of his aftershave"}}
    assert [one.trigger for one in timeline([told], DAYS["week"], UTC).patterns] == ["other"]


def test_what_has_no_time_or_is_something_else_is_left_out() -> None:
    undated = {name: value for name, value in TRIGGER.items() if name != "effectiveDateTime"}
    assert timeline([undated, seen("mood", "low", "2026-10-05")], DAYS["week"], UTC) == ((), [])
