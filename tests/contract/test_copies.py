"""What is left of a resource in the copy that a caller gets: nothing in it points at what the caller may not read."""

from typing import Any

import pytest

from recovery_api.domain.codes import ref
from recovery_api.fhir.json import Json, JsonObject
from tests.callers import APP_ANA, AUNT_POINTING, CHEN, LEO, MAYA, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, WIDE_CALLERS, Caller
from tests.contract.content import client_of
from tests.contract.copies import local_target, points
from tests.contract.oracle import Oracle
from tests.wider import wide
from tests.world import T0, Story, by_id

WORLD = by_id(wide().resources)
ORACLE = Oracle(WORLD, T0)


def copy(caller: Caller, target: str, oracle: Oracle = ORACLE) -> Any:
    kind, _, id_ = target.partition("/")
    assert oracle.reads(caller, target)
    return oracle.copy(caller, oracle.world[kind, id_])


def left(caller: Caller, target: str, path: str) -> set[str]:
    return points(copy(caller, target), path)


@pytest.mark.parametrize(
    ("target", "path", "stays"),
    [
        ("Encounter/e-pointing-dep", "reasonReference", set[str]()),
        ("Encounter/e-pointing-dep", "participant.individual", {"Practitioner/leo"}),
        ("Encounter/e-pointing-dep", "extension.valueReference", {"Practitioner/leo"}),
        ("CarePlan/cp-pointing", "supportingInfo", {"Observation/o-pointing-mood"}),
        ("CarePlan/cp-pointing", "contributor", {"Practitioner/leo"}),
        ("CarePlan/cp-pointing", "goal", set[str]()),
        ("Observation/o-pointing-mood", "focus", set[str]()),
        ("Observation/o-pointing-mood", "device", set[str]()),
        ("Observation/o-pointing-mood", "derivedFrom", {"Observation/o-pointing-craving"}),
        ("Observation/o-pointing-craving", "encounter", set[str]()),
        ("DocumentReference/d-pointing-dep", "context.related", {"Observation/o-pointing-mood"}),
        ("QuestionnaireResponse/pointing-answers", "source", set[str]()),
        ("Communication/com-pointing", "about", {"CarePlan/cp-pointing"}),
        ("Procedure/pointing-walk", "complicationDetail", set[str]()),
        ("Provenance/prov-pointing-both", "target", {"DocumentReference/d-pointing-dep"}),
    ],
)
def test_a_reference_to_what_is_hidden_or_absent_is_gone(target: str, path: str, stays: set[str]):
    assert left(CHEN, target, path) == stays


@pytest.mark.parametrize(
    ("target", "element", "stays"),
    [
        ("EpisodeOfCare/eoc-pointing", "diagnosis", None),
        ("Encounter/e-pointing-dep", "diagnosis", None),
        ("Encounter/e-pointing-dep", "location", [{"location": ref("Location/library")}]),
        (
            "DocumentReference/d-pointing-dep",
            "relatesTo",
            [{"code": "transforms", "target": ref("DocumentReference/d-pointing-oud")}],
        ),
        ("DocumentReference/d-pointing-oud", "relatesTo", None),
        ("Provenance/prov-pointing-both", "entity", [{"role": "source", "what": ref("Observation/o-pointing-mood")}]),
        ("Communication/com-pointing", "payload", [{"contentString": "As we said."}]),
        ("Procedure/pointing-walk", "performer", [{"actor": ref("Practitioner/leo")}]),
        ("QuestionnaireResponse/pointing-answers", "item", [{"linkId": "1", "answer": [{"valueString": "With my aunt"}]}]),
    ],
)
def test_what_asks_for_the_reference_is_gone_with_it(target: str, element: str, stays: Json):
    assert copy(CHEN, target).get(element) == stays


def test_an_actor_of_a_consent_and_a_member_of_a_group_are_gone_with_their_reference():
    actors = copy(CHEN, "Consent/c-pointing")["provision"]["actor"]
    assert [each["reference"] for each in actors] == [ref("Organization/org-riverbend")]
    assert points(copy(RUTH, "Group/riverbend"), "member.entity") == {"Patient/ana", "Patient/cora"}


def test_a_reference_takes_its_identifier_and_its_words_with_it():
    plan = copy(CHEN, "CarePlan/cp-pointing")
    assert "My aunt" not in str(plan)
    assert "Walking" not in str(plan)
    assert all("outcomeReference" not in each for each in plan["activity"])
    assert "aunt-1" not in str(copy(CHEN, "Encounter/e-pointing-dep"))


