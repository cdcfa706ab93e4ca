"""Check-ins of a companion in a session, and the timer that waits for them (domain.md 1.3, 7).

What a companion says under duress must look like any other check-in to whoever looks over her shoulder: each is one Task that she does
not see, and the timer goes on the same way. Where she is is never said.
"""
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from recovery_api.domain.codes import Coded, concept, local, ref
from recovery_api.fhir.instants import MINUTE, instant
from recovery_api.fhir.json import JsonObject

TIMER: Final = local("task-code", "session-timer", "Waits for a check-in")
PATIENCE: Final = 30 * MINUTE
"""How long after a session's planned end, or after a check-in that comes later, nothing need be heard."""
USUAL: Final = 120 * MINUTE
"""How long a session is that nobody planned an end for."""
ESCALATION: Final = local("task-code", "escalation", "Escalation")


class Answer(NamedTuple):
    """What the server makes of a check-in: a Task, what state it is in, how pressing it is, and how soon somebody must take it."""

    code: Coded
    status: str
    priority: str
    within: int


ANSWERS: Final[Mapping[str, Answer]] = MappingProxyType(
    {
        "ok": Answer(local("task-code", "session-check-in", "Check-in in a session"), "completed", "routine", 24 * 60 * MINUTE),
        "need-support": Answer(ESCALATION, "requested", "urgent", 60 * MINUTE),
        "duress": Answer(ESCALATION, "requested", "stat", 15 * MINUTE),
        "missed": Answer(ESCALATION, "requested", "stat", 15 * MINUTE),
    }
)


def timer(session: JsonObject, owner: str | None, now: int, ends: int) -> JsonObject:
    """The Task that waits until a session that ends at `ends` (microseconds, UTC) has not been heard of for too long."""
    period = {"start": instant(now), "end": instant(max(now, ends) + PATIENCE)}
    return _task(session, TIMER, "in-progress", "routine", owner, now) | {"restriction": {"period": period}}


def waiting(task: JsonObject, now: int) -> JsonObject:
    """The timer after a check-in: it waits at least as long as before, anew if it had run out."""
    period: JsonObject = task["restriction"]["period"]
    ends = max(period["end"], instant(now + PATIENCE))
    return task | {"status": "in-progress", "lastModified": instant(now), "restriction": {"period": period | {"end": ends}}}


def stopped(task: JsonObject, status: str, now: int) -> JsonObject:
    """The timer, which has run out (failed) or is not needed any more (completed, cancelled)."""
    return task | {"status": status, "lastModified": instant(now)}


def answer(session: JsonObject, said: str, owner: str | None, now: int) -> JsonObject:
    """The Task that follows from a check-in, or from none (`missed`)."""
    made = ANSWERS[said]
    due = {"restriction": {"period": {"end": instant(now + made.within)}}}
    reason = concept(local("check-in-status", said))
    return _task(session, made.code, made.status, made.priority, owner, now) | {"reasonCode": reason} | due


def _task(session: JsonObject, code: Coded, status: str, priority: str, owner: str | None, now: int) -> JsonObject:
    """A Task about a session, of which neither companion nor client is owner or requester: they do not see it."""
    here = ref(f"Encounter/{session['id']}")
    return {
        "resourceType": "Task",
        "status": status,
        "intent": "order",
        "priority": priority,
        "code": concept(code),
        "focus": here,
        "for": session["subject"],
        "encounter": here,
        "authoredOn": instant(now),
        "lastModified": instant(now),
        **({"owner": ref(owner)} if owner else {}),
    }
