"""Links between the entries of a transaction, and conditional references (https://hl7.org/fhir/R4/http.html#trules)."""
from collections.abc import Mapping

from recovery_api.fhir.errors import BadRequest, Issue, PreconditionFailed, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.references import Kind, parse_reference, references, relinked, urn_holders
from recovery_api.interactions.conditional import matches
from recovery_api.interactions.unit import Writing


async def relink(writing: Writing, resource: JsonObject, targets: Mapping[str, str]) -> None:
    """Rewrite, in place, what names another entry by its fullUrl, and each conditional reference to the one that matches.

    `targets` are the references ("Type/id") of the entries by their fullUrl. Raises BadRequest for a urn that is no entry's,
    PreconditionFailed and Unprocessable for a conditional reference that matches several or none.
    """
    for container, key, text in urn_holders(resource):
        if text.startswith("urn:"):
            if text not in targets and key == "reference":
                raise BadRequest(Issue("invalid", f"No entry has the fullUrl {text[:64]}.", resource.get("resourceType")))
            container[key] = targets.get(text, text)  # type: ignore[index,call-overload]
        else:
            container[key] = relinked(text, targets)  # type: ignore[index,call-overload]
    for place, holder in references(resource):
        reference: str = holder["reference"]
        if reference in targets:
            holder["reference"] = targets[reference]
        elif (literal := parse_reference(reference)) and literal.kind is Kind.CONDITIONAL:
            holder["reference"] = await _matching(writing, literal.type or "", reference, place)


async def _matching(writing: Writing, type: str, reference: str, place: str) -> str:
    found = await matches(writing, type, reference.partition("?")[2])
    if len(found) > 1:
        raise PreconditionFailed(Issue("multiple-matches", "Several resources match this conditional reference.", place))
    if not found:
        raise Unprocessable(Issue("not-found", "Nothing matches this conditional reference.", place))
    return found[0].reference
