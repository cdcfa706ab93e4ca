"""Who answers for whom now: the supervisors of a companion, the case managers and members of a client."""
from collections.abc import Iterator

from recovery_api.fhir.errors import Forbidden, NotFound
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.identity.actor import Actor
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import found
from recovery_api.policy.periods import interval, within
from recovery_api.policy.project import CASE_MANAGER, COMPANION
from recovery_api.store.explaining import relations_of
from recovery_api.store.reader import Reader


async def supervisors(server: Server, reader: Reader, staff: str) -> list[str]:
    """Who supervises somebody now ("Practitioner/id", or one of their PractitionerRoles), as "Practitioner/id"; without delegates."""
    now = server.clock()
    roles = [staff]
    if staff.startswith("Practitioner/"):
        roles = [one.holder for one in await relations_of(reader, staff, now) if one.kind == "practitioner-of"]
    leads = [one.holder for role in roles for one in await relations_of(reader, role, now) if one.kind == "supervises"]
    return [person for lead in leads for person in await persons(server, reader, lead)]


async def persons(server: Server, reader: Reader, role: str) -> list[str]:
    """The Practitioner who has a PractitionerRole now (references)."""
    return [one.holder for one in await relations_of(reader, role, server.clock()) if one.kind == "own-role"]


async def case_managers(server: Server, reader: Reader, client: str) -> list[str]:
    """The case managers on a client's care team now ("Practitioner/id"); `client` is a Patient's id."""
    return list(dict.fromkeys(one.holder for one in await relations_of(reader, client, server.clock()) if one.kind == "case-manager"))


async def care_teams(server: Server, reader: Reader, client: str) -> list[JsonObject]:
    """The client's active care teams."""
    return await found(server, reader, "CareTeam", ("patient", f"Patient/{client}"), ("status", "active"))


def members(server: Server, team: JsonObject, now: int) -> Iterator[tuple[int, JsonObject]]:
    """The participants of a care team at `now`, with their places."""
    for place, participant in enumerate(team.get("participant", ())):
        starts, ends = within(interval(team.get("period"), server.zone), interval(participant.get("period"), server.zone))
        if starts <= now < ends:
            yield place, participant


def member(participant: JsonObject) -> str:
    """Who a participant is (a reference), or ''."""
    return next(references_at(participant, "member"), "")


def is_ours(participant: JsonObject) -> bool:
    """Whether a participant is there as a companion or a case manager."""
    return any(has_coding(participant, "role", *code) for code in (COMPANION, CASE_MANAGER))


async def answering_for(server: Server, reader: Reader, actor: Actor, role: str) -> str:
    """The practitioner of a PractitionerRole ("PractitionerRole/id"), where the caller is that practitioner, or has supervision delegated.

    Raises NotFound where there is no such role for the caller, Forbidden for everybody else.
    """
    known = await relations_of(reader, role, server.clock())
    own = [one.holder for one in known if one.kind == "own-role"]
    delegates = [one.holder for one in known if one.kind == "delegates"]
    if actor.holder in own:
        return actor.holder
    for delegate in delegates:
        if own and actor.holder in await persons(server, reader, delegate):
            return own[0]
    if await reader.read("PractitionerRole", role.partition("/")[2]) is None:
        raise NotFound
    raise Forbidden("This is for whose role it is, and for those to whom supervision is delegated.")
