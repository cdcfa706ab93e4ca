"""Who is responsible for a client now."""
from collections.abc import Iterator

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import found
from recovery_api.policy.periods import interval, within
from recovery_api.policy.project import CASE_MANAGER
from recovery_api.store.reader import Reader


async def case_manager(server: Server, reader: Reader, client: str) -> str | None:
    """The case manager on the active CareTeam of a client ("Patient/id"), "Practitioner/id"."""
    teams = await found(server, reader, "CareTeam", ("subject", client), ("status", "active"))
    return next((manager for team in teams for manager in _managers(server, team)), None)


def _managers(server: Server, team: JsonObject) -> Iterator[str]:
    now = server.clock()
    for participant in team.get("participant", ()):
        starts, ends = within(interval(team.get("period"), server.zone), interval(participant.get("period"), server.zone))
        if has_coding(participant, "role", *CASE_MANAGER) and starts <= now < ends:
            yield from references_at(participant, "member")
