"""$expand, $validate-code, $lookup, $subsumes, and searches that ask terminology (https://hl7.org/fhir/R4/terminology-service.html)."""
from typing import Any

import pytest

from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Response
from tests.callers import KIM, MAYA, RUTH

TRIGGER, OBSERVATION = f"{CANON}/CodeSystem/trigger", f"{CANON}/CodeSystem/companion-observation"
AGENCY = "https://agency.example.org/fhir"


def parameters(**values: Any) -> JsonObject:
    """Parameters by name; the value's member stands before it: `code=("valueCode", "x")`."""
    return {"resourceType": "Parameters", "parameter": [{"name": name, slot: value} for name, (slot, value) in values.items()]}


def told(answer: Response) -> dict[str, Any]:
    """What simple parameters of an answer say."""
    assert answer.status == 200, answer.body
    return {
        one["name"]: next(value for key, value in one.items() if key.startswith("value"))
        for one in answer.json["parameter"]
        if "part" not in one
    }


def codes(answer: Response) -> list[str]:
    assert answer.status == 200, answer.body
    return [one["code"] for one in answer.json["expansion"].get("contains", ())]


@pytest.fixture(scope="module")
async def agency(shared: Api) -> JsonObject:
    """A value set of an agency's own code system, which its admin stored."""
    kim = shared.as_(KIM)
    system = {
        "resourceType": "CodeSystem", "url": f"{AGENCY}/CodeSystem/meeting", "status": "active", "content": "complete",
        "concept": [{"code": "peer", "display": "Peer meeting", "concept": [{"code": "smart", "display": "SMART"}]}],
    }  # fmt: skip
    inner = {
        "resourceType": "ValueSet", "url": f"{AGENCY}/ValueSet/meeting", "status": "active",
        "compose": {"include": [{"system": system["url"]}]},
    }  # fmt: skip
    outer = inner | {"url": f"{AGENCY}/ValueSet/any", "compose": {"include": [{"valueSet": [inner["url"]]}, {"system": TRIGGER}]}}
    made = [await kim.post(one["resourceType"], one) for one in (system, inner, outer)]
    assert [one.status for one in made] == [201, 201, 201]
    return made[-1].json


async def test_a_value_set_is_expanded_in_pages_and_by_a_filter(shared: Api) -> None:
    """L11: `$expand`."""
    maya, url = shared.as_(MAYA), f"{CANON}/ValueSet/trigger"
    whole = await maya.get(f"ValueSet/$expand?url={url}")
    assert {"people", "cue", "money-cue"} <= set(codes(whole))
    assert whole.json["expansion"]["total"] == len(codes(whole)) == 12
    assert "compose" not in whole.json
    assert whole.json["expansion"]["contains"][0] == {"system": TRIGGER, "code": "people", "display": "People"}
    pages = [await maya.get(f"ValueSet/$expand?url={url}&count=5&offset={start}") for start in (0, 5, 10, 15)]
    assert [len(codes(page)) for page in pages] == [5, 5, 2, 0]
    assert [code for page in pages for code in codes(page)] == codes(whole)
    assert codes(await maya.get(f"ValueSet/$expand?url={url}&filter=MÓNEY")) == ["money-cue"]
    assert (await maya.get(f"ValueSet/$expand?url={url}&includeDefinition=true")).json["compose"]["include"] == [{"system": TRIGGER}]


async def test_hierarchies_exclusions_and_imports_are_followed(shared: Api) -> None:
    maya = shared.as_(MAYA)
    cues = codes(await maya.get(f"ValueSet/$expand?url={CANON}/ValueSet/trigger-cue"))
    assert cues == ["cue", "substance-cue", "food-cue", "money-cue", "sexual-cue"]
    assert "boundary-event" not in codes(await maya.get(f"ValueSet/$expand?url={CANON}/ValueSet/session-observation"))
    assert {"F10.20", "F63.0"} <= set(codes(await maya.get(f"ValueSet/$expand?url={CANON}/ValueSet/recovery-condition")))
    given = {"resourceType": "ValueSet", "status": "draft"}
    include = [{"system": TRIGGER, "filter": [{"property": "concept", "op": "descendent-of", "value": "cue"}]}]
    inline = given | {"compose": {"include": include, "exclude": [{"system": TRIGGER, "concept": [{"code": "food-cue"}]}]}}
    for body in (inline, parameters(valueSet=("resource", inline))):
        assert codes(await maya.post("ValueSet/$expand", body)) == ["substance-cue", "money-cue", "sexual-cue"]


