"""Profiles: what is held to them, and what they say of what breaks them (https://hl7.org/fhir/R4/profiling.html)."""
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from recovery_api.fhir import conformance, invariants, profile
from recovery_api.fhir.conformance import structures
from recovery_api.fhir.conformance.structures import Constraint
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.errors import Issue
from recovery_api.fhir.fhirpath.parse import parse as parse_expression
from recovery_api.fhir.json import JsonObject, parse
from recovery_api.fhir.json_patch import apply
from recovery_api.fhir.shipped import shipped
from recovery_api.fhir.terminology import carried

EXAMPLES = {path.stem: parse(path.read_bytes()) for path in sorted((Path(__file__).parents[1] / "data" / "profiles").glob("*.json"))}
INTENSITY = EXAMPLES["trigger-observation"]["component"][0]
OURS = "https://recovery-api.example.org/fhir/StructureDefinition/"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"


def of_resources() -> list[str]:
    """The ids of our profiles of resources."""
    return [one["id"] for one in shipped("StructureDefinition") if one["kind"] == "resource"]


def found(resource: JsonObject, url: str, severity: str = "error") -> set[tuple[str, str | None]]:
    """Code and place of each issue."""
    return {(issue.code, issue.expression) for issue in conformance.check(resource, url) if issue.severity == severity}


def every(constraint: Constraint) -> list[Constraint]:
    inner = [*constraint.children.values(), *constraint.slices.values()]
    return [constraint, *(one for each in inner for one in every(each))]


def test_every_profile_has_an_example_that_keeps_it_and_r4() -> None:
    assert sorted(EXAMPLES) == sorted(of_resources())
    for id, example in EXAMPLES.items():
        type = example["resourceType"]
        assert conformance.claims(example) == [OURS + id]
        assert (profile.check(example, type), invariants.check(example, type), conformance.check(example, OURS + id)) == ([], [], []), id


@pytest.mark.parametrize(
    ("example", "patch", "code", "place"),
    [
        ("session-encounter", [("remove", "/participant")], "required", "Encounter.participant"),
        ("session-encounter", [("remove", "/participant/0/type")], "required", "Encounter.participant[0].type"),
        ("session-encounter", [("replace", "/class/code", "IMP")], "code-invalid", "Encounter.class"),
        ("session-encounter", [("replace", "/type/0/coding/0/code", "other")], "required", "Encounter.type"),
        ("session-encounter", [("replace", "/status", "finished"), ("remove", "/period/end")], "invariant", "Encounter"),
        ("session-encounter", [("replace", "/status", "cancelled")], "invariant", "Encounter"),
        ("session-observation", [("remove", "/category/0")], "required", "Observation.category"),
        ("session-observation", [("remove", "/category/1")], "required", "Observation.category"),
        ("session-observation", [("replace", "/code/coding/0/code", "boundary-event")], "code-invalid", "Observation.code"),
        ("session-observation", [("replace", "/valueInteger", 11)], "invariant", "Observation"),
        ("session-observation", [("remove", "/valueInteger"), ("add", "/valueString", "fine")], "invariant", "Observation"),
        ("session-observation", [("remove", "/valueInteger"), ("add", "/valueTime", "12:00:00")], "structure", "Observation.value"),
        ("session-observation", [("replace", "/subject/reference", "Group/x")], "structure", "Observation.subject"),
        ("trigger-observation", [("replace", "/code/coding/0/code", "mood")], "value", "Observation.code"),
        ("trigger-observation", [("replace", "/valueCodeableConcept/coding/0/code", "x")], "code-invalid", "Observation.value"),
        ("trigger-observation", [("replace", "/component/0/valueInteger", 11)], "value", "Observation.component[0].value"),
        ("trigger-observation", [("replace", "/component/0/valueInteger", -1)], "value", "Observation.component[0].value"),
        ("trigger-observation", [("add", "/component/-", INTENSITY)], "structure", "Observation.component"),
        ("trauma-response-observation", [("remove", "/component/0/valueCodeableConcept")], "required", "Observation.component[0].value"),
        ("session-note", [("remove", "/type/coding/2")], "value", "DocumentReference.type"),
        ("session-note", [("replace", "/docStatus", "final")], "invariant", "DocumentReference"),
        ("session-note", [("add", "/authenticator", {"reference": "Practitioner/maya"})], "invariant", "DocumentReference"),
        ("session-note", [("remove", "/content/0/attachment/data")], "invariant", "DocumentReference.content[0].attachment"),
        ("session-note", [("remove", "/context")], "required", "DocumentReference.context"),
        ("recovery-careplan", [("replace", "/intent", "order")], "value", "CarePlan.intent"),
        ("recovery-careplan", [("remove", "/category/0")], "required", "CarePlan.category"),
        ("safety-plan", [("remove", "/category/1")], "required", "CarePlan.category"),
        ("safety-plan", [("remove", "/activity/2/detail/description")], "required", "CarePlan.activity[2].detail.description"),
        ("paced-goal", [("remove", "/extension")], "required", "Goal.extension"),
        ("paced-goal", [("remove", "/extension/0/extension/0")], "required", "Goal.extension[0].extension"),
        ("paced-goal", [("replace", "/extension/0/extension/0/valueCode", "rush")], "code-invalid", "Goal.extension[0].extension[0].value"),
        ("supervision-task", [("add", "/for", {"reference": "Patient/ana"})], "invariant", "Task"),
        ("supervision-task", [("replace", "/code/coding/0/code", "escalation")], "code-invalid", "Task.code"),
        ("note-review-task", [("replace", "/restriction/period", {"start": "2026-11-10"})], "required", "Task.restriction.period.end"),
        ("note-review-task", [("replace", "/focus/reference", "Observation/x")], "structure", "Task.focus"),
        ("escalation-task", [("replace", "/status", "completed")], "invariant", "Task"),
        ("escalation-task", [("remove", "/priority")], "required", "Task.priority"),
        ("recovery-careteam", [("remove", "/participant/1")], "required", "CareTeam.participant"),
        ("recovery-careteam", [("remove", "/participant/0/period")], "required", "CareTeam.participant[0].period"),
        ("part2-consent", [("remove", "/extension/1")], "invariant", "Consent"),
        ("part2-consent", [("remove", "/extension/4")], "invariant", "Consent"),
        ("part2-consent", [("replace", "/extension/4/valueCode", "never")], "code-invalid", "Consent.extension[4].value"),
        ("part2-consent", [("remove", "/category/1")], "required", "Consent.category"),
        ("part2-consent", [("remove", "/sourceReference")], "required", "Consent.source"),
        ("supervised-practitionerrole", [("remove", "/extension/0/extension/1")], "required", "PractitionerRole.extension[0].extension"),
        ("supervised-practitionerrole", [("remove", "/telecom")], "invariant", "PractitionerRole"),
    ],
)  # fmt: skip
def test_what_breaks_a_profile_is_told_at_its_place(example: str, patch: list[tuple[Any, ...]], code: str, place: str) -> None:
    operations = [dict(zip(("op", "path", "value"), one, strict=False)) for one in patch]
    broken = apply(deepcopy(EXAMPLES[example]), operations)
    assert (code, place) in found(broken, OURS + example)


