"""create and update: what the server adds, what it answers, what it refuses (https://hl7.org/fhir/R4/http.html#create)."""
import asyncio
import re
from collections import Counter
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api
from tests.callers import LEO, MAYA, RUTH, SYS_LAKESIDE
from tests.http.resources import observation, patient, session

BASE = "http://127.0.0.1:8000/fhir"


async def test_a_create_answers_with_location_etag_and_the_resource_as_stored(shared: Api) -> None:
    """L13."""
    maya = shared.as_(MAYA)
    sent = observation(note=[{"text": "calm"}])
    answer = await maya.post("Observation", sent)
    assert answer.status == 201
    location = re.fullmatch(rf"{BASE}/Observation/([A-Za-z0-9\-.]{{1,64}})/_history/1", answer.headers["location"])
    assert location
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["last-modified"] == "Tue, 10 Nov 2026 12:00:00 GMT"
    assert answer.json == sent | {"id": location[1], "meta": answer.json["meta"]}
    assert answer.json["meta"].keys() == {"versionId", "lastUpdated", "security"}
    assert answer.json["meta"]["lastUpdated"].startswith("2026-11-10T12:00:00.0")
    assert (await maya.get(location[0])).body == answer.body


async def test_a_create_gives_an_id_of_its_own_and_versions_of_its_own(shared: Api) -> None:
    sent = observation() | {"id": "mine", "meta": {"versionId": "7", "lastUpdated": "2001-01-01T00:00:00Z", "tag": [{"code": "kept"}]}}
    answer = await shared.as_(MAYA).post("Observation", sent)
    assert answer.status == 201
    assert answer.json["id"] != "mine"
    assert answer.json["meta"]["versionId"] == "1"
    assert answer.json["meta"]["tag"] == [{"code": "kept"}]
    assert answer.json["meta"]["lastUpdated"].startswith("2026-11-10")


@pytest.mark.parametrize(
    ("prefer", "kind"),
    [
        (None, "Observation"),
        ("return=representation", "Observation"),
        ("return=minimal", None),
        ("return=OperationOutcome", "OperationOutcome"),
        ("handling=lenient; return=minimal", None),
        ("respond-async, return=OperationOutcome", "OperationOutcome"),
    ],
)
async def test_a_write_returns_what_the_caller_prefers(shared: Api, prefer: str | None, kind: str | None) -> None:
    """L20."""
    maya = shared.as_(MAYA)
    headers = {"prefer": prefer} if prefer else None
    made = await maya.post("Observation", observation(), headers=headers)
    location = made.headers["location"].removeprefix(BASE + "/").partition("/_history")[0]
    stored = (await maya.get(location)).json
    changed = await maya.put(location, stored | {"valueInteger": 9}, headers=headers)
    patched = await maya.patch(location, [{"op": "replace", "path": "/valueInteger", "value": 8}], headers=headers)
    assert (made.status, changed.status, patched.status) == (201, 200, 200)
    for answer, version in ((made, 1), (changed, 2), (patched, 3)):
        assert answer.headers["etag"] == f'W/"{version}"'
        assert (answer.json["resourceType"] if answer.body else None) == kind


@pytest.mark.parametrize("prefer", ["return=everything", "handling=loose"])
async def test_an_unknown_preference_is_refused(shared: Api, prefer: str) -> None:
    assert (await shared.as_(MAYA).get("Patient", headers={"prefer": prefer})).status == 400


async def test_numbers_extensions_and_unknown_but_legal_content_come_back_as_they_were(shared: Api) -> None:
    maya = shared.as_(MAYA)
    body = (
        b'{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":'
        b'"https://recovery-api.example.org/fhir/CodeSystem/observation-category","code":"companion-session"}]}],'
        b'"code":{"text":"weight of the rucksack"},"subject":{"reference":"Patient/ana"},"performer":[{"reference":"Practitioner/maya"}],'
        b'"_effectiveDateTime":{"extension":[{"url":"https://elsewhere.example/e","valueDecimal":1.50e2}]},'
        b'"valueQuantity":{"value":1.00,"unit":"kg"},'
        b'"contained":[{"resourceType":"Device","id":"scale","deviceName":[{"name":"scale","type":"other"}]}],'
        b'"device":{"reference":"#scale"}}'
    )
    made = await maya.post("Observation", body)
    assert made.status == 201, made.body
    stored = (await maya.get(f"Observation/{made.json['id']}")).body
    for kept in (b'"value":1.00,', b'"_effectiveDateTime":{"extension"', b'"reference":"#scale"'):
        assert kept in stored


