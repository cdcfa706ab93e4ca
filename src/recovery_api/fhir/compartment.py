"""Compartment membership, by R4's CompartmentDefinitions (https://hl7.org/fhir/R4/compartmentdefinition.html)."""

from collections.abc import Mapping

from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.search.expression import NOTHING, Expression, Own, Row, Test, either
from recovery_api.fhir.search.parameters import ParameterTable, SearchParameter, compiled


def compartments() -> Mapping[str, Mapping[str, list[str]]]:
    """Compartment (Patient, Encounter …) → type → the codes of the parameters that make its resources members."""
    return compiled()["compartments"]


def members(compartment: str, table: ParameterTable) -> tuple[str, ...]:
    """The served types that may be members of the compartment, its own type among them. Raises NotFound."""
    found = _definition(compartment)
    return tuple(type_ for type_ in table.types if type_ in found or type_ == compartment)


def compartment_expression(compartment: str, id_: str, type_: str, table: ParameterTable) -> Expression:
    """What makes a resource of the type a member of the compartment of `compartment/id_`; NOTHING where none ever is.

    Raises NotFound for what is no compartment.
    """
    own: Expression = Own("id", "=", id_) if type_ == compartment else NOTHING
    codes = _definition(compartment).get(type_, [])
    found = [table.find(type_, code) for code in codes]
    return either(own, *(_points(parameter, compartment, id_) for parameter in found if parameter is not None))


def _definition(compartment: str) -> Mapping[str, list[str]]:
    found = compartments().get(compartment)
    if found is None:
        raise NotFound(f"There is no compartment of type {compartment[:100]}; there are: {', '.join(sorted(compartments()))}.")
    return found


def _points(parameter: SearchParameter, type_: str, id_: str) -> Expression:
    if type_ == "Patient" and (parameter.column == "client" or parameter.reads_client):
        return Own("client", "=", id_)
    tests = (Test("system", "=", type_), Test("value", "=", id_))
    return either(*(Row(row, tests) for row in parameter.rows))
