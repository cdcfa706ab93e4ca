"""The compiled facts say what the R4 definitions say."""
import pytest

from recovery_api.fhir.definitions import Element, definitions

facts = definitions()


def test_every_r4_resource_type_that_can_have_instances_is_known() -> None:
    assert len(facts.resource_types) == 146
    assert {"Patient", "Bundle", "Parameters"} <= facts.resource_types
    assert not {"DomainResource", "Resource", "Element", "Quantity"} & facts.resource_types


@pytest.mark.parametrize(
    ("of", "name", "expected"),
    [
        ("Observation.component", "valueQuantity", ("Observation.component.value[x]", "Quantity", 0, 1, "value", None, ())),
        (
            "Observation.component",
            "referenceRange",
            ("Observation.component.referenceRange", "Observation.referenceRange", 0, None, None, None, ()),
        ),
        ("Observation", "status", ("Observation.status", "code", 1, 1, None, "http://hl7.org/fhir/ValueSet/observation-status", ())),
        ("Observation", "encounter", ("Observation.encounter", "Reference", 0, 1, None, None, ("Encounter",))),
        ("Observation", "focus", ("Observation.focus", "Reference", 0, None, None, None, ())),
        ("Observation", "id", ("Resource.id", "id", 0, 1, None, None, ())),
        ("Extension", "url", ("Extension.url", "uri", 1, 1, None, None, ())),
        ("Age", "comparator", ("Quantity.comparator", "code", 0, 1, None, "http://hl7.org/fhir/ValueSet/quantity-comparator", ())),
    ],
)
def test_an_element_has_its_type_cardinality_and_binding(of: str, name: str, expected: tuple[object, ...]) -> None:
    assert facts.type(of).elements[name][1:8] == expected


def test_a_choice_lists_its_types_and_each_is_a_property() -> None:
    observation = facts.type("Observation")
    assert [element.type for element in observation.choices["effective"]] == ["dateTime", "Period", "Timing", "instant"]
    assert all(observation.elements[element.name] is element for element in observation.choices["value"])


def test_every_element_names_a_type_that_is_known() -> None:
    assert not [
        element
        for name in facts.type_names
        for element in facts.type(name).elements.values()
        if element.type not in facts.type_names
    ]


def test_invariants_are_inherited_once_and_keep_their_element() -> None:
    keys = [(rule.key, rule.element) for rule in facts.type("Observation").invariants]
    assert len(keys) == len(set(keys))
    assert {("dom-2", ""), ("obs-6", ""), ("obs-7", "")} <= set(keys)
    assert ("sqty-1", "low") in {(rule.key, rule.element) for rule in facts.type("Observation.referenceRange").invariants}
    assert [rule.key for rule in facts.type("Observation.component").invariants] == ["ele-1"]


def test_codes_of_a_hierarchy_are_expanded_with_their_systems() -> None:
    assert facts.codes("http://hl7.org/fhir/ValueSet/quantity-comparator") == {
        ("http://hl7.org/fhir/quantity-comparator", code) for code in ("<", "<=", ">=", ">")
    }
    types = facts.code_values("http://hl7.org/fhir/ValueSet/all-types")
    assert types is not None
    assert {"Patient", "Quantity", "Any"} <= types
    assert facts.codes("http://hl7.org/fhir/ValueSet/observation-status|4.0.1") == facts.codes("http://hl7.org/fhir/ValueSet/observation-status")


def test_a_value_set_that_has_no_list_is_none() -> None:
    assert facts.codes("http://hl7.org/fhir/ValueSet/mimetypes") is None
    assert facts.code_values("http://hl7.org/fhir/ValueSet/mimetypes") is None


def test_every_profile_of_us_core_can_be_read() -> None:
    assert len(facts.profile_urls) > 50
    assert all(facts.profile(url) for url in facts.profile_urls)
    patient = facts.profile("http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient|7.0.0")
    assert patient is not None
    assert ("Patient.gender", 1) in {(one["id"], one.get("min")) for one in patient["differential"]["element"]}
    assert facts.profile("https://example.org/unknown") is None


def test_an_element_with_no_limit_or_more_than_one_is_an_array() -> None:
    elements = facts.type("Patient").elements
    assert elements["name"].is_array
    assert not elements["gender"].is_array
    assert isinstance(elements["name"], Element)
