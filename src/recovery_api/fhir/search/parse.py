"""A search query, as its (name, value) pairs, to a Query (https://hl7.org/fhir/R4/search.html).

Unknown parameters are refused, or left out and recorded where handling is lenient; everything else that is wrong is always
refused. `_format`, `_pretty` and `_summary`'s like of HTTP are not search's business and must not be among the pairs.
"""

from collections.abc import Iterable, Sequence

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.search.expression import EVERYTHING, Expression, Own, both, either
from recovery_api.fhir.search.lower import UnknownParameter, lower
from recovery_api.fhir.search.query import Pair, Query, SearchContext
from recovery_api.fhir.search.results import RESULT_PARAMETERS, Results

MOST_PARAMETERS = 100


def parse(type_: str | None, pairs: Sequence[Pair], context: SearchContext, *, lenient: bool = False) -> Query:
    """The query for one type, or for all types (None: system search, narrowed by `_type`).

    Raises BadRequest, with the parameter's name in its diagnostics.
    """
    if len(pairs) > MOST_PARAMETERS:
        raise BadRequest(Issue("too-costly", f"A search has at most {MOST_PARAMETERS} parameters."))
    types, pairs_left = ((type_,), pairs) if type_ is not None else _types(pairs, context)
    results = Results(types, context)
    parts: list[list[Expression]] = [[] for _ in types]
    ignored: list[Pair] = []
    applied: list[Pair] = [pair for pair in pairs if type_ is None and pair[0] == "_type"]
    for name, value in pairs_left:
        try:
            if name.partition(":")[0] in RESULT_PARAMETERS:
                applied.append((name, results.take(name, value)))
                continue
            lowered = [lower(context, one, name, value) for one in types]
        except UnknownParameter:
            if not lenient:
                raise
            ignored.append((name, value))
            continue
        for part, expression in zip(parts, lowered, strict=True):
            part.append(expression)
        applied.append((name, value))
    where = _where(types, [both(*part) if part else EVERYTHING for part in parts])
    return results.query(where, tuple(ignored), tuple(applied))


def condition(type_: str, pairs: Iterable[Pair], context: SearchContext) -> Expression:
    """What the pairs ask of a resource of the type: conditional interactions, and the query part of a SMART scope.

    Raises BadRequest for anything but search parameters.
    """
    return both(*(lower(context, type_, name, value) for name, value in pairs))


def _types(pairs: Sequence[Pair], context: SearchContext) -> tuple[tuple[str, ...], list[Pair]]:
    """The types that a system search is over, and the pairs without `_type`."""
    named = [value.split(",") for name, value in pairs if name == "_type"]
    wanted = named[0] if named else list(context.table.types)
    if len(named) > 1:
        raise BadRequest(Issue("invalid", "The search parameter '_type' stands twice; write the types with commas between them."))
    for type_ in wanted:
        if type_ not in context.table.types:
            raise BadRequest(Issue("invalid", f"The search parameter '_type' names '{type_[:100]}', which is not a type served here."))
    return tuple(dict.fromkeys(wanted)), [pair for pair in pairs if pair[0] != "_type"]


def _where(types: tuple[str, ...], parts: list[Expression]) -> Expression:
    if all(part == parts[0] for part in parts):
        return parts[0]
    return either(*(both(Own("type", "=", type_), part) for type_, part in zip(types, parts, strict=True)))
