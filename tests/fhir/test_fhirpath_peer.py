"""On the official examples, R4's search parameters give what fhirpathpy gives."""
import json
from collections.abc import Callable, Iterable
from copy import deepcopy

import fhirpathpy
import pytest
from fhirpathpy.models import models

from recovery_api.fhir import fhirpath
from recovery_api.fhir.fhirpath import FhirPathError
from recovery_api.fhir.json import Json, JsonObject
from tests.fhir.examples import examples
from tests.fhir.search_expressions import EXPRESSIONS

# What the peer does differently, and why ours stands.
#   Resource.…            it does not know that every resource is a Resource
#   'as' of several       it raises; R4's search parameters use 'as' to select (FHIR R4, search parameter expressions)
#   an element's id       it gives the id and extensions of a primitive as a result of their own
#   resolve()             it has none
NOT_IN_THE_PEER = ("Resource.", "resolve()")


def canonical(values: Iterable[Json]) -> set[str]:
    results = (value for value in values if not (isinstance(value, dict) and set(value) <= {"id", "extension"}))
    return {json.dumps(value, sort_keys=True, default=float) for value in results}


def by_type() -> dict[str, list[JsonObject]]:
    found: dict[str, list[JsonObject]] = {}
    for example in (*examples("r4"), *examples("us-core-7.0.0")):
        found.setdefault(example["resourceType"], []).append(example)
    return found


RESOURCES = by_type()


def asked(peer: Callable[[JsonObject, None], list[Json]], resource: JsonObject, *, otherwise: set[str]) -> set[str]:
    """What the peer gives; for `as` of several, which it refuses, what is given here."""
    try:
        return canonical(peer(deepcopy(resource), None))
    except Exception as error:
        if "singleton on left side of 'as'" not in str(error):
            raise
        return otherwise


COMPARED = [
    each
    for each, types in EXPRESSIONS.items()
    if not any(part in each for part in NOT_IN_THE_PEER) and not RESOURCES.keys().isdisjoint(types)
]


@pytest.mark.parametrize("expression", COMPARED)
def test_a_search_parameter_reads_what_fhirpathpy_reads(expression: str) -> None:
    peer = fhirpathpy.compile(expression, models["r4"])
    for type_ in EXPRESSIONS[expression]:
        for resource in RESOURCES.get(type_, []):
            ours = canonical(node.value for node in fhirpath.compile(expression, type_)(resource))
            assert ours == asked(peer, resource, otherwise=ours)


def test_every_search_parameter_of_r4_compiles_for_each_of_its_types_but_one_that_r4_has_wrong() -> None:
    refused: set[str] = set()
    for expression, types in EXPRESSIONS.items():
        for type_ in types:
            try:
                fhirpath.compile(expression, type_)
            except FhirPathError:
                refused.add(expression)
    assert refused == {"DeviceDefinition.classification.type"}  # there is no such element