async def test_what_r4_requires_is_expanded_too(shared: Api) -> None:
    answer = await shared.as_(MAYA).get("ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/observation-status|4.0.1")
    assert "entered-in-error" in codes(answer)
    shown = {one["code"]: one["display"] for one in answer.json["expansion"]["contains"]}
    assert shown["entered-in-error"] == "Entered in Error"


async def test_a_stored_value_set_stands_on_stored_code_systems(shared: Api, agency: JsonObject) -> None:
    maya = shared.as_(MAYA)
    for address in (f"ValueSet/{agency['id']}/$expand", f"ValueSet/$expand?url={agency['url']}"):
        assert {"peer", "smart", "cue"} <= set(codes(await maya.get(address)))
    answer = await maya.get(f"ValueSet/{agency['id']}/$validate-code?code=smart&system={AGENCY}/CodeSystem/meeting")
    assert told(answer) == {"result": True, "display": "SMART"}
    found = await maya.get(f"CodeSystem/$lookup?system={AGENCY}/CodeSystem/meeting&code=smart")
    assert told(found)["display"] == "SMART"
    answer = await maya.get(f"CodeSystem/$subsumes?system={AGENCY}/CodeSystem/meeting&codeA=smart&codeB=peer")
    assert told(answer) == {"outcome": "subsumed-by"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400), (f"url={AGENCY}/ValueSet/absent", 404), ("url=http://hl7.org/fhir/ValueSet/body-site", 404),
        (f"url={CANON}/ValueSet/trigger&count=-1", 400), (f"url={CANON}/ValueSet/trigger&count=x", 400),
        (f"url={CANON}/ValueSet/trigger&colour=red", 400),
    ],
)  # fmt: skip
async def test_what_can_not_be_expanded_is_said(shared: Api, query: str, status: int) -> None:
    answer = await shared.as_(MAYA).get(f"ValueSet/$expand?{query}")
    assert (answer.status, answer.json["resourceType"]) == (status, "OperationOutcome")


@pytest.mark.parametrize(
    ("include", "code"),
    [
        ({"system": "http://snomed.info/sct"}, "not-found"),
        ({"valueSet": [f"{AGENCY}/ValueSet/absent"]}, "not-found"),
        ({"system": TRIGGER, "filter": [{"property": "code", "op": "regex", "value": "(a+)+$"}]}, "not-supported"),
    ],
)
async def test_a_value_set_of_unknown_codes_is_unprocessable(shared: Api, include: JsonObject, code: str) -> None:
    body = {"resourceType": "ValueSet", "status": "draft", "compose": {"include": [include]}}
    answer = await shared.as_(MAYA).post("ValueSet/$expand", body)
    assert (answer.status, answer.issue) == (422, ("error", code))


async def test_an_absent_value_set_is_not_found(shared: Api) -> None:
    for address in ("ValueSet/absent/$expand", "ValueSet/absent/$validate-code?code=x", "CodeSystem/absent/$subsumes?codeA=x&codeB=y"):
        assert (await shared.as_(MAYA).get(address)).status == 404


async def test_a_code_is_validated_against_a_value_set(shared: Api) -> None:
    maya, url = shared.as_(MAYA), ("valueUri", f"{CANON}/ValueSet/trigger")
    right = {"system": TRIGGER, "code": "sensory", "display": "sensory"}
    assert told(await maya.post("ValueSet/$validate-code", parameters(url=url, coding=("valueCoding", right)))) == {
        "result": True, "display": "Sensory",
    }  # fmt: skip
    concept = {"coding": [{"system": "http://snomed.info/sct", "code": "1"}, right]}
    body = parameters(url=url, codeableConcept=("valueCodeableConcept", concept))
    assert told(await maya.post("ValueSet/$validate-code", body))["result"] is True
    for wrong in ({**right, "code": "sense"}, {**right, "system": OBSERVATION}):
        answer = told(await maya.post("ValueSet/$validate-code", parameters(url=url, coding=("valueCoding", wrong))))
        assert (answer["result"], wrong["code"] in answer["message"]) == (False, True)
    misnamed = {**right, "display": "Taste"}
    answer = told(await maya.post("ValueSet/$validate-code", parameters(url=url, coding=("valueCoding", misnamed))))
    assert (answer["result"], answer["display"]) == (False, "Sensory")
    assert told(await maya.get(f"ValueSet/$validate-code?url={url[1]}&code=sensory"))["result"] is True
    assert told(await maya.get(f"ValueSet/$validate-code?url={url[1]}&code=sensory&system={OBSERVATION}"))["result"] is False
    for query in ("", f"url={url[1]}", "code=sensory"):
        assert (await maya.get(f"ValueSet/$validate-code?{query}")).status == 400