def test_an_extensible_binding_warns() -> None:
    plan = deepcopy(EXAMPLES["safety-plan"])
    plan["activity"][0]["detail"]["code"] = {"text": "something else"}
    assert found(plan, OURS + "safety-plan") == set()
    assert found(plan, OURS + "safety-plan", "warning") == {("code-invalid", "CarePlan.activity[0].detail.code")}


def test_a_profile_of_another_type_is_not_kept() -> None:
    assert found(EXAMPLES["paced-goal"], OURS + "safety-plan") == {("structure", "Goal")}


def test_a_types_own_profile_is_kept_by_every_sound_resource() -> None:
    assert conformance.check(EXAMPLES["paced-goal"], "http://hl7.org/fhir/StructureDefinition/Goal|4.0.1") == []


def test_a_version_is_not_looked_at_and_an_unknown_profile_is_not_known() -> None:
    assert conformance.is_known(f"{US_CORE}us-core-patient|7.0.0")
    assert not conformance.is_known("https://example.org/StructureDefinition/x")
    with pytest.raises(KeyError):
        conformance.check(EXAMPLES["paced-goal"], "https://example.org/StructureDefinition/x")


def test_us_core_asks_of_a_patient_what_it_asks() -> None:
    patient: JsonObject = {"resourceType": "Patient", "name": [{"use": "usual"}]}
    url = f"{US_CORE}us-core-patient"
    assert found(patient, url) == {("required", "Patient.identifier"), ("required", "Patient.gender"), ("invariant", "Patient.name[0]")}
    race = {"url": f"{US_CORE}us-core-race", "extension": [{"url": "text", "valueString": "White"}]}
    identifier = [{"system": "urn:x", "value": "1"}]
    sound = {**patient, "extension": [race], "gender": "female", "identifier": identifier, "name": [{"family": "A"}]}
    assert found(sound, url) == set()
    assert found({**sound, "extension": [race, race]}, url) == {("structure", "Patient.extension")}
    empty = {**sound, "extension": [{"url": race["url"], "valueString": "White"}]}
    assert ("required", "Patient.extension[0].extension") in found(empty, url)


def test_every_profile_that_is_carried_can_be_checked() -> None:
    """Its base, discriminators, invariants and required value sets are of kinds that the check knows."""
    for url in conformance.known():
        asked = every(structures.tree(url))
        for one in asked:
            for said in one.said.get("slicing", {}).get("discriminator", ()):
                assert said["type"] in {"value", "pattern", "type", "exists"}
                assert re.fullmatch(r"[$\w.]+", said["path"])
            for rule in one.said.get("constraint", ()):
                assert parse_expression(rule["expression"])


def test_our_profiles_are_bound_to_value_sets_whose_codes_are_known() -> None:
    for id in of_resources():
        for one in every(structures.tree(OURS + id)):
            url = one.said.get("binding", {}).get("valueSet", "")
            if url.startswith("https://recovery-api.example.org/"):
                assert carried().codes(url), url


def test_every_element_of_our_profiles_is_an_element_of_r4() -> None:
    for structure in shipped("StructureDefinition"):
        for element in structure["differential"]["element"]:
            assert element["path"] == ".".join(step.partition(":")[0] for step in element["id"].split("."))
            type = structure["type"]
            for step in element["path"].split(".")[1:]:
                facts = definitions().type(type)
                name = step.removesuffix("[x]")
                assert name in (facts.choices if step.endswith("[x]") else facts.elements), element["id"]
                type = "Element" if step.endswith("[x]") else facts.elements[name].type


def test_issues_are_told_once() -> None:
    told: list[Issue] = conformance.check({"resourceType": "Observation", "status": "final"}, OURS + "trigger-observation")
    assert len(told) == len(set(told)) > 3
