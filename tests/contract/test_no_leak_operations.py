"""Operations that put together what is in a client's record: every role gets of it what the oracle says, and copies as it leaves them."""

import json
import re
from collections.abc import Callable, Mapping

import pytest

from tests.callers import WIDE_CALLERS, Caller
from tests.contract.asking import Request, ask
from tests.contract.content import Resource, client_of, codes
from tests.contract.differences import scene
from tests.contract.direct import Direct
from tests.contract.doors import Scene
from tests.contract.served import elements_that_differ, resources
from tests.wider import wide
from tests.world import by_id

WIDE = by_id(wide().resources)
STAFF_AND_CLIENT = {"companion", "case-manager", "treatment-team", "client"}
SESSION = "https://recovery-api.example.org/fhir/CodeSystem/companion-observation"
COUNTED = {(SESSION, code) for code in ("trigger", "trauma-response", "grounding-used")}
SURVEY = ("http://terminology.hl7.org/CodeSystem/observation-category", "survey")
SCORED = {"final", "amended", "corrected"}
CRISIS_PLAN = ("http://snomed.info/sct", "736253002")
SAFETY = ("http://terminology.hl7.org/CodeSystem/flag-category", "safety")


def counted(resource: Resource) -> bool:
    dated = resource.keys() & {"effectiveDateTime", "effectivePeriod", "effectiveInstant"}
    return resource["resourceType"] == "Observation" and bool(dated) and bool(COUNTED & codes(resource["code"]))


def scored(resource: Resource) -> bool:
    number = "valueInteger" in resource or "value" in resource.get("valueQuantity", {})
    survey = resource["resourceType"] == "Observation" and SURVEY in codes(*resource.get("category", ()))
    return survey and resource["status"] in SCORED and number and "effectiveDateTime" in resource


def at_hand(resource: Resource) -> bool:
    if resource.get("status") != "active":
        return False
    return (resource["resourceType"] == "CarePlan" and CRISIS_PLAN in codes(*resource.get("category", ()))) or (
        resource["resourceType"] == "Flag" and SAFETY in codes(*resource.get("category", ()))
    )


def observed(resource: Resource) -> bool:
    return resource["resourceType"] == "Observation"


def referred_to(resource: Resource) -> bool:
    """A document that is current, and of a known time."""
    timed = "date" in resource or "period" in resource.get("context", {})
    return resource["resourceType"] == "DocumentReference" and resource["status"] == "current" and timed


OPERATIONS: Mapping[str, tuple[str, Callable[[Resource], bool], set[str]]] = {
    "trigger-timeline": ("Patient/{}/$trigger-timeline", counted, STAFF_AND_CLIENT),
    "outcome-series": ("Patient/{}/$outcome-series", scored, STAFF_AND_CLIENT),
    "safety-plan": ("Patient/{}/$safety-plan", at_hand, STAFF_AND_CLIENT),
    "docref": ("DocumentReference/$docref?patient={}&start=1900-01-01", referred_to, STAFF_AND_CLIENT | {"ehr"}),
    "lastn": ("Observation/$lastn?patient={}&max=1000", observed, STAFF_AND_CLIENT | {"ehr"}),
}
MADE = {"Binary", "MeasureReport"}
ON_ANYBODY = {"docref", "lastn"}
"""Operations that do not begin with reading the Patient: of nobody, they are empty."""


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("caller", WIDE_CALLERS.values(), ids=lambda caller: caller.name)
async def test_an_operation_puts_together_what_the_caller_sees(caller: Caller, operation: str, wide_api: Direct):
    before = scene(wide_api, caller, WIDE)
    path, belongs, roles = OPERATIONS[operation]
    for id_ in before.ids("Patient"):
        answer = await ask(before.client, Request("GET", path.format(id_)))
        if caller.role not in roles:
            assert answer.status == 403
            continue
        if f"Patient/{id_}" not in before.visible and operation not in ON_ANYBODY:
            assert answer.status == 404, f"{caller.name} of {id_}"
            continue
        assert answer.status == 200, answer.body
        copies = [each for each in resources(answer.json) if each["resourceType"] not in MADE or "id" in each]
        assert {f"{each['resourceType']}/{each['id']}" for each in copies} == expected(before, id_, belongs), f"{caller.name} of {id_}"
        assert not any(elements_that_differ(before, each) for each in copies)


def expected(before: Scene, id_: str, belongs: Callable[[Resource], bool]) -> set[str]:
    of_client = (target for target in before.visible if client_of(before.resource(target)) == f"Patient/{id_}")
    return {target for target in of_client if belongs(before.resource(target))}


@pytest.mark.parametrize("caller", WIDE_CALLERS.values(), ids=lambda caller: caller.name)
async def test_a_document_has_nothing_that_the_caller_does_not_see_and_all_that_it_refers_to(caller: Caller, wide_api: Direct):
    before = scene(wide_api, caller, WIDE)
    for id_ in before.ids("Encounter"):
        answer = await ask(before.client, Request("GET", f"Encounter/{id_}/$document"))
        if caller.role not in STAFF_AND_CLIENT | {"ehr"}:
            assert answer.status == 403
            continue
        assert answer.status == (200 if f"Encounter/{id_}" in before.visible else 404), f"{caller.name}: {id_}"
        if answer.status == 404:
            continue
        stored = [each["resource"] for each in answer.json["entry"] if not each["fullUrl"].startswith("urn:")]
        names = {f"{each['resourceType']}/{each['id']}" for each in stored}
        assert names <= before.visible, f"{caller.name}: {names - before.visible}"
        assert not any(elements_that_differ(before, each) for each in stored)
        named = set(re.findall(r'"reference": "(\w+/[^"/]+)', json.dumps(stored)))
        assert named & before.visible <= names
