"""create, and its conditional form (https://hl7.org/fhir/R4/http.html#create, #ccreate)."""
from recovery_api.interactions.conditional import claimed_matches
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.unit import Writing
from recovery_api.interactions.write import check_type, found_already, insert


async def create(writing: Writing) -> FhirResult:
    """A new resource with an id of ours; with If-None-Exist the one that matches already, if there is one.

    Of several at once with the same criteria, one creates and the others find what it created. In a transaction the request
    has the id that the server gave before.
    """
    request, type = writing.request, writing.access.type
    resource = request.content()
    check_type(resource, type)
    if request.if_none_exist is not None and request.id is None and (found := await claimed_matches(writing)):
        return found_already(writing, found)
    return await insert(writing, resource, request.id or writing.server.new_id())
