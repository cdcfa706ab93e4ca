"""The official examples and FHIRPath, as a second opinion on what the index holds."""

import re

import pytest

from recovery_api.fhir.fhirpath import compile as fhirpath
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.search.compile_parameter import INDEXED
from recovery_api.fhir.search.expression import param_number
from recovery_api.fhir.search.parameters import SearchParameter
from tests.fhir.examples import SOURCES, examples, name
from tests.fhir.search.searching import EXTRACT, TABLE

DIFFERENT = {
    "Observation.gene-identifier",  # its expression ends at an extension: the index holds the extension's value
    "CarePlan.activity-date",  # a Timing may say nothing of when: no event, no bounds
}


def found_by_path(parameter: SearchParameter, resource: JsonObject) -> bool:
    """Whether FHIRPath finds an element that the parameter's kind indexes."""
    expression = re.sub(r"hasExtension\(('[^']*')\)", r"extension(\1).exists()", parameter.expression)
    return any(node.type in INDEXED[parameter.kind] for node in fhirpath(expression, parameter.type)(resource))


@pytest.mark.parametrize("source", SOURCES)
def test_the_index_holds_something_exactly_where_fhirpath_finds_something(source: str) -> None:
    compared = 0
    for resource in examples(source):
        numbers = {row.param for row in EXTRACT(resource)}
        for parameter in TABLE[resource["resourceType"]].values():
            if parameter.kind not in ("composite", "words") and not parameter.column and parameter.name not in DIFFERENT:
                indexed = any(param_number(row) in numbers for row in parameter.rows)
                assert indexed is found_by_path(parameter, resource), f"{name(resource)} {parameter.code}"
                compared += indexed
    assert compared > 100
