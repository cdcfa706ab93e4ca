"""$validate: would this resource be stored? (https://hl7.org/fhir/R4/resource-operation-validate.html)."""
from collections.abc import Sequence

from recovery_api.fhir import models
from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.outcome import outcome
from recovery_api.interactions import validate as tiers
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.policy.audit import Shown
from recovery_api.policy.decide import decide

MODES = {"create": "c", "update": "u", "delete": "d"}
FINE = Issue("informational", "The resource is valid.", severity="information")


async def validate(server: Server, request: FhirRequest) -> FhirResult:
    """An OperationOutcome with every problem of a resource; 200 whatever it says.

    Takes the resource as the body, or Parameters with `resource` and `mode` (create, update, delete).
    """
    type = request.type or ""
    if not type:
        raise NotFound
    resource, mode, profile = _asked(request)
    letter = MODES.get(mode, "r") if mode else "r" if request.id else "c"
    decide(server.matrix, request.actor, type, letter if mode or request.id else "")
    told: Sequence[Shown] = ()
    if request.id is not None:
        sight = server.grants.sight(request.actor, "r", server.clock())
        async with server.store.reader(sight) as reader:
            record = await reader.read(type, request.id)
        if record is None or record.body is None:
            raise NotFound
        told = (record,)
        resource = resource or load(record.body)
    if profile and profile != f"http://hl7.org/fhir/StructureDefinition/{type}":
        raise BadRequest(Issue("not-supported", f"The profile {profile[:128]} is not known here; the base profile of {type} is."))
    if resource is None:
        if mode != "delete":
            raise BadRequest(Issue("required", "A resource is needed: as the body, or as the parameter 'resource'."))
        issues: list[Issue] = []
    else:
        issues = _issues(resource, type)
        if mode == "create" and "id" in resource:
            issues.append(Issue("informational", "The id is ignored on create: the server gives ids.", f"{type}.id", "information"))
    return FhirResult(200, dump(outcome(issues or [FINE])), shown=told)


def _issues(resource: JsonObject, type: str) -> list[Issue]:
    problems = tiers.structure(resource, type)
    if not problems:
        problems = [*tiers.rules(resource, type), *models.check(resource)]
    return problems


def _asked(request: FhirRequest) -> tuple[JsonObject | None, str, str]:
    said = dict(request.query)
    if not request.body:
        return None, said.get("mode", ""), said.get("profile", "")
    content = request.content()
    if content.get("resourceType") != "Parameters":
        return content, said.get("mode", ""), said.get("profile", "")
    shell = [issue for issue in tiers.structure(content, "Parameters") if ".resource" not in (issue.expression or "")]
    if shell:
        raise BadRequest(*shell)
    named = {parameter.get("name"): parameter for parameter in content.get("parameter", ())}
    mode = named.get("mode", {}).get("valueCode", said.get("mode", ""))
    if mode and mode not in {*MODES, "profile"}:
        raise BadRequest(Issue("value", "The mode is create, update, delete or profile.", "Parameters.parameter"))
    profile = named.get("profile", {})
    return named.get("resource", {}).get("resource"), mode, profile.get("valueUri", profile.get("valueCanonical", said.get("profile", "")))
