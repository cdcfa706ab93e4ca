"""What waits for a supervisor, most pressing first, each with its reason (domain.md 1.5, 7; scenario 25). Pure."""
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from recovery_api.domain.codes import local, structure
from recovery_api.domain.escalations import PRIORITIES
from recovery_api.domain.supervision import BOUNDARY_EVENT, CHECK_IN, ESCALATION, EXPIRING, NOTE_REVIEW
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding

Key: TypeAlias = tuple[int, int, int, str]
"""By which a worklist is ordered: the place of the reason, of the priority, the deadline (microseconds, UTC) and the id."""

REASON = structure("worklist-reason")
REASONS = (
    "escalation-unacknowledged", "escalation-open", "safeguarding", "note-overdue", "check-in-overdue", "boundary-event",
    "consent-expiring", "note-waiting", "check-in-planned",
)  # fmt: skip
PRESSING = frozenset({"escalation-unacknowledged", "escalation-open", "safeguarding"})
"""Reasons that stand in one row, by priority and deadline alone."""
PRESSING_FIRST = PRIORITIES[::-1]


class Kind(NamedTuple):
    """A kind of Task on the list: the word that asks for it, and its reason before and after its deadline."""

    included_as: str
    waiting: str
    overdue: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        ESCALATION: Kind("escalations", "escalation-open", "escalation-unacknowledged"),
        NOTE_REVIEW: Kind("notes", "note-waiting", "note-overdue"),
        CHECK_IN: Kind("checkins", "check-in-planned", "check-in-overdue"),
        BOUNDARY_EVENT: Kind("checkins", "boundary-event", "boundary-event"),
        EXPIRING: Kind("consents", "consent-expiring", "consent-expiring"),
    }
)
INCLUDES = tuple(dict.fromkeys(kind.included_as for kind in KINDS.values()))


def reason(task: JsonObject, due: int, now: int) -> str:
    """Why a Task is on the list. `due`: its deadline, `now`: microseconds, UTC."""
    code = next(code for code in KINDS if has_coding(task, "code", *local("task-code", code)[:2]))
    if code == BOUNDARY_EVENT and task.get("priority", "routine") != "routine":
        return "safeguarding"
    late = due <= now
    if code == ESCALATION:
        late = late and task["status"] == "requested"
    return KINDS[code].overdue if late else KINDS[code].waiting


def key(task: JsonObject, due: int, now: int) -> Key:
    """The place of a Task on the list."""
    why = reason(task, due, now)
    row = -1 if why in PRESSING else REASONS.index(why)
    return row, PRESSING_FIRST.index(task.get("priority", "routine")), due, task["id"]
