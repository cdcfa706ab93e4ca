"""Patient/{id}/$cover: a case manager stands in for a colleague, for some days (domain.md 3.5)."""
from typing import cast

from msgspec.structs import replace

from recovery_api.domain import cover as covers
from recovery_api.domain.codes import ref
from recovery_api.fhir.errors import NotFound, Rule, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import references_at
from recovery_api.fhir.search.expression import Own, both
from recovery_api.interactions.audited import keep
from recovery_api.interactions.care.staffing import care_teams, case_managers
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.make import change, make
from recovery_api.operations.frame import Operating
from recovery_api.policy.audit import Saved
from recovery_api.policy.periods import interval
from recovery_api.policy.relations import not_denied_in_person
from recovery_api.store.explaining import relations_of
from recovery_api.store.search import SearchQuery
from recovery_api.store.writer import Writer

HELD = Rule("cover-held", Unprocessable, "Who holds a client needs no cover.")
STAFF = frozenset({"case-manager", "companion"})


async def cover(operating: Operating) -> FhirResult:
    """Put the caller on the client's care team as a case manager until the cover ends, and tell the client's own case managers.

    Raises NotFound for a client whom the caller's organization does not have, the same as for one who is not there, and for one who
    wants nothing to do with the caller; Unprocessable where the caller holds the client already, and for a period that is too long.
    """
    server, request, actor, client = operating.server, operating.request, operating.request.actor, operating.request.id or ""
    now = server.clock()
    async with server.store.writer(server.grants.system, creator=actor.holder) as writer:
        ours = any(one.kind in STAFF and one.organization == actor.organization for one in await relations_of(writer, client, now))
        if not ours or await _is_denied(operating, writer, client):
            raise NotFound
        given = operating.given()
        if await writer.seeing(server.grants.rows(actor, now)).read("Patient", client) is not None:
            raise HELD.broken()
        owners = await case_managers(server, writer, client)
        starts, ends = interval(cast("JsonObject", given.one("period")), server.zone)
        starts = max(starts, now)
        covers.check_period(starts, ends, now)
        team = await _joined(operating, writer, client, starts, ends)
        period, reason = covers.period(starts, ends), str(given.one("reason"))
        told = [
            await make(server, writer, covers.told(client, actor.holder, owner, reason, period, writer.stamp)) for owner in owners
        ]
        shown = [Saved(one["resourceType"], one["id"], int(one["meta"]["versionId"]), client) for one in (team, *told)]
        answer = operating.answer(
            careTeam=ref(f"CareTeam/{team['id']}"), period=period, task=[ref(f"Task/{one['id']}") for one in told]
        )
        records = await keep(server, writer, [(request, answer._replace(shown=shown))])
    await server.audit.link(records)
    return answer._replace(recorded=True)


async def _is_denied(operating: Operating, writer: Writer, client: str) -> bool:
    """Whether the client wants nothing to do with the caller in person."""
    server, actor = operating.server, operating.request.actor
    asking = replace(server.grants.system, binds=server.grants.rows(actor, server.clock()).binds)
    willing = SearchQuery(("Patient",), both(Own("id", "=", client), not_denied_in_person), count=1)
    return not (await writer.seeing(asking).search(willing)).records


async def _joined(operating: Operating, writer: Writer, client: str, starts: int, ends: int) -> JsonObject:
    """The client's care team with the caller on it."""
    server, actor = operating.server, operating.request.actor
    organization = actor.organization or ""
    participant = covers.participant(actor.holder, organization, starts, ends)
    for team in await care_teams(server, writer, client):
        if organization in references_at(team, "participant.onBehalfOf"):
            return await change(
                server, writer, "CareTeam", team["id"], lambda team: {**team, "participant": [*team["participant"], participant]}
            )
    raise NotFound
