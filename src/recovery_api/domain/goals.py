"""Goals at the client's pace: small steps, in which holding is a success (domain.md 0.10, 2.1, 7)."""
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from recovery_api.domain.codes import THO, structure
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at, objects_at, references_at

CLIENT_PACE = structure("client-pace")
STEP_OF = "http://hl7.org/fhir/StructureDefinition/goal-relationship"
ACHIEVEMENT = f"{THO}goal-achievement"
WEEK: Final = timedelta(days=7)

GOAL = LifeCycle(
    name="goal",
    what="A goal",
    at="Goal.lifecycleStatus",
    starts=frozenset({"proposed", "planned", "accepted", "active"}),
    moves=MappingProxyType(
        {
            "proposed": frozenset({"planned", "accepted", "active", "rejected", "cancelled", "entered-in-error"}),
            "planned": frozenset({"accepted", "active", "rejected", "cancelled", "entered-in-error"}),
            "accepted": frozenset({"active", "on-hold", "rejected", "cancelled", "entered-in-error"}),
            "active": frozenset({"on-hold", "completed", "cancelled", "entered-in-error"}),
            "on-hold": frozenset({"active", "completed", "cancelled", "entered-in-error"}),
            "completed": frozenset({"active", "entered-in-error"}),
            "cancelled": frozenset({"accepted", "entered-in-error"}),
            "rejected": frozenset({"entered-in-error"}),
            "entered-in-error": frozenset[str](),
        }
    ),
)


class Progress(NamedTuple):
    """Where a goal stands, and how one says that to the client."""

    standing: str
    words: str


WORDS: Mapping[str, str] = MappingProxyType(
    {
        "reached": "This step is reached.",
        "moving": "This is moving, at the pace that was chosen.",
        "holding": "This holds. Holding is an achievement of its own.",
        "paused": "This rests for now, as was chosen. It can be taken up again at any time.",
        "harder": "This is harder at the moment. The step may be made smaller, or rest.",
        "proposed": "This is an idea that has not begun.",
        "ended": "This was laid aside.",
    }
)
_LIFE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("proposed", "planned", "accepted"), "proposed"),
        **dict.fromkeys(("cancelled", "rejected", "entered-in-error"), "ended"),
        "completed": "reached",
        "on-hold": "paused",
    }
)
_ACHIEVEMENT: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("in-progress", "improving"), "moving"),
        **dict.fromkeys(("no-change", "sustaining"), "holding"),
        **dict.fromkeys(("worsening", "not-achieved", "not-attainable", "no-progress"), "harder"),
        "achieved": "reached",
    }
)


def progress(goal: JsonObject) -> Progress:
    """Where a goal stands: by its life cycle, then the pace, then its achievement."""
    achieved = next((str(each["code"]) for each in objects_at(goal, "achievementStatus.coding") if each.get("system") == ACHIEVEMENT), "")
    standing = _LIFE.get(goal["lifecycleStatus"]) or ("paused" if pace(goal) == "pause" else _ACHIEVEMENT.get(achieved, "moving"))
    return Progress(standing, WORDS[standing])


def pace(goal: JsonObject) -> str:
    """The client's pace: slower, steady, faster or pause; '' where none is set."""
    said = [part for each in objects_at(goal, "extension") if each.get("url") == CLIENT_PACE for part in objects_at(each, "extension")]
    return next((str(part["valueCode"]) for part in said if part.get("url") == "pace"), "")


def with_pace(goal: JsonObject, pace: str, set_by: JsonObject, day: date) -> JsonObject:
    """The goal at another pace."""
    told = [
        {"url": "pace", "valueCode": pace},
        {"url": "setBy", "valueReference": set_by},
        {"url": "date", "valueDate": day.isoformat()},
    ]
    others = [each for each in objects_at(goal, "extension") if each.get("url") != CLIENT_PACE]
    return {**goal, "extension": [*others, {"url": CLIENT_PACE, "extension": told}]}


def is_the_clients_own(goal: JsonObject) -> bool:
    """The client expressed it."""
    return set(references_at(goal, "expressedBy")) <= set(references_at(goal, "subject")) and "expressedBy" in goal


def steps_of(goal: JsonObject, others: Iterable[JsonObject]) -> list[JsonObject]:
    """Of other goals, those that are steps of this one: they say so by the extension goal-relationship."""
    mine = f"Goal/{goal['id']}"
    return [
        other
        for other in others
        if any(
            f"Goal/{str(target.get('reference', '')).removeprefix('Goal/')}" == mine
            for each in objects_at(other, "extension")
            if each.get("url") == STEP_OF
            for part in objects_at(each, "extension")
            for target in objects_at(part, "valueReference")
        )
    ]


def began_within_a_week(goals: Iterable[JsonObject], today: date) -> int:
    """How many active goals, that the client did not express, began in the seven days to today."""
    since = (today - WEEK).isoformat()
    return sum(
        goal["lifecycleStatus"] == "active"
        and not is_the_clients_own(goal)
        and any(str(start) > since for start in at(goal, "startDate"))
        for goal in goals
    )
