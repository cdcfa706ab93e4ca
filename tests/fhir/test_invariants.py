"""Every error-severity invariant of the served types is found broken, at the right place; official examples break none."""
import json
from functools import cache
from importlib.resources import files

import pytest

from recovery_api.fhir import invariants
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.json import JsonObject
from tests.fhir.broken_invariants import BROKEN
from tests.fhir.examples import SOURCES, examples, name

NEVER_BROKEN = {"eld-11"}
"""R4's expression only asks whether there is a type: it holds for every type that has a code."""


@cache
def served_keys() -> frozenset[str]:
    """The keys of all error-severity invariants that a resource of a served type can meet."""
    statement = json.loads((files("recovery_api.definitions") / "CapabilityStatement-recovery-api.json").read_bytes())
    facts, keys, seen = definitions(), set[str](), set[str]()
    open_ = [each["type"] for each in statement["rest"][0]["resource"]]
    while open_:
        name = open_.pop()
        if name not in seen:
            seen.add(name)
            keys |= {rule.key for rule in facts.type(name).invariants if rule.severity == "error"}
            open_ += [element.type for element in facts.type(name).elements.values() if element.type != "Resource"]
    return frozenset(keys)


def test_at_most_five_invariants_are_left_to_others_and_every_other_one_has_an_example_below() -> None:
    assert len(invariants.ELSEWHERE) <= 5
    assert served_keys() - invariants.ELSEWHERE.keys() - NEVER_BROKEN == {key for key, _, _ in BROKEN if key in served_keys()}


@pytest.mark.parametrize(("key", "place", "resource"), BROKEN, ids=[f"{key} at {place}" for key, place, _ in BROKEN])
def test_a_broken_invariant_is_found_at_its_place(key: str, place: str, resource: JsonObject) -> None:
    found = [(issue.key, issue.expression) for issue in invariants.check(resource, resource["resourceType"])]
    assert (key, place) in found


def test_an_issue_has_the_official_wording() -> None:
    resource: JsonObject = {"resourceType": "Observation", "valueString": "x", "dataAbsentReason": {"text": "none"}}
    issue, *others = invariants.check(resource, "Observation")
    assert not others
    assert (issue.code, issue.key, issue.severity) == ("invariant", "obs-6", "error")
    assert issue.diagnostics == "dataAbsentReason SHALL only be present if Observation.value[x] is not present"


def test_all_that_is_broken_is_told_at_once() -> None:
    resource: JsonObject = {
        "resourceType": "Patient",
        "contact": [{"id": "a"}, {"id": "b"}],
        "telecom": [{"value": "1", "period": {"start": "2024-02", "end": "2024-01"}}],
    }
    found = {(issue.key, issue.expression) for issue in invariants.check(resource, "Patient")}
    assert found == {
        ("pat-1", "Patient.contact[0]"),
        ("pat-1", "Patient.contact[1]"),
        ("cpt-2", "Patient.telecom[0]"),
        ("per-1", "Patient.telecom[0].period"),
    }


@pytest.mark.parametrize(
    "period",
    [
        {"start": "2024-05", "end": "2024"},
        {"start": "2024-05-01T10:00:00+02:00", "end": "2024-05-01T08:00:00Z"},
        {"start": "2024-05-01T10:00:00Z"},
        {"start": "2024-05-01T10:00:00Z", "_end": {"extension": [{"url": "http://x", "valueString": "open"}]}},
        {"start": "2024-05-01T10:00:00Z", "end": "2024-05-01"},
    ],
)
def test_a_period_whose_order_can_not_be_told_is_not_broken(period: JsonObject) -> None:
    assert invariants.check({"resourceType": "Encounter", "period": period}, "Encounter") == []


@pytest.mark.parametrize(
    "resource",
    [
        {"contained": [{"resourceType": "Patient", "id": "a"}], "subject": {"reference": "#a"}},
        {"contained": [{"resourceType": "Provenance", "id": "a", "target": [{"reference": "#"}]}]},
        {"contained": [{"resourceType": "Patient", "id": "a"}], "instantiatesUri": ["#a"]},
        {
            "contained": [
                {"resourceType": "Patient", "id": "a", "managingOrganization": {"reference": "#b"}},
                {"resourceType": "Organization", "id": "b", "name": "B"},
            ],
            "subject": {"reference": "#a"},
        },
    ],
)
def test_a_contained_resource_that_is_referenced_from_anywhere_inside_is_right(resource: JsonObject) -> None:
    assert invariants.check({"resourceType": "ServiceRequest", **resource}, "ServiceRequest") == []


def test_extensions_on_primitives_and_resources_inside_resources_are_checked() -> None:
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": {"resourceType": "Patient", "name": [{"_given": [None, {"extension": [{"url": "http://x"}]}]}]}}],
    }
    assert [(issue.key, issue.expression) for issue in invariants.check(bundle, "Bundle")] == [
        ("ext-1", "Bundle.entry[0].resource.name[0].given[1].extension[0]"),
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_the_official_examples_break_none(source: str) -> None:
    broken = {name(resource): found for resource in examples(source) if (found := invariants.check(resource, resource["resourceType"]))}
    assert broken == {}
