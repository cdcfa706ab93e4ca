"""Supervision: check-ins with a cadence, case discussions, boundary events, and what each Task of theirs must be (domain.md 1.5)."""
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from recovery_api.domain.codes import THO, concept, local, ref, structure
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.fhir.errors import Conflict, Rule, Unprocessable
from recovery_api.fhir.instants import DAY, MINUTE, instant
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.paths import has_coding, references_at

CHECK_IN, CASE_DISCUSSION, BOUNDARY_EVENT, ESCALATION, NOTE_REVIEW, EXPIRING = (
    "supervision-check-in", "case-discussion", "boundary-event", "escalation", "note-review", "consent-expiring",
)  # fmt: skip
OPEN = ("draft", "requested", "received", "accepted", "ready", "in-progress", "on-hold")
"""The states of a Task that waits for somebody."""
STAFF = ("Practitioner", "PractitionerRole")
CADENCE = structure("supervision-cadence")
MOST_DAYS = 366
SAFEGUARDING = 60 * MINUTE
"""Microseconds until somebody must have looked at a boundary event that is about safeguarding."""
_OVER: Mapping[str, frozenset[str]] = {
    "completed": frozenset({"entered-in-error"}),
    "cancelled": frozenset({"entered-in-error"}),
    "entered-in-error": frozenset[str](),
}


def _talk(name: str, what: str) -> LifeCycle:
    """A talk is asked for, maybe agreed to and begun, and held or cancelled."""
    ends = frozenset({"completed", "cancelled", "entered-in-error"})
    return LifeCycle(
        name=name,
        what=what,
        at="Task.status",
        starts=frozenset({"requested", "accepted", "completed"}),  # completed: it was held without having been planned
        moves=MappingProxyType(
            {
                "requested": frozenset({"accepted", "in-progress"}) | ends,
                "accepted": frozenset({"in-progress"}) | ends,
                "in-progress": frozenset({"on-hold"}) | ends,
                "on-hold": frozenset({"in-progress"}) | ends,
                **_OVER,
            }
        ),
    )


LIFE_CYCLES: Mapping[str, LifeCycle] = MappingProxyType(
    {CHECK_IN: _talk("check-in", "A check-in"), CASE_DISCUSSION: _talk("case-discussion", "A case discussion")}
)
STAYS: Mapping[str, Rule] = MappingProxyType(
    {
        code: Rule(f"{cycle.name}-code", Unprocessable, f"{cycle.what} stays one, and nothing else becomes one.")
        for code, cycle in LIFE_CYCLES.items()
    }
)
ONCE: Mapping[str, Rule] = MappingProxyType(
    {code: Rule(cycle.move.key, Conflict, f"{cycle.what} is completed once.") for code, cycle in LIFE_CYCLES.items()}
)
ABOUT_A_CLIENT = Rule("case-discussion-client", Unprocessable, "A case discussion is about a client.")
DAYS = Rule(
    "supervision-cadence",
    Unprocessable,
    f"The cadence of supervision is one whole number of days (valuePositiveInt), {MOST_DAYS} at most.",
)


class Element(NamedTuple):
    """What a Task of a code must be: the rule, where, and whether it holds."""

    rule: Rule
    at: str
    holds: Callable[[JsonObject], bool]


def _refers(path: str, *types: str) -> Callable[[JsonObject], bool]:
    return lambda task: any(each.partition("/")[0] in types for each in references_at(task, path))


def _is_of_nobody(task: JsonObject) -> bool:
    return "for" not in task


def _has_outcome(task: JsonObject) -> bool:
    return task["status"] != "completed" or _refers("output.valueReference", "Communication")(task)


ELEMENTS: Mapping[str, tuple[Element, ...]] = MappingProxyType(
    {
        CHECK_IN: (
            Element(
                Rule("check-in-client", Unprocessable, "A check-in is no part of a client's record: it has no 'for'."),
                "Task.for",
                _is_of_nobody,
            ),
            Element(
                Rule("check-in-focus", Unprocessable, "A check-in is about a PractitionerRole."),
                "Task.focus",
                _refers("focus", "PractitionerRole"),
            ),
            Element(
                Rule("check-in-owner", Unprocessable, "A check-in belongs to a case manager."), "Task.owner", _refers("owner", *STAFF)
            ),
            Element(
                Rule(
                    "check-in-outcome",
                    Unprocessable,
                    "A check-in is completed with its outcome: a Communication of category supervision, as output.",
                ),
                "Task.output",
                _has_outcome,
            ),
        ),
        CASE_DISCUSSION: (
            Element(ABOUT_A_CLIENT, "Task.for", _refers("for", "Patient")),
        ),
    }
)


def is_task(task: JsonObject | None, code: str) -> bool:
    """Whether it is a Task of this code of ours."""
    return task is not None and has_coding(task, "code", *local("task-code", code)[:2])


