"""Who answers for whom now: the supervisors of a companion, the case managers and members of a client."""
from collections.abc import Iterator, Sequence

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
from recovery_api.store.staff import holders_of, supervisor_of


async def supervisor(server: Server, reader: Reader, staff: str) -> str | None:
    """Who supervises somebody now ("Practitioner/id", or one of their PractitionerRoles), as "Practitioner/id"; no delegate.

    The latest, where several do.
    """
    if staff.startswith("Practitioner/"):
        return await supervisor_of(reader, staff, server.clock())
    leads = await holders_of(reader, "supervises", staff, server.clock())
    for lead in leads:
        for person in await persons(server, reader, lead):
            return person
    return None


async def persons(server: Server, reader: Reader, role: str) -> list[str]:
    """The Practitioner who has a PractitionerRole now (references)."""
    return [one.holder for one in await relations_of(reader, role, server.clock()) if one.kind == "own-role"]


async def case_managers(server: Server, reader: Reader, client: str) -> list[str]:
    """The case managers on a client's care team now ("Practitioner/id"), the oldest first; `client` is a Patient's id."""
    there = [one for one in await relations_of(reader, client, server.clock()) if one.kind == "case-manager"]
    return list(dict.fromkeys(one.holder for one in sorted(there, key=lambda one: (one.starts, one.holder))))


async def case_manager(server: Server, reader: Reader, client: str) -> str | None:
    """The first of them; None where there is none."""
    return next(iter(await case_managers(server, reader, client)), None)


async def owner(server: Server, reader: Reader, authors: Sequence[str], client: str) -> str | None:
    """Who must act on what was written of a client, "Practitioner/id".

    The client's case manager, where they wrote it themselves; else the supervisor of the companion who did, the client's case manager,
    and whoever is on call.
    """
    managers = await case_managers(server, reader, client)
    mine = next((one for one in authors if one in managers), None)
    return mine or await _supervisor_of_one(server, reader, authors) or next(iter(managers), None) or server.escalating.on_call or None


async def answerable(server: Server, reader: Reader, companions: Sequence[str], client: str) -> str | None:
    """Who must act on what happens to companions with a client.

    Who supervises one of them, else the client's case manager, else whoever is on call.
    """
    above = await _supervisor_of_one(server, reader, companions)
    return above or await case_manager(server, reader, client) or server.escalating.on_call or None


async def _supervisor_of_one(server: Server, reader: Reader, people: Sequence[str]) -> str | None:
    for person in people:
        if above := await supervisor(server, reader, person):
            return above
    return None


async def next_above(server: Server, reader: Reader, practitioner: str) -> str:
    """Who is asked when somebody does not answer: their supervisor, else whoever is on call, else nobody but themselves."""
    return await supervisor(server, reader, practitioner) or server.escalating.on_call or practitioner


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
