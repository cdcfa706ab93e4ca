"""What holds of every operation: where it stands, how it is asked for, who may; and what has no other page: $validate and $meta."""
from dataclasses import replace

import pytest

from recovery_api.fhir import capability
from recovery_api.fhir.json import JsonObject
from recovery_api.operations import OPERATIONS
from recovery_api.operations.frame import OperationError, Run, registered
from recovery_api.policy import matrix
from recovery_api.policy.matrix import PolicyError
from recovery_api.policy.writes import RULES
from tests.api import Api
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, RUTH, SAM, SYS_LAKESIDE, Caller
from tests.http.resources import observation

RUNS: dict[str, Run] = {code: one.run for code, one in OPERATIONS.items()}
DEFINITIONS = capability.operations()
SERVED = capability.interactions(capability.definition())
MORE = DEFINITIONS[0] | {"id": "more", "code": "more"}


def test_an_operation_without_definition_or_a_definition_without_operation_stops_the_start() -> None:
    assert set(registered(RUNS, DEFINITIONS)) == set(OPERATIONS)
    with pytest.raises(OperationError, match=r"\$more has no definition"):
        registered(RUNS | {"more": RUNS["meta"]}, DEFINITIONS)
    with pytest.raises(OperationError, match=r"\$more has a definition and nothing that runs it"):
        registered(RUNS, [*DEFINITIONS, MORE])
    untyped = [DEFINITIONS[0] | {"parameter": [{"name": "x", "use": "in", "min": 0, "max": "1", "type": "NoSuch"}]}, *DEFINITIONS[1:]]
    with pytest.raises(OperationError, match="the parameter x has no type"):
        registered(RUNS, untyped)


@pytest.mark.parametrize(
    ("definitions", "word"),
    [
        ([*DEFINITIONS, MORE], "without any row: more"),
        (DEFINITIONS[1:], f"names \\${DEFINITIONS[0]['code']}, which has no definition"),
        ([one | {"resource": ["Group"]} for one in DEFINITIONS], r"names \w+, where there is no"),
    ],
)
def test_an_operation_without_rights_or_rights_without_operation_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, definitions: list[JsonObject], word: str
) -> None:
    monkeypatch.setattr(capability, "operations", lambda: definitions)
    with pytest.raises(PolicyError, match=word):
        matrix.load(SERVED, RULES)


def test_what_an_operation_needs_is_among_what_a_role_may_be_granted() -> None:
    policy = matrix.load(SERVED, RULES)
    rights = {("auditor", "more", "Goal"): "u", ("auditor", "other", "Consent"): "ru", ("auditor", "all", ""): "u"}
    more = replace(policy, operations=rights)
    assert replace(policy, operations={}).granted("auditor").get("Goal") is None
    assert (more.granted("auditor")["Goal"], more.granted("auditor")["Consent"]) == ("u", "rsu")
    assert "" not in more.granted("auditor")