async def test_a_code_is_validated_against_a_code_system(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    assert told(await ruth.get(f"CodeSystem/$validate-code?url={OBSERVATION}&code=mood")) == {"result": True, "display": "Mood"}
    assert told(await ruth.get(f"CodeSystem/$validate-code?url={OBSERVATION}&code=moods"))["result"] is False
    assert (await ruth.get("CodeSystem/$validate-code?url=http://snomed.info/sct&code=1")).status == 404


async def test_a_code_is_looked_up_with_its_neighbours(shared: Api) -> None:
    """L11: `$lookup`."""
    maya = shared.as_(MAYA)
    answer = await maya.get(f"CodeSystem/$lookup?system={TRIGGER}&code=cue")
    assert told(answer) == {
        "name": "Triggers", "version": "0.1.0", "display": "Cue", "definition": "Something that reminds of a habit.",
    }  # fmt: skip
    parts = [{part["name"]: part["valueCode"] for part in one["part"]} for one in answer.json["parameter"] if one["name"] == "property"]
    assert {"code": "child", "value": "money-cue"} in parts
    theirs = await maya.get("CodeSystem/$lookup?system=http://terminology.hl7.org/CodeSystem/v3-ActCode&code=HH")
    assert told(theirs)["display"] == "home health"
    unknown = ((f"system={TRIGGER}&code=none", 404), ("system=urn:none&code=x", 404))
    for query, status in (*unknown, ("code=x", 400), (f"system={TRIGGER}", 400)):
        assert (await maya.get(f"CodeSystem/$lookup?{query}")).status == status


@pytest.mark.parametrize(
    ("one", "other", "outcome"),
    [("cue", "cue", "equivalent"), ("cue", "food-cue", "subsumes"), ("food-cue", "cue", "subsumed-by"), ("people", "cue", "not-subsumed")],
)
async def test_two_codes_are_compared(shared: Api, one: str, other: str, outcome: str) -> None:
    answer = await shared.as_(MAYA).get(f"CodeSystem/$subsumes?system={TRIGGER}&codeA={one}&codeB={other}")
    assert told(answer) == {"outcome": outcome}


async def test_searches_by_value_set_and_hierarchy_use_the_same_codes(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    plain = await ruth.get(f"Observation?value-concept={TRIGGER}|sensory")
    assert "o-ana-trigger" in plain.ids
    assert (await ruth.get(f"Observation?value-concept:in={CANON}/ValueSet/trigger")).ids == plain.ids
    assert (await ruth.get(f"Observation?value-concept:in={CANON}/ValueSet/trigger-cue")).ids == set()
    assert (await ruth.get(f"Observation?value-concept:below={TRIGGER}|sensory")).ids == plain.ids
    assert (await ruth.get(f"Observation?code:in={CANON}/ValueSet/session-observation&patient=ana")).ids >= {"o-ana-mood", "o-ana-trigger"}
    conditions = (await ruth.get(f"Condition?code:in={CANON}/ValueSet/substance-use-condition")).ids
    assert {"cond-ana-aud", "cond-cora-oud"} <= conditions
    assert "cond-ana-ptsd" not in conditions
    assert (await ruth.get(f"Condition?code:not-in={CANON}/ValueSet/recovery-condition&patient=ana")).ids == set()
    roles = f"{CANON}/CodeSystem/staff-role"
    assert {"chen", "patel", "noor"} <= (await ruth.get(f"PractitionerRole?role:below={roles}|clinician")).ids
    assert (await ruth.get(f"PractitionerRole?role:above={roles}|psychiatrist")).ids == {"patel"}
    assert (await ruth.get(f"PractitionerRole?role:below={roles}|none")).status == 400


async def test_who_has_no_scope_for_value_sets_may_not_ask(shared: Api) -> None:
    bare = shared.as_(MAYA, scopes="recovery/companion user/Patient.rs")
    for address in (f"ValueSet/$expand?url={CANON}/ValueSet/trigger", f"CodeSystem/$lookup?system={TRIGGER}&code=cue"):
        assert (await bare.get(address)).status == 403
    assert (await shared.as_(None).get(f"ValueSet/$expand?url={CANON}/ValueSet/trigger")).status == 401