def check_task(before: JsonObject | None, after: JsonObject) -> None:
    """Raise Unprocessable or Conflict where a check-in or a case discussion is not what it must be, or can't become so."""
    for code, cycle in LIFE_CYCLES.items():
        if not is_task(before, code) and not is_task(after, code):
            continue
        if before and is_task(before, code) != is_task(after, code):
            raise STAYS[code].broken(at="Task.code")
        cycle.check(before["status"] if before else None, after["status"])
        broken = [one for one in ELEMENTS[code] if not one.holds(after)]
        if broken:
            raise Unprocessable(*(one.rule.issue(at=one.at) for one in broken))


def check_cadence(role: JsonObject) -> None:
    """Raise Unprocessable for a cadence that is no whole number of days."""
    said = [each for each in role.get("extension", ()) if each.get("url") == CADENCE]
    if len(said) > 1 or any(_days(each) is None for each in said):
        raise DAYS.broken(at="PractitionerRole.extension")


def cadence(role: JsonObject, usual: int) -> int:
    """Days from one check-in to the next: what a companion's PractitionerRole says, else the usual."""
    said = (_days(each) for each in role.get("extension", ()) if each.get("url") == CADENCE)
    return next((days for days in said if days is not None), usual)


def _days(extension: JsonObject) -> int | None:
    days: Json = extension.get("valuePositiveInt")
    return days if isinstance(days, int) and 1 <= days <= MOST_DAYS else None


def ended(task: JsonObject) -> str:
    """When a Task ended (an instant or dateTime), as well as it says."""
    return task.get("executionPeriod", {}).get("end") or task.get("lastModified") or task.get("authoredOn") or task["meta"]["lastUpdated"]


def next_check_in(role: str, owner: str, last: int, days: int, now: int) -> JsonObject:
    """The Task of the check-in after the one at `last`. `role`, `owner`: references; times: microseconds, UTC."""
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "priority": "routine",
        "code": concept(local("task-code", CHECK_IN, "Supervision check-in")),
        "focus": ref(role),
        "authoredOn": instant(now),
        "lastModified": instant(now),
        "owner": ref(owner),
        "restriction": {"period": {"start": instant(last), "end": instant(last + days * DAY)}},
    }


def held(task: JsonObject, code: str, outcome: str, moment: str) -> JsonObject:
    """The Task of a talk that was held: `outcome` is the reference of the Communication that says what came of it.

    Raises Conflict for one that is over.
    """
    LIFE_CYCLES[code].check(task["status"], "completed")
    if task["status"] == "completed":
        raise ONCE[code].broken(at="Communication.basedOn")
    output = {"type": concept(local("check-in-output", "outcome", "Outcome")), "valueReference": ref(outcome)}
    during = {**task.get("executionPeriod", {}), "end": moment}
    return {**task, "status": "completed", "executionPeriod": during, "lastModified": moment, "output": [*task.get("output", ()), output]}


def is_safeguarding(event: JsonObject) -> bool:
    """Whether a boundary event says that somebody may be in danger: its component `safeguarding` is true, or it is critical (AA)."""
    code = local("companion-observation-component", "safeguarding")[:2]
    said = any(has_coding(one, "code", *code) and one.get("valueBoolean") is True for one in event.get("component", ()))
    return said or has_coding(event, "interpretation", THO + "v3-ObservationInterpretation", "AA")


def boundary_task(event: JsonObject, about: str, owner: str | None, now: int) -> JsonObject:
    """The Task that the supervisor of `about` looks at a boundary event (an Observation): urgent, within the hour, for safeguarding."""
    urgent = is_safeguarding(event)
    task: JsonObject = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "priority": "urgent" if urgent else "routine",
        "code": concept(local("task-code", BOUNDARY_EVENT, "Boundary event")),
        "focus": ref(about),
        "authoredOn": instant(now),
        "lastModified": instant(now),
        "reasonReference": ref(f"Observation/{event['id']}"),
    }
    for element, who in (("requester", next(references_at(event, "performer"), None)), ("owner", owner)):
        if who:
            task[element] = ref(who)
    if urgent:
        task["restriction"] = {"period": {"end": instant(now + SAFEGUARDING)}}
    return task


def expiring_task(consent: JsonObject, owner: str, moment: str) -> JsonObject:
    """The Task that somebody talks with a client about a Consent that is about to end."""
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "priority": "routine",
        "code": concept(local("task-code", EXPIRING, "Consent about to end")),
        "focus": ref(f"Consent/{consent['id']}"),
        "for": consent["patient"],
        "authoredOn": moment,
        "lastModified": moment,
        "owner": ref(owner),
        "restriction": {"period": {"end": consent["provision"]["period"]["end"]}},
    }
