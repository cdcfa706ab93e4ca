"""update, and its conditional form (https://hl7.org/fhir/R4/http.html#update, #cond-update). It never creates under a given id."""
from recovery_api.fhir.errors import BadRequest, Issue, MethodNotAllowed
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.conditional import one_match
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.unit import Writing
from recovery_api.interactions.write import check_type, insert, replace
from recovery_api.policy.decide import decide

ABSENT = Issue("not-supported", "There is nothing to update here, and this server gives ids itself: create it with POST.")
NO_MATCH = Issue("not-supported", "Nothing matches, and this server gives ids itself: send the resource without id.")


async def update(writing: Writing) -> FhirResult:
    """The next version of a resource.

    Raises MethodNotAllowed for an id that is absent or hidden, the same for both: ids are the server's to give.
    """
    request, type = writing.request, writing.access.type
    if request.id is None:
        return await _conditional(writing)
    current = await writing.writer.lock(type, request.id)
    if current is None:
        raise MethodNotAllowed(ABSENT)

    def sent(seen: JsonObject) -> JsonObject:
        resource = request.content()
        check_type(resource, type)
        if resource.get("id") != request.id:
            raise BadRequest(Issue("invalid", "The body must have the id that the address has.", f"{type}.id"))
        return {**_beside(seen), **resource} if request.raw else resource

    return await replace(writing, current, sent)


def _beside(binary: JsonObject) -> JsonObject:
    """What stays of a Binary whose content alone is sent."""
    return {name: value for name, value in binary.items() if name == "securityContext"}


async def _conditional(writing: Writing) -> FhirResult:
    request, type = writing.request, writing.access.type
    resource = request.content()
    check_type(resource, type)
    current = await one_match(writing, type, request.query)
    if current is None:
        decide(writing.server.matrix, request.actor, type, "c")
        if "id" in resource:
            raise MethodNotAllowed(NO_MATCH)
        return await insert(writing, resource, writing.server.new_id())
    if resource.setdefault("id", current.id) != current.id:
        raise BadRequest(Issue("invalid", "The body has another id than the resource that matches.", f"{type}.id"))
    return await replace(writing, current, lambda _: resource)
