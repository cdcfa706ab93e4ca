"""$evaluate-escalation: what the rules of escalation would raise, as a dry run (domain.md 7)."""
from typing import cast

from recovery_api.domain.instruments import instrument_of
from recovery_api.domain.scoring import SCORED, observations
from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import Json, JsonObject, load
from recovery_api.interactions import validate
from recovery_api.interactions.care.escalations import Fired, fire, proposed
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.write import check_type, localize
from recovery_api.operations.frame import Operating
from recovery_api.policy.audit import Shown
from recovery_api.policy.facets import client_of


async def evaluate_escalation(operating: Operating) -> FhirResult:
    """The survey Observations that would be derived from answers, and each escalation that would be raised; nothing is stored.

    Of a stored resource by its id, else of the parameter `resource`. Raises NotFound where the resource, or its client, is not there
    for the caller; BadRequest and Unprocessable as for a create.
    """
    server, request, actor = operating.server, operating.request, operating.request.actor
    type, now = request.type or "", server.clock()
    resource = cast("JsonObject | None", operating.given().one("resource"))
    async with server.store.trial(server.grants.rows(actor, now)) as writer:
        told: tuple[Shown, ...] = ()
        if request.id is not None:
            record = await writer.seeing(server.grants.sight(actor, "r", now)).read(type, request.id)
            if record is None or record.body is None:
                raise NotFound
            resource, told = load(record.body), (record,)
        if resource is None:
            raise BadRequest(Issue("required", "A resource is needed: as the body, or as the parameter 'resource'."))
        check_type(resource, type)
        validate.check(resource, type)
        localize(resource, server.base)
        client = client_of(resource, server.matrix)
        if await writer.read("Patient", client) is None:
            raise NotFound
        derived = _derived(resource, instant(now))
        escalations = [
            _said(fired, await proposed(server, writer, fired, one, client))
            for one in (*derived, resource)
            for fired in await fire(server, writer, one, client)
        ]
    return operating.answer(observation=derived, escalation=escalations)._replace(shown=told)


def _derived(resource: JsonObject, now: str) -> list[JsonObject]:
    instrument = instrument_of(resource) if resource["resourceType"] == "QuestionnaireResponse" else None
    return list(observations(instrument, resource, now)) if instrument and resource["status"] in SCORED else []


def _said(fired: Fired, task: JsonObject) -> dict[str, Json]:
    return {
        "rule": task["instantiatesCanonical"],
        "title": fired.action.title or fired.rule.title,
        "priority": task["priority"],
        "owner": task.get("owner"),
        "acknowledgeBy": task["restriction"]["period"]["end"],
    }
