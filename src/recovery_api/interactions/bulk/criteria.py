"""`_typeFilter`: searches of one type each, of which a resource of that type must meet one."""
from collections.abc import Iterable, Mapping

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.search.expression import Expression, either
from recovery_api.fhir.search.parse import condition
from recovery_api.fhir.search.query import SearchContext
from recovery_api.fhir.search.results import RESULT_PARAMETERS
from recovery_api.interactions.target import pairs


def criteria(filters: Iterable[str], context: SearchContext) -> Mapping[str, Expression]:
    """What a resource of each type must meet. Raises BadRequest for what is no search of a type that is served."""
    found: dict[str, Expression] = {}
    for text in filters:
        type, mark, query = text.partition("?")
        if not mark or type not in context.table.types:
            raise BadRequest(Issue("value", f"The parameter '_typeFilter' is like Observation?code=…, and not '{text[:64]}'."))
        wanted = pairs(query)
        for name, _ in wanted:
            if name.partition(":")[0] in RESULT_PARAMETERS:
                raise BadRequest(Issue("not-supported", f"The parameter '_typeFilter' says which resources, so not '{name[:64]}'."))
        meets = condition(type, wanted, context)
        found[type] = either(found[type], meets) if type in found else meets
    return found
