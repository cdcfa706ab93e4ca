"""Goal/{id}/$set-pace: the client's own pace (domain.md 0.10, 2.1)."""

from recovery_api.domain.goals import with_pace
from recovery_api.fhir.errors import Forbidden, NotFound, Rule, Unprocessable
from recovery_api.fhir.instants import moment
from recovery_api.fhir.json import load
from recovery_api.fhir.parameters import PLACE
from recovery_api.identity.actor import local_reference
from recovery_api.interactions.audited import keep
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.make import change
from recovery_api.interactions.preconditions import check_match
from recovery_api.interactions.present import present
from recovery_api.interactions.write import EXISTS
from recovery_api.operations.frame import Operating
from recovery_api.policy.audit import Saved

SET_BY = Rule("pace-set-by", Unprocessable, "A client's app sets the client's own pace.")
PEOPLE = frozenset({"Patient", "Practitioner", "RelatedPerson"})


async def set_pace(operating: Operating) -> FhirResult:
    """The Goal at its new pace. A client's app sets it for the client alone.

    Raises NotFound, Forbidden where the token's scopes do not open the Goal, PreconditionFailed, and Unprocessable where `setBy` is
    not there for the caller.
    """
    server, request, actor, id = operating.server, operating.request, operating.request.actor, operating.request.id or ""
    async with server.store.writer(server.grants.rows(actor, server.clock()), creator=actor.holder) as writer:
        current = await writer.lock("Goal", id)
        if current is None or current.body is None:
            raise NotFound
        letter = server.matrix.operations[actor.role, "set-pace", "Goal"]
        if not server.grants.admits(actor, letter, load(current.body), current.client):
            raise Forbidden("The token's scopes do not open this resource.")
        check_match(request, current)
        given = operating.given()
        pace, by = given.one("pace"), given.one("setBy")
        who = local_reference(str(by.get("reference")), server.base, PEOPLE)
        type, _, who_id = (who or "").partition("/")
        if who is None or not await writer.references_visible([(type, who_id)]):
            raise EXISTS.broken("Who set the pace", at=PLACE)
        if actor.role == "client" and who not in {actor.holder, f"Patient/{current.client}"}:
            raise SET_BY.broken(at=PLACE)
        day = moment(writer.stamp, server.zone).date()
        said = await change(server, writer, "Goal", id, lambda goal: with_pace(goal, str(pace), {**by, "reference": who}, day))
        version = int(said["meta"]["versionId"])
        record = await writer.read("Goal", id)
        if record is None:
            raise NotFound
        body = await present(server, actor, writer, record)
        saved = Saved("Goal", id, version, current.client)
        result = FhirResult(200, body, version, record.last_updated, shown=[saved], recorded=True)
        records = await keep(server, writer, [(request, result)])
    await server.audit.link(records)
    return result
