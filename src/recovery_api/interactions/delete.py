"""delete, and its conditional form for one match (https://hl7.org/fhir/R4/http.html#delete)."""
from recovery_api.fhir.errors import Conflict, NotFound, Rule
from recovery_api.fhir.search.expression import Has, Own, both
from recovery_api.interactions import care
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.conditional import one_match
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.preconditions import check_match
from recovery_api.interactions.present import copied
from recovery_api.interactions.unit import Writing
from recovery_api.interactions.write import check_writable, remove
from recovery_api.store.search import SearchQuery

SIGNED_REFERS = Rule("signed-refers", Conflict, "Something that was signed refers to this.")
SIGNED = (("Provenance", "Provenance.target"), ("DocumentReference", "DocumentReference.related"))


async def delete(writing: Writing) -> FhirResult:
    """The end of a resource; its versions stay. Raises NotFound where it is absent or hidden, Conflict where something signed
    refers to it."""
    request, type = writing.request, writing.access.type
    if request.id is None:
        current = await one_match(writing, type, request.query)
    else:
        current = await writing.writer.lock(type, request.id)
    if current is None:
        raise NotFound
    copy = copied(writing.server, request.actor, current)
    check_writable(writing, copy.full, None, (copy.seen,))
    check_match(request, current)
    await care.let_go(Written(writing.server, request.actor, writing.writer, copy.full, copy.full))
    everything = writing.writer.seeing(writing.server.grants.system)
    for source, param in SIGNED:
        where = both(Own("id", "=", current.id), Has(source, param, Own("released", "=", value=True)))
        page = await everything.search(SearchQuery((type,), where, count=1))
        if page.records:
            raise SIGNED_REFERS.broken(at=type)
    return await remove(writing, current)
