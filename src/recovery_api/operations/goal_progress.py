"""Goal/{id}/$goal-progress: where a goal stands, in which holding is neutral (domain.md 7, "Pace-aware goals")."""
from recovery_api.domain.goals import pace, progress, steps_of
from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.json import load
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.make import seen
from recovery_api.operations.frame import Operating


async def goal_progress(operating: Operating) -> FhirResult:
    """Where the goal and its steps stand, as far as the caller reads them. Raises NotFound."""
    server, request = operating.server, operating.request
    async with server.store.reader(server.grants.sight(request.actor, "r", server.clock())) as reader:
        record = await reader.read("Goal", request.id or "")
        if record is None or record.body is None:
            raise NotFound
        goal = load(record.body)
        steps = steps_of(goal, await seen(server, reader, "Goal", ("patient", record.client))) if record.client else []
    stands = progress(goal)
    told = [
        {"goal": {"reference": f"Goal/{step['id']}"}, "standing": progress(step).standing, "words": progress(step).words} for step in steps
    ]
    since = goal.get("statusDate") or goal.get("startDate")
    answer = operating.answer(standing=stands.standing, words=stands.words, pace=pace(goal) or None, since=since, step=told)
    return answer._replace(shown=[record])
