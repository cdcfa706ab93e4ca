"""$validate: would this resource be stored? (https://hl7.org/fhir/R4/resource-operation-validate.html)."""
from collections.abc import Sequence

from recovery_api.fhir import conformance, models
from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.json import JsonObject, dump
from recovery_api.fhir.outcome import outcome
from recovery_api.interactions import validate as tiers
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.present import copied
from recovery_api.operations.frame import Operating
from recovery_api.policy.audit import Shown
from recovery_api.policy.decide import decide

MODES = {"create": "c", "update": "u", "delete": "d", "profile": "r"}
FINE = Issue("informational", "The resource is valid.", severity="information")


async def validate(operating: Operating) -> FhirResult:
    """An OperationOutcome with every problem of a resource; 200 whatever it says.

    Takes the resource as the body, or Parameters with `resource` and `mode` (create, update, delete).
    """
    server, request = operating.server, operating.request
    type, given = request.type or "", operating.given()
    resource, mode, profile = given.one("resource"), given.one("mode"), given.one("profile")
    if mode and mode not in MODES:
        raise BadRequest(Issue("value", "The mode is create, update, delete or profile.", "Parameters.parameter"))
    decide(server.matrix, request.actor, type, MODES[mode] if mode else "r" if request.id else "")
    told: Sequence[Shown] = ()
    if request.id is not None:
        sight = server.grants.sight(request.actor, "r", server.clock())
        async with server.store.reader(sight) as reader:
            record = await reader.read(type, request.id)
        if record is None or record.body is None:
            raise NotFound
        told = (record,)
        resource = resource or copied(server, request.actor, record).seen
    if profile and not conformance.is_known(profile):
        raise BadRequest(Issue("not-supported", f"The profile {profile[:200]} is not known here.", "Parameters.parameter"))
    if resource is None:
        if mode != "delete":
            raise BadRequest(Issue("required", "A resource is needed: as the body, or as the parameter 'resource'."))
        issues: list[Issue] = []
    else:
        issues = _issues(resource, type, profile)
        if mode == "create" and "id" in resource:
            issues.append(Issue("informational", "The id is ignored on create: the server gives ids.", f"{type}.id", "information"))
    if not any(issue.severity == "error" for issue in issues):
        issues.append(FINE)
    return FhirResult(200, dump(outcome(issues)), shown=told)


def _issues(resource: JsonObject, type: str, profile: str | None) -> list[Issue]:
    if problems := tiers.structure(resource, type):
        return problems
    profiles = [*([profile] if profile else []), *conformance.claims(resource)]
    return [*tiers.rules(resource, type), *models.check(resource), *tiers.conforms(resource, profiles)]
