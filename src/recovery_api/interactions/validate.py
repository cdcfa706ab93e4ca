"""Is this resource fit to be stored? Every tier reports all of its problems at once, each at its place.

Structure answers 400; R4's invariants, narratives and claimed profiles 422 (interfaces.md, order of answers).
"""
from collections.abc import Iterable

from recovery_api.fhir import conformance, invariants, narrative
from recovery_api.fhir import profile as structures
from recovery_api.fhir.errors import BadRequest, Issue, Unprocessable
from recovery_api.fhir.json import JsonObject


def structure(resource: JsonObject, type: str) -> list[Issue]:
    """Where the resource is not what the definition of the type says."""
    return structures.check(resource, type)


def rules(resource: JsonObject, type: str) -> list[Issue]:
    """Where a well-structured resource breaks an invariant of R4, or its narrative does more than show."""
    return [*narrative.check(resource), *invariants.check(resource, type)]


def conforms(resource: JsonObject, profiles: Iterable[str]) -> list[Issue]:
    """Where a well-structured resource is not what profiles ask for: errors and warnings; of one that is not known, information."""
    found: list[Issue] = []
    for url in dict.fromkeys(profile.partition("|")[0] for profile in profiles):
        if conformance.is_known(url):
            found += conformance.check(resource, url)
        else:
            says = f"The profile {url[:200]} is not known here: nothing of it was checked."
            found.append(Issue("informational", says, f"{resource['resourceType']}.meta.profile", "information"))
    return list(dict.fromkeys(found))


def check(resource: JsonObject, type: str) -> None:
    """Raise BadRequest or Unprocessable with all that is wrong with a resource of this type, whatever profiles it claims."""
    if problems := structure(resource, type):
        broken = [issue for issue in problems if issue.code != "invariant"]
        raise BadRequest(*broken) if broken else Unprocessable(*problems)
    if problems := rules(resource, type):
        raise Unprocessable(*problems)


def check_claims(resource: JsonObject, before: JsonObject | None = None) -> None:
    """Raise Unprocessable where a well-structured resource breaks a profile that it claims and that is known here.

    `before` is what it was: what was broken then, in a profile that it claimed then, may stay. Both are the caller's copies, so that
    the answer tells nothing of what is not in them.
    """
    claims = conformance.claims(resource)
    if not claims:
        return
    broken = [issue for issue in conforms(resource, claims) if issue.severity == "error"]
    if broken and before is not None:
        stood = conforms(before, set(claims) & set(conformance.claims(before)))
        broken = [issue for issue in broken if issue not in stood]
    if broken:
        raise Unprocessable(*broken)
