"""Who must act for a client: the case manager who supervises whoever was there, then up the chain (domain.md 1.5)."""
from collections.abc import Iterable

from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import references_at
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import found
from recovery_api.policy.project import relations
from recovery_api.store.reader import Reader
from recovery_api.store.records import Relation

WHO = {"Observation": ("performer",), "QuestionnaireResponse": ("author", "source")}


async def owner(server: Server, reader: Reader, resource: JsonObject, client: str) -> str | None:
    """Who must act on what was written of a client, "Practitioner/id".

    The client's case manager, where they wrote it themselves; else the supervisor of the companion who did, the client's case manager,
    and whoever is on call.
    """
    managers = await _case_managers(server, reader, client)
    people = [one for path in WHO[resource["resourceType"]] for one in references_at(resource, path) if one.startswith("Practitioner/")]
    mine = next((one for one in people if one in managers), None)
    supervising = None if mine else next(iter([one for person in people if (one := await supervisor(server, reader, person))]), None)
    return mine or supervising or next(iter(managers), None) or server.escalating.on_call or None


async def next_above(server: Server, reader: Reader, practitioner: str) -> str:
    """Who is asked when somebody does not answer: their supervisor, else whoever is on call, else nobody but themselves."""
    return await supervisor(server, reader, practitioner) or server.escalating.on_call or practitioner


async def supervisor(server: Server, reader: Reader, practitioner: str) -> str | None:
    """Who supervises a practitioner now, "Practitioner/id"."""
    roles = await found(server, reader, "PractitionerRole", ("practitioner", practitioner)) if practitioner else []
    for above in _now(server, roles, "supervises"):
        type, _, id = above.holder.partition("/")
        record = await reader.seeing(server.grants.system).read(type, id)
        for held in _now(server, [load(record.body)] if record and record.body else [], "practitioner-of"):
            return held.client
    return None


async def _case_managers(server: Server, reader: Reader, client: str) -> list[str]:
    teams = await found(server, reader, "CareTeam", ("patient", client), ("status", "active"))
    return [one.holder for one in _now(server, teams, "case-manager")]


def _now(server: Server, resources: Iterable[JsonObject], kind: str) -> list[Relation]:
    """The relations of a kind that hold now, the oldest first."""
    said = [one for each in resources for one in relations(each, server.zone) or () if one.kind == kind]
    return sorted((one for one in said if one.starts <= server.clock() < one.ends), key=lambda one: (one.starts, one.holder))