def test_what_is_contained_elsewhere_or_told_in_words_stays():
    addresses = copy(CHEN, "CarePlan/cp-pointing")["addresses"]
    elsewhere: list[JsonObject] = [{"reference": "https://elsewhere.example/fhir/Condition/1", "display": "Elsewhere"}]
    assert addresses == [*elsewhere, {"reference": "#within"}, {"display": "Sleep"}]


def test_the_reference_that_names_the_client_stays():
    assert copy(SYS_LAKESIDE, "ServiceRequest/sr-ls-401")["subject"] == ref("Patient/eve-ls")
    assert copy(SYS_LAKESIDE, "Task/task-ls-401")["for"] == ref("Patient/eve-ls")
    assert copy(SAM, "Consent/c-ana")["patient"] == ref("Patient/ana")
    assert "performer" not in copy(SAM, "Consent/c-ana")


def test_the_auditor_keeps_the_bare_target_of_a_provenance():
    assert copy(SAM, "Provenance/prov-d-ana-1")["target"] == [ref("DocumentReference/d-ana-1/_history/1")]
    assert left(CHEN, "Provenance/prov-d-ana-1", "target") == {"DocumentReference/d-ana-1"}


def test_an_audit_event_is_served_whole():
    told: JsonObject = {"resourceType": "AuditEvent", "id": "a", "entity": [{"what": ref("Patient/ana")}]}
    oracle = Oracle({**WORLD, ("AuditEvent", "a"): told}, T0)
    assert copy(SAM, "AuditEvent/a", oracle) == told


def test_a_provenance_of_which_every_target_is_hidden_is_hidden():
    assert not ORACLE.reads(CHEN, "Provenance/prov-d-cora-2")
    assert not ORACLE.reads(SYS_RIVERBEND, "Provenance/prov-d-cora-2")


def test_the_plan_of_a_client_who_keeps_substance_use_inside_does_not_point_at_it():
    assert left(CHEN, "CarePlan/cp-cora", "addresses") == {"Condition/cond-cora-an"}
    assert left(MAYA, "CarePlan/cp-cora", "addresses") == {"Condition/cond-cora-an", "Condition/cond-cora-oud"}


def test_a_companion_does_not_get_a_clients_numbers_and_links():
    assert not {"identifier", "link"} & set(copy(MAYA, "Patient/eve"))
    assert points(copy(RUTH, "Patient/eve"), "link.other") == {"Patient/eve-ls"}
    assert {"identifier"} <= set(copy(APP_ANA, "Patient/ana"))


def test_a_task_of_a_companion_asks_nothing_about_what_she_does_not_see():
    assert points(copy(LEO, "Task/task-pointing"), "input.valueReference") == {"DocumentReference/d-pointing-dep"}
    assert "relevantHistory" not in copy(LEO, "Task/task-pointing")


def test_an_element_of_which_nothing_is_left_is_gone():
    story = Story()
    story.find("Patient/eve")["contact"] = [{"organization": ref("Organization/absent")}]
    assert "contact" not in copy(RUTH, "Patient/eve", Oracle(by_id(story.resources), T0))


@pytest.mark.parametrize("caller", [*WIDE_CALLERS.values(), AUNT_POINTING], ids=lambda caller: caller.name)
def test_no_copy_points_at_what_its_reader_may_not_read(caller: Caller):
    for resource in WORLD.values():
        if ORACLE.sees(caller, resource):
            told = set(_targets(ORACLE.copy(caller, resource)))
            assert {each for each in told if not ORACLE.reads(caller, each)} <= _allowed(caller, resource)


def _allowed(caller: Caller, resource: JsonObject) -> set[str]:
    targets = {local_target(each["reference"]) for each in resource.get("target", ())} if caller is SAM else set[str]()
    return targets | {client_of(resource)}


def _targets(value: Any) -> list[str]:
    if isinstance(value, list):
        return [target for each in value for target in _targets(each)]
    if not isinstance(value, dict):
        return []
    own = [local_target(value["reference"])] if isinstance(value.get("reference"), str) else []
    return [each for each in own if each] + [target for each in value.values() for target in _targets(each)]


@pytest.mark.parametrize("reference", ["#x", "urn:uuid:1", "https://elsewhere.example/fhir/Patient/1", "Patient?identifier=1", "Patient"])
def test_only_a_literal_reference_to_this_server_has_a_target(reference: str):
    assert local_target(reference) == ""


@pytest.mark.parametrize("reference", ["Patient/1", "Patient/1/_history/2", "http://127.0.0.1:8000/fhir/Patient/1"])
def test_a_version_and_an_address_of_ours_point_at_the_resource(reference: str):
    assert local_target(reference) == "Patient/1"