# Conditional create ------------------------------------------------------------------------------------------------------


async def test_a_conditional_create_makes_finds_or_refuses_by_the_number_of_matches(shared: Api) -> None:
    """L16."""
    maya = shared.as_(MAYA)
    sent = observation(identifier=[{"system": "urn:device", "value": "one"}])
    criteria = {"if-none-exist": "identifier=urn:device|one"}
    made = await maya.post("Observation", sent, headers=criteria)
    found = await maya.post("Observation", sent | {"valueInteger": 1}, headers=criteria)
    assert (made.status, found.status) == (201, 200)
    assert found.headers["location"] == made.headers["location"]
    assert found.headers["etag"] == 'W/"1"'
    assert found.json == made.json
    await maya.post("Observation", sent)
    answer = await maya.post("Observation", sent, headers=criteria)
    assert (answer.status, answer.issue[0]) == (412, "error")


@pytest.mark.parametrize("criteria", ["", "?", "no-such=1", "identifier:nonsense=1", "_count=1"])
async def test_criteria_that_name_nothing_are_refused(shared: Api, criteria: str) -> None:
    answer = await shared.as_(MAYA).post("Observation", observation(), headers={"if-none-exist": criteria})
    assert answer.status == 400, answer.body


async def test_criteria_do_not_find_what_the_caller_may_not_see(shared: Api) -> None:
    sent = observation(client="ben", by="leo", identifier=[{"system": "urn:device", "value": "hidden"}])
    headers = {"if-none-exist": "identifier=urn:device|hidden"}
    assert (await shared.as_(LEO).post("Observation", sent, headers=headers)).status == 201
    own = observation(identifier=[{"system": "urn:device", "value": "hidden"}])
    assert (await shared.as_(MAYA).post("Observation", own, headers=headers)).status == 201


async def test_of_fifty_conditional_creates_at_once_one_makes_the_resource(shared: Api) -> None:
    """L16: fifty at once."""
    maya = shared.as_(MAYA)
    sent = observation(identifier=[{"system": "urn:device", "value": "fifty"}])
    criteria = {"if-none-exist": "identifier=urn:device|fifty"}
    answers = await asyncio.gather(*(maya.post("Observation", sent, headers=criteria) for _ in range(50)))
    assert Counter(answer.status for answer in answers) == {201: 1, 200: 49}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len((await maya.get("Observation?identifier=urn:device|fifty")).matches) == 1


async def test_of_many_updates_of_one_version_at_once_one_wins_and_none_is_lost(shared: Api) -> None:
    maya = shared.as_(MAYA)
    made = (await maya.post("Observation", observation(valueInteger=0))).json
    path = f"Observation/{made['id']}"

    async def counted() -> list[int]:
        """Add one by read and If-Match, as often as it takes."""
        statuses: list[int] = []
        while not statuses or statuses[-1] != 200:
            current = await maya.get(path)
            value = current.json["valueInteger"] + 1
            answer = await maya.put(path, current.json | {"valueInteger": value}, headers={"if-match": current.headers["etag"]})
            statuses.append(answer.status)
        return statuses

    statuses = await asyncio.gather(*(counted() for _ in range(8)))
    assert {status for each in statuses for status in each} <= {200, 412}
    final = (await maya.get(path)).json
    assert (final["valueInteger"], final["meta"]["versionId"]) == (8, "9")


# Update ------------------------------------------------------------------------------------------------------------------


async def test_an_update_is_the_next_version(shared: Api) -> None:
    maya = shared.as_(MAYA)
    made = (await maya.post("Observation", observation())).json
    answer = await maya.put(f"Observation/{made['id']}", made | {"valueInteger": 3})
    assert (answer.status, answer.headers["etag"]) == (200, 'W/"2"')
    assert answer.json == made | {"valueInteger": 3, "meta": answer.json["meta"]}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("Observation/absent", observation() | {"id": "absent"}, 405),
        ("Observation/o-ben-mood", observation() | {"id": "o-ben-mood"}, 405),
        ("Patient/eve-ls", patient() | {"id": "eve-ls"}, 403),
        ("Observation/o-ana-mood", observation(), 400),
        ("Observation/o-ana-mood", observation() | {"id": "other"}, 400),
        ("Observation/o-ana-mood", session() | {"id": "o-ana-mood"}, 400),
    ],
    ids=["absent", "hidden", "no right", "no id", "other id", "other type"],
)
async def test_an_update_never_creates_and_never_renames(shared: Api, path: str, body: JsonObject, status: int) -> None:
    answer = await shared.as_(MAYA).put(path, body)
    assert answer.status == status, answer.body


