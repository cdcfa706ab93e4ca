"""Structure is checked against the definitions, with every problem at once and each at its place."""
from decimal import Decimal

import pytest

from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.profile import MAX_ISSUES, check
from tests.fhir.examples import DEFECTS, SOURCES, examples, name

BASE: JsonObject = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
UNKNOWN: JsonObject = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}


def found(change: JsonObject, resource_type: str | None = None) -> list[tuple[str, str | None]]:
    return [(issue.code, issue.expression) for issue in check({**BASE, **change}, resource_type)]


@pytest.mark.parametrize("source", SOURCES)
def test_every_official_example_is_accepted_save_those_with_known_defects(source: str) -> None:
    refused = {name(resource): {issue.expression for issue in issues} for resource in examples(source) if (issues := check(resource))}
    assert refused == {key: {place} for (of, key), place in DEFECTS.items() if of == source and ".text." not in place}


@pytest.mark.parametrize(
    "change",
    [
        {"_status": {"id": "a"}},
        {"valueQuantity": {"value": Decimal("1.00")}},
        {"component": [{"code": {"text": "x"}, "valueQuantity": {"_value": UNKNOWN}}]},
        {"effectiveDateTime": "2020-02-29T23:59:60.123+14:00"},
        {"contained": [{"resourceType": "Patient", "id": "p", "name": [{"given": ["a", None], "_given": [None, UNKNOWN]}]}]},
        {"extension": [{"url": "http://unknown.example.org/but/legal", "_valueString": UNKNOWN}]},
        {"subject": {"reference": "#p"}},
        {"subject": {"reference": "Patient/1/_history/2"}},
        {"subject": {"reference": "https://elsewhere.example.org/whatever"}},
        {"subject": {"reference": "Patient?identifier=http://x.org|1"}},
        {"subject": {"display": "somebody"}},
    ],
)
def test_what_r4_allows_is_accepted(change: JsonObject) -> None:
    assert found(change) == []


def test_a_required_primitive_with_only_an_extension_is_there() -> None:
    assert check({"resourceType": "Observation", "_status": UNKNOWN, "code": {"text": "x"}}) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"status": None}, [("structure", "Observation.status")]),
        ({"status": "Final"}, [("code-invalid", "Observation.status")]),
        ({"status": ["final"]}, [("structure", "Observation.status")]),
        ({"colour": 1}, [("structure", "Observation.colour")]),
        ({"_code": {"id": "a"}}, [("structure", "Observation.code")]),
        ({"a b": 1}, [("structure", "Observation")]),
        ({"valueQuantity": {"value": "1"}}, [("structure", "Observation.value.value")]),
        ({"valueInteger": 1, "valueString": "a"}, [("structure", "Observation.value")]),
        ({"valueInteger": 1, "_valueString": UNKNOWN}, [("structure", "Observation.value")]),
        ({"component": [{}]}, [("required", "Observation.component[0].code"), ("structure", "Observation.component[0]")]),
        ({"category": [{"coding": [{"code": "a "}]}]}, [("value", "Observation.category[0].coding[0].code")]),
        ({"contained": [{"resourceType": "Patient", "gender": "f"}]}, [("code-invalid", "Observation.contained[0].gender")]),
        ({"contained": [{"id": "a"}]}, [("required", "Observation.contained[0].resourceType")]),
        ({"extension": [{"valueString": "a"}]}, [("required", "Observation.extension[0].url")]),
        ({"subject": {"reference": "Practitioner/1"}}, [("structure", "Observation.subject")]),
        ({"subject": {"reference": "not a reference"}}, [("value", "Observation.subject.reference")]),
        ({"subject": {"id": "only"}}, [("structure", "Observation.subject")]),
        ({"effectiveDateTime": "2021-02-29"}, [("value", "Observation.effective")]),
    ],
)
def test_a_problem_has_its_code_and_place(change: JsonObject, expected: list[tuple[str, str]]) -> None:
    assert found(change) == expected


@pytest.mark.parametrize(
    ("given", "beside", "place"),
    [
        ([None], None, "Patient.name[0].given[0]"),
        (["a", "b"], [UNKNOWN], "Patient.name[0].given"),
        ([None], [None], "Patient.name[0].given[0]"),
        (["a"], UNKNOWN, "Patient.name[0].given"),
        (["a"], [7], "Patient.name[0].given[0]"),
        (["a", ""], [None, UNKNOWN], "Patient.name[0].given[1]"),
        (None, [{"id": "only"}], "Patient.name[0].given[0]"),
    ],
)
def test_extensions_of_repeated_primitives_must_stand_beside_their_values(given: Json, beside: Json, place: str) -> None:
    human = {key: value for key, value in (("given", given), ("_given", beside)) if value is not None}
    assert place in {issue.expression for issue in check({"resourceType": "Patient", "name": [human]})}


def test_every_problem_is_reported_at_once() -> None:
    places = [place for _, place in found({"status": "x", "issued": "now", "colour": 1, "component": [{"valueBoolean": "true"}]})]
    assert places == [
        "Observation.status",
        "Observation.issued",
        "Observation.colour",
        "Observation.component[0].value",
        "Observation.component[0].code",
    ]


def test_the_diagnostics_name_the_json_property_and_the_nearest_right_one() -> None:
    said = [issue.diagnostics for issue in check({**BASE, "valueBoolean": 1, "stattus": "final", "status": "finl"})]
    assert said[0].endswith("did you mean 'final'?")
    assert said[1] == "valueBoolean must be a boolean, not a number."
    assert said[2] == "'stattus' is not an element of Observation; did you mean 'status'?"


@pytest.mark.parametrize(
    ("resource", "place"),
    [
        ({"resourceType": "Unicorn"}, "Resource.resourceType"),
        ({"id": "a"}, "Resource.resourceType"),
        ({"resourceType": 7}, "Resource.resourceType"),
        ({"resourceType": "DomainResource"}, "Resource.resourceType"),
    ],
)
def test_a_resource_must_say_a_type_of_r4(resource: JsonObject, place: str) -> None:
    assert [issue.expression for issue in check(resource)] == [place]


def test_a_resource_must_be_of_the_type_that_the_address_says() -> None:
    assert found({}, "Patient") == [("structure", "Observation.resourceType")]
    assert found({}, "Observation") == []


def test_a_text_of_more_than_one_megabyte_is_refused() -> None:
    assert found({"valueString": "x" * 1_048_577}) == [("value", "Observation.value")]


def test_a_flood_of_problems_is_cut_short_and_says_so() -> None:
    issues = check({**BASE, "category": [{} for _ in range(MAX_ISSUES + 7)]})
    assert len(issues) == MAX_ISSUES + 1
    assert issues[-1].severity == "information"


def test_a_required_concept_needs_a_coding_of_its_value_set() -> None:
    condition: JsonObject = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "clinicalStatus": {"text": "active"}}
    assert [issue.expression for issue in check(condition)] == ["Condition.clinicalStatus"]
    condition["clinicalStatus"] = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
    assert check(condition) == []
