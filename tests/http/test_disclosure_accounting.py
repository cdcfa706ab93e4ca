"""Patient/{id}/$disclosure-accounting: who was given what of a client's record, for the client and the privacy officer alone."""
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from recovery_api.interactions import validate
from tests.api import Api, Client, Response, serving
from tests.audit_log import beside, records, since
from tests.callers import (
    APP_ANA,
    APP_BEN,
    CHEN,
    KIM,
    LEO,
    MAYA,
    NOOR,
    OMAR,
    PATEL,
    REP_DAN,
    RUTH,
    SAM,
    SISTER_ANA,
    SYS_LAKESIDE,
    SYS_RIVERBEND,
    Caller,
    app,
)
from tests.databases import Databases
from tests.http.resources import observation
from tests.wider import wide

PATH = "Patient/{}/$disclosure-accounting"
APP_DAN = app("dan")
DCM = "http://dicom.nema.org/resources/ontology/DCM"


@pytest.fixture
async def august(databases: Databases, migrated_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The wide world on 2026-08-20, before Dan revoked his consent."""
    story = wide()
    consent = story.find("Consent/c-dan")
    consent["status"] = "active"
    consent["extension"] = [each for each in consent["extension"] if not each["url"].endswith("revoked")]
    story.remove("Provenance/prov-c-dan-revoked")
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path) as server:
        at(server, "2026-08-20T09:00:00+00:00")
        await server.load(story.resources)
        yield server
    databases.drop(url)


def at(api: Api, moment: str) -> None:
    api.clock.set(datetime.fromisoformat(moment))


def given(event: JsonObject) -> list[str]:
    """References, or types, of all that an event names."""
    return [entity["what"].get("reference") or entity["what"]["type"] for entity in event["entity"]]


def recipients(event: JsonObject) -> list[str]:
    return [agent["who"].get("reference") or agent["who"]["identifier"]["value"] for agent in event["agent"]]


async def accounting(client: Client, id: str, **params: Any) -> Response:
    answer = await client.get(PATH.format(id), **params)
    assert answer.status == 200, answer.body
    return answer


async def test_19_what_was_given_before_the_consent_was_revoked_is_told_to_the_client(august: Api) -> None:
    assert (await august.as_(SYS_RIVERBEND).get("DocumentReference/d-dan-1")).status == 200
    at(august, "2026-09-01T09:00:00+00:00")
    revoked = await august.as_(APP_DAN).patch("Consent/c-dan", [{"op": "replace", "path": "/status", "value": "inactive"}])
    assert revoked.status == 200, revoked.body
    at(august, "2026-11-10T12:00:00+00:00")
    for path in ("Patient/dan", "DocumentReference/d-dan-1"):
        assert (await august.as_(SYS_RIVERBEND).get(path)).status == 404
    answer = await accounting(august.as_(APP_DAN), "dan", start="2026-08-01", end="2026-08-31")
    [event] = answer.matches
    assert answer.json["total"] == 1
    assert event["type"] == {"system": DCM, "code": "110106"}
    assert event["recorded"] == "2026-08-20T09:00:00.000000Z"
    assert recipients(event) == ["sys-riverbend", "Organization/org-riverbend"]
    assert event["purposeOfEvent"][0]["coding"][0]["code"] == "TREAT"
    assert given(event) == ["Patient/dan", "DocumentReference/d-dan-1", "Consent/c-dan"]
    assert event["meta"] == {"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}]}
    for reader in (REP_DAN, SAM):
        assert (await accounting(august.as_(reader), "dan")).matches == [event]
    for other in (APP_ANA, APP_BEN):
        hidden, absent = await august.as_(other).get(PATH.format("dan")), await august.as_(other).get(PATH.format("absent"))
        assert (hidden.status, hidden.body) == (404, absent.body)


async def test_it_is_valid_and_names_no_address_and_no_token(api: Api) -> None:
    chen = api.as_(CHEN)
    for path in ("Patient/ana", "Observation?patient=ana", "Patient/ana/$everything"):
        assert (await chen.get(path)).status == 200
    answer = await accounting(api.as_(APP_ANA), "ana")
    assert len(answer.matches) == 3
    for event in answer.matches:
        validate.check(event, "AuditEvent")
        assert recipients(event) == ["Practitioner/chen", "Organization/org-riverbend"]
        assert {name for agent in event["agent"] for name in agent} == {"type", "role", "who", "requestor"}
    for word in (b"127.0.0.1:", b"jti", b"network", b"policy", b"query"):
        assert word not in answer.body.replace(api.running.server.base.encode(), b""), word


async def test_what_the_client_may_not_read_is_told_by_its_type_and_what_was_deleted_too(august: Api) -> None:
    riverbend, ruth = august.as_(SYS_RIVERBEND), august.as_(RUTH)
    made = (await ruth.post("Observation", observation(by="ruth"))).json
    about: JsonObject = {"code": {"text": "Allergic to latex"}, "subject": {"reference": "Patient/ana"}}
    flag = {"resourceType": "Flag", "id": "f-ana", "status": "active", **about}
    await august.load([flag])
    for path in ("Flag/f-ana", f"Observation/{made['id']}"):
        assert (await riverbend.get(path)).status == 200
    assert (await ruth.delete(f"Observation/{made['id']}")).status == 204
    told = (await accounting(august.as_(APP_ANA), "ana")).matches
    assert sorted(map(given, told)) == [["Patient/ana", "Flag", "Consent/c-ana"], ["Patient/ana", "Observation", "Consent/c-ana"]]
    full = (await accounting(august.as_(SAM), "ana")).matches
    assert sorted(map(given, full)) == [["Patient/ana", "Flag/f-ana", "Consent/c-ana"], ["Patient/ana", "Observation", "Consent/c-ana"]]


async def test_of_what_was_given_of_several_clients_each_is_told_their_own_alone(api: Api) -> None:
    chen, sam, clients = api.as_(CHEN), api.as_(SAM), ("ana", "ben")
    await chen.get("Observation", _count="100", _include="Observation:subject")
    [facts] = [each for each in await records(api) if each.kind == "disclosure"]
    assert set(facts.patients) == set(clients)
    told = {id: [given(event) for event in (await accounting(sam, id)).matches] for id in clients}
    own = {id: (await chen.get("Observation", patient=id)).ids for id in clients}
    for id in clients:
        assert own[id]
        assert [set(each) for each in told[id]] == [{f"Patient/{id}", f"Consent/c-{id}", *(f"Observation/{one}" for one in own[id])}]
    assert set(given((await accounting(api.as_(APP_ANA), "ana")).matches[-1])) == set(told["ana"][0])


async def test_notes_and_statements_are_told_by_whose_they_are(api: Api) -> None:
    riverbend = api.as_(SYS_RIVERBEND)
    assert (await riverbend.get("Binary/b-ana-1")).status == 200
    assert (await riverbend.get("Provenance", _count="100")).status == 200
    last, first = (await accounting(api.as_(SAM), "ana")).matches
    assert given(first) == ["Patient/ana", "Binary/b-ana-1", "Consent/c-ana"]
    assert "Provenance/prov-d-ana-1" in given(last)
    assert not [each for each in given(last) if "ben" in each or "cora" in each]


async def test_an_emergency_access_and_what_was_read_by_it_are_told(api: Api) -> None:
    names = {"reason": "Unconscious", "emergencyNature": "Overdose", "recipientFacility": "Riverbend"}
    parameter = [{"name": "purposeOfUse", "valueCode": "ETREAT"}, *({"name": name, "valueString": text} for name, text in names.items())]
    assert (await api.as_(NOOR).post("Patient/ana/$break-glass", {"resourceType": "Parameters", "parameter": parameter})).status == 200
    api.clock.move(seconds=1)
    assert (await api.as_(NOOR).get("Condition/cond-ana-aud")).status == 200
    read, opened = (await accounting(api.as_(APP_ANA), "ana")).matches
    assert (opened["type"]["code"], read["type"]["code"]) == ("110127", "110106")
    assert (given(opened), given(read)) == (["Patient/ana", "Task"], ["Patient/ana", "Condition/cond-ana-aud"])
    assert recipients(opened) == recipients(read) == ["Practitioner/noor", "Organization/org-riverbend"]
    [task] = (await api.as_(SAM).get("Task")).matches
    assert given((await accounting(api.as_(SAM), "ana")).matches[-1]) == ["Patient/ana", f"Task/{task['id']}"]


async def test_what_stays_inside_the_agency_and_what_was_refused_is_no_disclosure(api: Api) -> None:
    for caller in (MAYA, RUTH, APP_ANA, PATEL):
        await api.as_(caller).get("Patient/ana")
    assert (await accounting(api.as_(APP_ANA), "ana")).json["total"] == 0


async def test_who_saw_something_inside_the_agency_is_told_to_a_client_who_asks_for_it(api: Api) -> None:
    maya, ana = api.as_(MAYA), api.as_(APP_ANA)
    assert (await maya.get("DocumentReference/d-ana-1")).status == 200
    assert (await maya.get("Observation?patient=ana")).status == 200
    assert (await maya.get("Patient/ben")).status == 404
    assert (await maya.get("Patient/eve")).status == 200
    assert (await api.as_(LEO).get("Patient/ana")).status == 404
    told = await accounting(ana, "ana", internal="true")
    by_maya = [event for event in told.matches if "Practitioner/maya" in recipients(event)]
    assert [given(event) for event in by_maya] == [["Patient/ana"], ["Patient/ana", "DocumentReference/d-ana-1"]]
    assert all("Practitioner/leo" not in recipients(event) for event in told.matches)
    assert "internal=true" in (told.link("self") or "")
    assert [event for event in (await accounting(ana, "ana", internal="false")).matches if "Practitioner/maya" in recipients(event)] == []


async def test_start_and_end_are_kept_to_the_microsecond_and_a_day_is_whole(api: Api) -> None:
    for moment in ("2026-11-10T12:00:00+00:00", "2026-11-11T00:00:00+00:00", "2026-11-12T08:00:00+00:00"):
        at(api, moment)
        assert (await api.as_(CHEN).get("Patient/ana")).status == 200
    for bounds, days in (
        ({}, [12, 11, 10]),
        ({"start": "2026-11-11"}, [12, 11]),
        ({"end": "2026-11-10"}, [10]),
        ({"start": "2026-11-11", "end": "2026-11-11"}, [11]),
        ({"start": "2026-11-11T00:00:01Z"}, [12]),
        ({"end": "2026-11-11T00:00:00Z"}, [11, 10]),
        ({"end": "2026-11-10T23:59:59Z"}, [10]),
        ({"start": "2026-11-13"}, []),
        ({"start": "2026-11-12", "end": "2026-11-10"}, []),
        ({"start": "2026-11"}, [12, 11, 10]),
    ):
        found = await accounting(api.as_(APP_ANA), "ana", **bounds)
        assert [int(event["recorded"][8:10]) for event in found.matches] == days, bounds
        assert found.json["total"] == len(days)


async def test_pages_hold_each_once_the_newest_first(api: Api) -> None:
    chen, ana = api.as_(CHEN), api.as_(APP_ANA)
    for _ in range(5):
        await chen.get("Patient/ana")
        api.clock.move(seconds=1)
    whole = (await accounting(ana, "ana")).matches
    assert [event["recorded"] for event in whole] == sorted((event["recorded"] for event in whole), reverse=True)
    pages = await ana.pages(PATH.format("ana"), _count="2", start="2026-11-01")
    assert [len(page.matches) for page in pages] == [2, 2, 1]
    assert [event for page in pages for event in page.matches] == whole
    link = pages[0].link("next") or ""
    assert (await api.as_(SAM).get(link)).status == 400
    counted = await accounting(ana, "ana", _count="0")
    assert (counted.matches, counted.json["total"]) == ([], 5)
    posted = await ana.post(PATH.format("ana"), {"resourceType": "Parameters", "parameter": [{"name": "_count", "valueInteger": 2}]})
    assert posted.matches == whole[:2]


@pytest.mark.parametrize("caller", [MAYA, LEO, RUTH, OMAR, CHEN, PATEL, NOOR, SYS_RIVERBEND, SYS_LAKESIDE, KIM], ids=lambda one: one.name)
async def test_nobody_else_may_ask_and_is_told_so_before_the_patient_is_looked_up(shared: Api, caller: Caller) -> None:
    await shared.as_(caller).get("Organization/org-cir")
    with shared.statements() as statements:
        answers = [await shared.as_(caller).get(PATH.format(id)) for id in ("ana", "absent")]
    assert [answer.status for answer in answers] == [403, 403]
    assert answers[0].body == answers[1].body
    assert beside(statements) == []


async def test_a_relative_whom_a_consent_names_is_not_the_client(august: Api) -> None:
    sister = august.as_(SISTER_ANA)
    hidden, absent = await sister.get(PATH.format("ana")), await sister.get(PATH.format("absent"))
    assert (hidden.status, hidden.body) == (404, absent.body)


async def test_the_scope_for_patients_is_needed_and_an_absent_patient_is_not_found(shared: Api) -> None:
    assert (await shared.as_(APP_ANA, scopes="recovery/client patient/Observation.rs").get(PATH.format("ana"))).status == 403
    assert (await shared.as_(SAM, scopes="recovery/auditor user/AuditEvent.rs").get(PATH.format("ana"))).status == 403
    assert (await shared.as_(SAM).get(PATH.format("absent"))).status == 404
    assert (await shared.as_(SAM).get("Patient/ana")).status == 403


@pytest.mark.parametrize("query", ["start=soon", "end=2026-13-01", "_count=-1", "_count=x", "no=1", "end=2026&end=2027", "_page=x"])
async def test_what_is_wrong_with_a_parameter_is_told_with_its_name(shared: Api, query: str) -> None:
    answer = await shared.as_(APP_ANA).get(f"{PATH.format('ana')}?{query}")
    assert answer.status == 400
    assert query.partition("=")[0] in answer.json["issue"][0]["diagnostics"]


async def test_asking_is_recorded_once(api: Api) -> None:
    before = await records(api)
    await accounting(api.as_(APP_ANA), "ana")
    [facts] = await since(api, before)
    assert (facts.kind, facts.operation, facts.data, facts.permitted) == ("rest", "disclosure-accounting", ("Patient/ana",), True)