async def test_a_conditional_update_changes_the_one_match_or_creates_where_there_is_none(shared: Api) -> None:
    maya = shared.as_(MAYA)

    def told(value: int, **more: Any) -> JsonObject:
        return observation(value=value, identifier=[{"system": "urn:device", "value": "upsert"}], **more)

    path = "Observation?identifier=urn:device|upsert"
    made = await maya.put(path, told(1))
    assert made.status == 201
    changed = await maya.put(path, told(2))
    assert (changed.status, changed.json["id"], changed.json["valueInteger"]) == (200, made.json["id"], 2)
    assert (await maya.put(path, told(3) | {"id": "other"})).status == 400
    assert (await maya.put("Observation?identifier=urn:device|nobody", told(3) | {"id": "other"})).status == 405
    await maya.post("Observation", told(4))
    assert (await maya.put(path, told(5))).status == 412
    assert (await maya.patch(path, [{"op": "replace", "path": "/valueInteger", "value": 1}])).status == 412
    assert (await maya.delete(path)).status == 412
    assert (await maya.put("Observation", told(5))).status == 400


async def test_conditional_patch_and_delete_act_on_the_one_match(shared: Api) -> None:
    maya = shared.as_(MAYA)
    path = "Observation?identifier=urn:device|single"
    assert (await maya.patch(path, [{"op": "replace", "path": "/valueInteger", "value": 1}])).status == 404
    assert (await maya.delete(path)).status == 404
    await maya.post("Observation", observation(identifier=[{"system": "urn:device", "value": "single"}]))
    patched = await maya.patch(path, [{"op": "replace", "path": "/valueInteger", "value": 1}])
    assert (patched.status, patched.json["valueInteger"]) == (200, 1)
    assert (await maya.delete(path)).status == 204
    assert (await maya.get(path)).matches == []


# References --------------------------------------------------------------------------------------------------------------


async def test_a_written_reference_names_what_the_caller_may_read_and_absent_and_hidden_are_refused_alike(shared: Api) -> None:
    maya = shared.as_(MAYA)
    answers = [await maya.post("Observation", observation(encounter={"reference": f"Encounter/{id}"})) for id in ("e-ben-1", "e-zzz-1")]
    assert [answer.status for answer in answers] == [422, 422]
    assert answers[0].body.replace(b"e-ben-1", b"e-zzz-1") == answers[1].body
    assert answers[0].places == {"Observation.encounter"}


async def test_references_elsewhere_are_kept_and_absolute_ones_to_this_server_become_relative(shared: Api) -> None:
    elsewhere = {"reference": "https://elsewhere.example/fhir/Encounter/1"}
    answer = await shared.as_(MAYA).post("Observation", observation(encounter=elsewhere))
    assert (answer.status, answer.json["encounter"]) == (201, elsewhere)
    answer = await shared.as_(MAYA).post("Observation", observation(encounter={"reference": f"{BASE}/Encounter/e-ana-2"}))
    assert (answer.status, answer.json["encounter"]) == (201, {"reference": "Encounter/e-ana-2"})


async def test_a_resource_keeps_its_client(shared: Api) -> None:
    maya = shared.as_(MAYA)
    made = (await maya.post("Observation", observation())).json
    answer = await maya.put(f"Observation/{made['id']}", made | {"subject": {"reference": "Patient/cora"}})
    assert answer.status == 422


async def test_a_referrer_creates_a_patient_whom_it_may_name_but_not_read(shared: Api) -> None:
    lakeside = shared.as_(SYS_LAKESIDE)
    made = await lakeside.post("Patient", patient())
    assert (made.status, made.body) == (201, b"")
    reference = made.headers["location"].removeprefix(BASE + "/").partition("/_history")[0]
    assert (await lakeside.get(reference)).status == 403
    order = {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {"reference": reference}}
    assert (await lakeside.post("ServiceRequest", order | {"requester": {"reference": "Organization/org-lakeside"}})).status == 201


async def test_a_case_manager_creates_no_patient_alone_and_a_companion_none_at_all(shared: Api) -> None:
    assert (await shared.as_(RUTH).post("Patient", patient())).status == 403
    assert (await shared.as_(MAYA).post("Patient", patient())).status == 403
