"""Consent/$preview: what a Consent would open to whom, or close, before it is made (domain.md 7)."""

from collections import Counter
from typing import cast

from recovery_api.domain.consents import check_complete
from recovery_api.fhir.errors import NotFound, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.outcome import outcome
from recovery_api.fhir.paths import references_at
from recovery_api.interactions import validate
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.write import check_type, localize
from recovery_api.operations.frame import Operating
from recovery_api.policy.access_words import family_codes
from recovery_api.policy.audit import Decision
from recovery_api.policy.consent import consent_rules
from recovery_api.policy.explain import has_client, recipients
from recovery_api.store.consent_impact import Open, impact
from recovery_api.store.explaining import relations_of

ADDED = "preview"
"""Stands for the id of a Consent that is not there yet."""


async def preview(operating: Operating) -> FhirResult:
    """How many resources each recipient would gain and lose, by type and sensitivity; nothing is stored.

    Raises NotFound where the Consent's client is not the caller's, BadRequest and Unprocessable as for a create, save that what
    an active Consent lacks is only told.
    """
    server, actor, now = operating.server, operating.request.actor, operating.server.clock()
    consent = cast("JsonObject", operating.given().one("consent"))
    check_type(consent, "Consent")
    validate.check(consent, "Consent")
    localize(consent, server.base)
    client = next(references_at(consent, "patient"), "").removeprefix("Patient/")
    async with server.store.reader(server.grants.system) as reader:
        if not await has_client(server.grants, reader, actor, client, now):
            raise NotFound
        relations = await relations_of(reader, client, now)
    id = consent.get("id", ADDED)
    rules = consent_rules({**consent, "id": id}, server.zone)
    named = {one.holder for one in relations if one.kind == "consent-permit"} | {actor for rule in rules for actor in rule.actors}
    asking = server.grants.system if actor.role == "auditor" else server.grants.rows(actor, now)
    before, after = await impact(server.store, asking, client, id, rules, recipients(server.matrix, named))
    gained, lost = _counted(after - before), _counted(before - after)
    told = [
        {"recipient": {"reference": recipient}, "resourceType": type, "sensitivity": family, "gained": gained[key], "lost": lost[key]}
        for key in sorted({*gained, *lost})
        for recipient, type, family in [key]
    ]
    decision = Decision(client, (f"Consent/{id}",) if "id" in consent else (), any(rule.effect == "permit" for rule in rules))
    return operating.answer(impact=told, warning=_lacking(consent))._replace(decision=decision)


def _counted(changed: frozenset[Open]) -> Counter[tuple[str, str, str]]:
    """By recipient, type and family of sensitivity; a resource of several families counts in each."""
    return Counter((one.recipient, one.type, family) for one in changed for family in family_codes(one.labels) or ["none"])


def _lacking(consent: JsonObject) -> JsonObject | None:
    """An OperationOutcome with what the Consent lacks before it could be active."""
    try:
        check_complete(consent)
    except Unprocessable as problem:
        return outcome(issue._replace(severity="warning") for issue in problem.issues)
    return None
