"""The order of a worklist, as a table (domain.md 1.5, 7)."""
import pytest

from recovery_api.domain.codes import concept, local
from recovery_api.domain.worklist import key, reason
from recovery_api.fhir.json import JsonObject

NOW = 1_000_000
EARLY, LATE, NEVER = NOW - 1, NOW + 1, 1 << 62


def task(code: str, id: str = "a", priority: str | None = "routine", status: str = "requested") -> JsonObject:
    said: JsonObject = {"resourceType": "Task", "id": id, "status": status, "code": concept(local("task-code", code))}
    return said | ({"priority": priority} if priority else {})


ORDERED = [
    (task("escalation", priority="stat"), LATE, "escalation-open"),
    (task("escalation", "b", priority="stat"), NEVER, "escalation-open"),
    (task("escalation", priority="urgent"), EARLY - 1, "escalation-unacknowledged"),
    (task("escalation", priority="urgent"), EARLY, "escalation-unacknowledged"),
    (task("escalation", "b", priority="urgent", status="accepted"), EARLY, "escalation-open"),
    (task("boundary-event", priority="urgent"), LATE, "safeguarding"),
    (task("escalation", priority="asap"), EARLY, "escalation-unacknowledged"),
    (task("escalation"), EARLY, "escalation-unacknowledged"),
    (task("escalation", "b", priority=None), LATE, "escalation-open"),
    (task("note-review", priority="urgent"), EARLY, "note-overdue"),
    (task("note-review"), EARLY - 1, "note-overdue"),
    (task("note-review", "b"), NOW, "note-overdue"),
    (task("supervision-check-in"), EARLY, "check-in-overdue"),
    (task("supervision-check-in", "b"), EARLY, "check-in-overdue"),
    (task("boundary-event"), NEVER, "boundary-event"),
    (task("consent-expiring"), EARLY, "consent-expiring"),
    (task("consent-expiring"), LATE, "consent-expiring"),
    (task("note-review"), LATE, "note-waiting"),
    (task("note-review"), NEVER, "note-waiting"),
    (task("supervision-check-in"), LATE, "check-in-planned"),
]


@pytest.mark.parametrize(("one", "due", "why"), ORDERED)
def test_each_task_has_its_reason(one: JsonObject, due: int, why: str) -> None:
    assert reason(one, due, NOW) == why


def test_what_presses_most_comes_first() -> None:
    shuffled = [*ORDERED[1::2], *ORDERED[::2]]
    assert sorted(shuffled, key=lambda row: key(row[0], row[1], NOW)) == ORDERED
