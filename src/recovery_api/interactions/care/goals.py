"""The pace of a client's goals: few new ones at a time, save those that the client expresses (domain.md 7, "Pace-aware goals")."""
from recovery_api.domain.goals import began_within_a_week, is_the_clients_own
from recovery_api.fhir.errors import Rule, Unprocessable
from recovery_api.fhir.paths import references_at
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.make import seen

PACE = Rule(
    "goal-pace",
    Unprocessable,
    "{} goals began in the last seven days. Let this one wait, or let the client express it (expressedBy).",
)


async def keep_the_pace(written: Written) -> None:
    """Let a goal become active, and say since when.

    Raises Unprocessable where as many as may be, of those that the writer sees, began in the last seven days.
    """
    server, goal = written.server, written.after
    if not written.became("lifecycleStatus", "active"):
        return
    if not goal.keys() & {"startDate", "startCodeableConcept"}:
        goal["startDate"] = written.today.isoformat()
    client = next(references_at(goal, "subject"), "")
    if is_the_clients_own(goal) or not client:
        return
    turn = f"goals-of/{client}"
    await written.writer.claim(turn)
    there = await seen(server, written.writer, "Goal", ("patient", client), ("lifecycle-status", "active"))
    if began_within_a_week((one for one in there if one["id"] != goal["id"]), written.today) >= server.goals_per_week:
        raise PACE.broken(str(server.goals_per_week), at="Goal.lifecycleStatus")
    await written.writer.release(turn)
