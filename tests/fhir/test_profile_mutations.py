"""Whatever breaks a rule of the definitions is refused, with the exact place; whatever breaks none is not."""
import pytest

from recovery_api.fhir import models
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.profile import check
from tests.fhir.mutations import BAD_VALUES, GOOD_VALUES, MUTATORS, fullest, mutations, served_types, smallest


@pytest.mark.parametrize("resource_type", served_types())
def test_every_mutation_of_a_good_resource_is_refused_with_its_place(resource_type: str) -> None:
    made = list(mutations(resource_type))
    unnoticed = [one.title for one in made if one.place not in {issue.expression for issue in check(one.make())}]
    assert unnoticed == []
    assert len(made) > 50


def test_mutations_cover_every_kind_of_rule_and_number_more_than_five_hundred() -> None:
    made = [one for resource_type in served_types() for one in mutations(resource_type)]
    assert len(made) > 500 * len(MUTATORS)
    assert {one.rule.split(" value ")[0] for one in made if " value " in one.rule} >= BAD_VALUES.keys() - {"uuid", "oid"}


@pytest.mark.parametrize("resource_type", sorted(definitions().resource_types))
def test_the_smallest_and_the_fullest_resource_of_any_type_are_accepted(resource_type: str) -> None:
    assert check(smallest(resource_type), resource_type) == []
    assert check(fullest(resource_type), resource_type) == []


@pytest.mark.parametrize("resource_type", served_types())
def test_the_smallest_and_the_fullest_resource_of_a_served_type_are_accepted_by_their_model(resource_type: str) -> None:
    assert models.check(smallest(resource_type)) == []
    assert models.check(fullest(resource_type)) == []


def test_there_are_good_and_bad_values_of_every_primitive() -> None:
    primitives = {name for name in definitions().type_names if definitions().type(name).kind == "primitive"}
    assert BAD_VALUES.keys() == GOOD_VALUES.keys() == primitives