@pytest.mark.parametrize(
    "path",
    [
        "$validate", "$meta", "$everything", "$break-glass", "Patient/$meta", "Patient/$everything", "Patient/$break-glass",
        "Group/riverbend/$everything", "Observation/o-ana-mood/$break-glass", "Patient/ana/$no-such", "Patient/ana/$", "NoSuch/1/$meta",
    ],
)  # fmt: skip
async def test_an_operation_stands_only_where_its_definition_says(shared: Api, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await shared.as_(RUTH).request(method, path)
        assert (answer.status, answer.issue[1]) == (404, "not-supported"), method


@pytest.mark.parametrize("path", ["Patient/ana/$meta", "Patient/ana/$everything", "Patient/ana/$validate"])
async def test_an_operation_is_asked_for_by_get_or_post(shared: Api, path: str) -> None:
    ruth = shared.as_(RUTH)
    assert [(await ruth.request(method, path)).status for method in ("GET", "HEAD", "POST")] == [200] * 3
    assert [(await ruth.request(method, path)).status for method in ("PUT", "PATCH", "DELETE")] == [405] * 3


async def test_a_body_must_be_fhir_json(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    for path in ("Patient/ana/$meta", "Patient/ana/$everything"):
        assert (await ruth.post(path, b"<Parameters/>", headers={"content-type": "application/fhir+xml"})).status == 415
        assert (await ruth.post(path, b"{")).status == 400
        assert (await ruth.post(path, {"resourceType": "Patient"})).status == 400


async def test_an_operation_in_a_bundle_is_refused(shared: Api) -> None:
    entry = {"request": {"method": "GET", "url": "Patient/ana/$everything"}}
    answer = await shared.as_(RUTH).post("", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert answer.json["entry"][0]["response"]["status"].startswith("400")


async def test_operations_are_told_in_the_capabilities_by_their_canonical_urls(shared: Api) -> None:
    rest = (await shared.as_(None).get("metadata")).json["rest"][0]
    told = {entry["type"]: {one["name"]: one["definition"] for one in entry.get("operation", ())} for entry in rest["resource"]}
    for type in ("Patient", "Goal"):
        ours = (one for one in DEFINITIONS if {type, "Resource"} & set(one.get("resource", ())))
        assert told[type] == {one["code"]: one.get("base", one["url"]) for one in ours}
    assert told["Patient"].items() >= {
        "break-glass": "https://recovery-api.example.org/fhir/OperationDefinition/break-glass",
        "disclosure-accounting": "https://recovery-api.example.org/fhir/OperationDefinition/disclosure-accounting",
        "everything": "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        "explain-access": "https://recovery-api.example.org/fhir/OperationDefinition/explain-access",
        "match": "http://hl7.org/fhir/OperationDefinition/Patient-match",
        "meta": "http://hl7.org/fhir/OperationDefinition/Resource-meta",
        "meta-add": "http://hl7.org/fhir/OperationDefinition/Resource-meta-add",
        "meta-delete": "http://hl7.org/fhir/OperationDefinition/Resource-meta-delete",
        "validate": "http://hl7.org/fhir/OperationDefinition/Resource-validate",
    }.items()
    assert set(told["Goal"]) == {"goal-progress", "meta", "meta-add", "meta-delete", "set-pace", "validate"}


async def test_the_definitions_can_be_read_by_everybody(shared: Api) -> None:
    nobody = shared.as_(None)
    for one in DEFINITIONS:
        answer = await nobody.get(f"OperationDefinition/{one['id']}")
        assert (answer.status, answer.json) == (200, one)
        assert (await nobody.head(f"OperationDefinition/{one['id']}")).status == 200
    for below in ("/absent", "", "/meta/_history", "/meta/$meta", "/$meta", "/_search"):
        assert (await nobody.get(f"OperationDefinition{below}")).status == 401
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await nobody.request(method, "OperationDefinition/meta")).status == 405


# $validate ---------------------------------------------------------------------------------------------------------------


def wrapped(resource: JsonObject, mode: str | None = None) -> JsonObject:
    said: list[JsonObject] = [{"name": "resource", "resource": resource}]
    return {"resourceType": "Parameters", "parameter": said + ([{"name": "mode", "valueCode": mode}] if mode else [])}


async def test_validate_tells_what_is_wrong_wherever_the_resource_stands(shared: Api) -> None:
    maya = shared.as_(MAYA)
    wrong = observation(status="no-such")
    for body, path in ((wrong, ""), (wrapped(wrong), ""), (wrapped(wrong, "create"), ""), (wrong, "?mode=create")):
        answer = await maya.post(f"Observation/$validate{path}", body)
        assert (answer.status, answer.issue, answer.places) == (200, ("error", "code-invalid"), {"Observation.status"})
    fine = await maya.post("Observation/$validate", wrapped(observation(), "create"))
    assert fine.issue == ("information", "informational")
    assert (await maya.get("Observation/o-ana-mood/$validate")).issue == ("information", "informational")
    assert (await maya.post("Observation/$validate", wrapped(observation() | {"resourceType": "Goal"}))).issue[0] == "error"


async def test_validate_needs_what_its_mode_means(shared: Api) -> None:
    maya, chen = shared.as_(MAYA), shared.as_(CHEN)
    assert (await chen.post("Observation/$validate", wrapped(observation(), "create"))).status == 403
    assert (await chen.post("Observation/$validate", wrapped(observation()))).status == 200
    assert (await maya.post("Patient/$validate", wrapped({"resourceType": "Patient"}, "delete"))).status == 403
    assert (await shared.as_(KIM).post("Observation/$validate", wrapped(observation()))).status == 403
    writer = shared.as_(MAYA, scopes="recovery/companion user/Observation.c")
    assert (await writer.post("Observation/$validate", wrapped(observation(), "create"))).status == 200


@pytest.mark.parametrize(
    ("body", "places"),
    [
        (wrapped(observation(), "no-such"), {"Parameters.parameter"}),
        (wrapped(observation()) | {"parameter": [{"name": "mode", "valueInteger": 1}]}, {"Parameters.parameter[0]"}),
        (wrapped(observation()) | {"parameter": [{"name": "no-such", "valueCode": "x"}]}, {"Parameters.parameter[0]"}),
        (wrapped(observation()) | {"parameter": [{"name": "mode", "valueCode": "create"}]}, set()),
    ],
)
async def test_validate_takes_the_parameters_of_its_definition(shared: Api, body: JsonObject, places: set[str]) -> None:
    answer = await shared.as_(MAYA).post("Observation/$validate", body)
    assert (answer.status, answer.places) == (400, places)


# $meta -------------------------------------------------------------------------------------------------------------------


async def test_meta_is_that_of_the_resource_as_it_is_read(shared: Api) -> None:
    for caller in (MAYA, RUTH, CHEN, APP_ANA):
        for path in ("Patient/ana", "Observation/o-ana-mood"):
            read = (await shared.as_(caller).get(path)).json
            for answer in (await shared.as_(caller).get(f"{path}/$meta"), await shared.as_(caller).post(f"{path}/$meta", b"")):
                assert answer.json == {"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": read["meta"]}]}


@pytest.mark.parametrize(
    ("caller", "path", "status"),
    [
        (LEO, "Patient/ana", 404),
        (MAYA, "Patient/absent", 404),
        (CHEN, "DocumentReference/d-ana-2", 404),
        (SAM, "Consent/c-ana", 200),
        (SAM, "Observation/o-ana-mood", 403),
        (SYS_LAKESIDE, "Patient/ana", 403),
    ],
)
async def test_meta_is_there_for_whom_the_resource_is(shared: Api, caller: Caller, path: str, status: int) -> None:
    answer = await shared.as_(caller).get(f"{path}/$meta")
    read = await shared.as_(caller).get(path)
    assert (answer.status, read.status) == (status, status)
    if status == 404:
        assert answer.body == read.body


async def test_meta_takes_nothing_and_needs_the_scope_to_read(shared: Api) -> None:
    assert (await shared.as_(MAYA).get("Patient/ana/$meta", mode="x")).status == 400
    assert (await shared.as_(MAYA, scopes="recovery/companion user/Patient.s").get("Patient/ana/$meta")).status == 403
    granular = shared.as_(MAYA, scopes="recovery/companion user/Observation.rs?code=no-such")
    assert (await granular.get("Observation/o-ana-mood/$meta")).status == 404
