"""Escalations: Tasks by which the server asks a case manager to act, and by when (domain.md 1.5, 2.4)."""
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

from recovery_api.domain.business_days import end_of_next
from recovery_api.domain.codes import CANON, concept, local
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.fhir.errors import Rule, Unprocessable
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.paths import has_coding, objects_at

CODE: Final = (f"{CANON}/CodeSystem/task-code", "escalation")
PRIORITIES: Final = ("routine", "asap", "urgent", "stat")
"""From the least to the most pressing: by how soon somebody must answer."""
ACKNOWLEDGED_WITHIN: Final[Mapping[str, timedelta]] = MappingProxyType(
    {"stat": timedelta(minutes=15), "urgent": timedelta(minutes=60), "asap": timedelta(hours=4)}
)
"""How long the owner has to accept; routine: until the end of the next business day."""
OPEN: Final = ("requested", "accepted", "in-progress")
UNACKNOWLEDGED: Final = concept(local("escalation-reason", "unacknowledged", "Not acknowledged in time"))
ACTIONS: Final = ("treatment-team-contacted", "crisis-line-988", "emergency-services", "plan-updated", "monitor")
SERVERS: Final = (
    "authoredOn", "code", "encounter", "for", "instantiatesCanonical", "intent", "priority", "reasonReference", "requester", "restriction",
)  # fmt: skip
"""What the server says of an escalation and nobody else changes."""

FIXED = Rule("escalation-fixed", Unprocessable, "What an escalation is about, and by when, is the server's to say.")
OUTPUT = Rule(
    "escalation-output",
    Unprocessable,
    f"An escalation is completed with an output of type escalation-output|action: {', '.join(ACTIONS)}.",
)
REASON = Rule("escalation-reason", Unprocessable, "An escalation that is {} needs a reason.")
ESCALATION = LifeCycle(
    name="escalation",
    what="An escalation",
    at="Task.status",
    starts=frozenset({"requested"}),
    moves=MappingProxyType(
        {
            "requested": frozenset({"accepted", "cancelled"}),
            "accepted": frozenset({"in-progress", "cancelled"}),
            "in-progress": frozenset({"completed", "failed", "cancelled"}),
            "completed": frozenset[str](),
            "cancelled": frozenset[str](),
            "failed": frozenset[str](),
        }
    ),
)


def is_escalation(task: JsonObject | None) -> bool:
    """Whether a Task is an escalation."""
    return task is not None and has_coding(task, "code", *CODE)


def check(before: JsonObject | None, after: JsonObject) -> None:
    """Hold a written Task, which is or was an escalation, to the rules. Raises Unprocessable or Conflict."""
    if before is not None:
        changed = [name for name in SERVERS if before.get(name) != after.get(name)]
        if changed:
            raise Unprocessable(*(FIXED.issue(at=f"Task.{name}") for name in changed))
    if after["status"] == "completed" and not _outcome(after):
        raise OUTPUT.broken(at="Task.output")
    if after["status"] in {"cancelled", "failed"} and "statusReason" not in after:
        raise REASON.broken(after["status"], at="Task.statusReason")
    ESCALATION.check(before["status"] if before else None, after["status"])


def acknowledge_by(priority: str, moment: datetime, holidays: AbstractSet[date]) -> datetime:
    """By when an escalation must be accepted that is made at a moment, in the moment's own zone."""
    within = ACKNOWLEDGED_WITHIN.get(priority)
    return moment + within if within else end_of_next(moment, holidays)


def _outcome(task: JsonObject) -> list[Json]:
    return [
        output
        for output in task.get("output", ())
        if has_coding(output, "type", f"{CANON}/CodeSystem/escalation-output", "action")
        for said in objects_at(output, "valueCodeableConcept.coding")
        if said.get("system") == f"{CANON}/CodeSystem/escalation-action" and said.get("code") in ACTIONS
    ]
