"""Is this resource fit to be stored? Every tier reports all of its problems at once, each at its place.

Structure answers 400; R4's invariants and narratives 422 (interfaces.md, order of answers).
"""
from recovery_api.fhir import invariants, narrative, profile
from recovery_api.fhir.errors import BadRequest, Issue, Unprocessable
from recovery_api.fhir.json import JsonObject


def structure(resource: JsonObject, type: str) -> list[Issue]:
    """Where the resource is not what the definition of the type says."""
    return profile.check(resource, type)


def rules(resource: JsonObject, type: str) -> list[Issue]:
    """Where a well-structured resource breaks an invariant of R4, or its narrative does more than show."""
    return [*narrative.check(resource), *invariants.check(resource, type)]


def check(resource: JsonObject, type: str) -> None:
    """Raise BadRequest or Unprocessable with all that is wrong with a resource of this type."""
    if problems := structure(resource, type):
        broken = [issue for issue in problems if issue.code != "invariant"]
        raise BadRequest(*broken) if broken else Unprocessable(*problems)
    if problems := rules(resource, type):
        raise Unprocessable(*problems)
