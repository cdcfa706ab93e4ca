"""$validate (https://hl7.org/fhir/R4/resource-operation-validate.html)."""

from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api
from tests.callers import MAYA, RUTH
from tests.http.resources import observation


def parameters(resource: Any, **more: str) -> JsonObject:
    named = [{"name": "resource", "resource": resource}, *({"name": name, "valueCode": value} for name, value in more.items())]
    return {"resourceType": "Parameters", "parameter": named}


def found(answer: Any) -> set[tuple[str, str, str]]:
    """Severity, code and place of each issue."""
    return {(issue["severity"], issue["code"], *issue.get("expression", [""])) for issue in answer.json["issue"]}


async def test_a_resource_is_judged_and_not_stored(shared: Api) -> None:
    maya = shared.as_(MAYA)
    before = (await maya.get("Observation?_summary=count")).json["total"]
    for body in (observation(), parameters(observation()), parameters(observation(), mode="create")):
        answer = await maya.post("Observation/$validate", body)
        assert (answer.status, found(answer)) == (200, {("information", "informational", "")})
    assert (await maya.get("Observation?_summary=count")).json["total"] == before


async def test_every_problem_is_told_with_its_place(shared: Api) -> None:
    wrong = observation(status="no-such", effectiveDateTime="soon", nothing=1)
    for body in (wrong, parameters(wrong)):
        answer = await shared.as_(MAYA).post("Observation/$validate", body)
        assert answer.status == 200
        assert {(severity, place) for severity, _, place in found(answer)} == {
            ("error", "Observation.status"), ("error", "Observation.effective"), ("error", "Observation.nothing"),
        }  # fmt: skip
    rule = await shared.as_(MAYA).post("Observation/$validate", observation(dataAbsentReason={"text": "unknown"}))
    assert (rule.status, rule.keys) == (200, {"obs-6"})


async def test_what_is_stored_is_judged_by_its_id(shared: Api) -> None:
    assert found(await shared.as_(RUTH).get("Observation/o-ana-mood/$validate")) == {("information", "informational", "")}
    answer = await shared.as_(RUTH).post("Observation/o-ana-mood/$validate", parameters(observation(status="x"), mode="update"))
    assert found(answer) == {("error", "code-invalid", "Observation.status")}


@pytest.mark.parametrize("body", [*map(parameters, ([], 7, "x", None)), parameters(observation(), mode="maybe")])
async def test_parameters_that_hold_no_resource_or_another_mode_are_refused(shared: Api, body: JsonObject) -> None:
    answer = await shared.as_(MAYA).post("Observation/$validate", body)
    assert (answer.status, answer.issue[0]) == (400, "error")


async def test_another_profile_is_not_known(shared: Api) -> None:
    maya = shared.as_(MAYA)
    base, other = (f"http://hl7.org/fhir/StructureDefinition/{name}" for name in ("Observation", "bp"))
    assert (await maya.post(f"Observation/$validate?profile={base}", observation())).status == 200
    assert (await maya.post(f"Observation/$validate?profile={other}", observation())).status == 400
