"""Audit records as AuditEvents: valid R4 in the patterns of IHE BALP, found by the auditor as soon as the answer left."""

from typing import Any

import pytest

from recovery_api.fhir.errors import Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.identity.actor import Actor
from recovery_api.identity.events import SignIn, SignOut, TokenIssued
from recovery_api.identity.scopes import Scopes
from recovery_api.interactions import validate
from recovery_api.interactions.audit_events import project
from recovery_api.policy import audit
from recovery_api.policy.audit_event import audit_event
from recovery_api.policy.audit_identity import told
from recovery_api.store.audit_chain import Record
from tests.api import Api
from tests.audit_log import records, rows
from tests.callers import CHEN, LEO, MAYA, RUTH, SAM, SYS_RIVERBEND
from tests.http.resources import observation

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit"
DCM = "http://dicom.nema.org/resources/ontology/DCM"

RIVERBEND = "Organization/org-riverbend"
ACTOR = Actor("ehr", "client:sys-riverbend", RIVERBEND, None, "sys-riverbend", Scopes.parse(""), "TREAT", False, "j-1", 0)


@pytest.fixture
async def busy(api: Api) -> Api:
    """A server that has answered, refused and disclosed."""
    await api.as_(MAYA).get("Observation/o-ana-mood")
    await api.as_(MAYA).get("Observation", patient="ana")
    await api.as_(MAYA).post("Observation", observation())
    await api.as_(LEO).get("Patient/ana")
    api.clock.move(seconds=3600)
    await api.as_(SYS_RIVERBEND).get("DocumentReference/d-ana-1")
    await api.as_(CHEN).get("DocumentReference", patient="ana")
    await api.as_(None).get("Patient/ana")
    return api


def what(events: list[JsonObject]) -> list[str]:
    """The subtype of each event, or its type where there is none; oldest first."""
    return sorted(event.get("subtype", [event["type"]])[-1]["code"] for event in events)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"agent": "Practitioner/maya"}, ["create", "read", "search-type"]),
        ({"agent": RIVERBEND}, ["read", "search-type"]),
        ({"altid": "sys-riverbend"}, ["read"]),
        ({"patient": "ana"}, ["create", "read", "read", "read", "search-type", "search-type"]),
        ({"patient": "Patient/ana", "type": f"{DCM}|110106"}, ["read", "search-type"]),
        ({"entity": "DocumentReference/d-ana-1"}, ["read", "search-type"]),
        ({"entity": "Observation/o-ana-mood"}, ["read"]),
        ({"entity": "Patient/ana", "outcome": "4"}, ["read"]),
        ({"outcome": "4"}, ["read", "rest"]),
        ({"action": "C"}, ["create"]),
        ({"subtype": "http://hl7.org/fhir/restful-interaction|search-type", "agent": "Practitioner/maya"}, ["search-type"]),
        ({"date": "ge2026-11-10T13:00:00Z"}, ["read", "rest", "search-type"]),
        ({"date": "lt2026-11-10T13:00:00Z"}, ["create", "read", "read", "search-type"]),
        ({"policy:below": "urn:ietf:params:oauth"}, []),
    ],
)
async def test_the_auditor_finds_what_happened(busy: Api, query: Any, found: list[str]) -> None:
    answer = await busy.as_(SAM).get("AuditEvent", _count=100, **query)
    assert answer.status == 200, answer.body
    assert what(answer.matches) == found


async def test_what_the_auditor_asks_is_in_the_log_too_and_once(api: Api) -> None:
    sam = api.as_(SAM)
    assert [len((await sam.get("AuditEvent", agent="Practitioner/sam")).matches) for _ in range(3)] == [0, 1, 2]
    last = (await sam.get("AuditEvent", _sort="-date", _count=1)).matches[0]
    path = f"AuditEvent/{last['id']}"
    assert (await sam.get(path)).json == last
    assert (await sam.get(f"{path}/_history")).json["total"] == 1
    assert len(await records(api)) == 6


async def test_a_page_link_of_the_auditor_shows_what_there_was(busy: Api) -> None:
    pages = await busy.as_(SAM).pages("AuditEvent", _count=3)
    assert [len(page.matches) for page in pages] == [3, 3, 1]


@pytest.mark.parametrize("caller", [MAYA, RUTH, CHEN, SYS_RIVERBEND], ids=lambda caller: caller.name)
async def test_nobody_else_sees_any(busy: Api, caller: Any) -> None:
    [(id,), *_] = await rows(busy, "SELECT id FROM audit_record")
    await busy.as_(SAM).get("AuditEvent")
    for path in ("AuditEvent", f"AuditEvent/{id}", f"AuditEvent/{id}/_history", "AuditEvent/_history"):
        assert (await busy.as_(caller).get(path)).status == 403
    assert (await busy.as_(caller).get("Patient?_has:AuditEvent:patient:action=R")).status in {200, 400, 403}
    answer = await busy.as_(caller).get("Patient", _revinclude="AuditEvent:patient")
    assert b'"resourceType":"AuditEvent"' not in answer.body


async def test_each_is_valid_and_follows_its_pattern(busy: Api) -> None:
    found = (await busy.as_(SAM).get("AuditEvent", _count=100, _sort="date")).matches
    for event in found:
        validate.check(event, "AuditEvent")
    patterns = {code: event.get("meta", {}).get("profile") for event in found for code in what([event]) if event["outcome"] == "0"}
    assert patterns == {
        "read": [f"{BALP}.PrivacyDisclosure.Source"],
        "search-type": [f"{BALP}.PrivacyDisclosure.Source"],
        "create": [f"{BALP}.PatientCreate"],
    }


async def test_a_disclosure_names_source_recipient_patient_and_data(busy: Api) -> None:
    [event] = (await busy.as_(SAM).get("AuditEvent", altid="sys-riverbend")).matches
    assert event["type"] == {"system": DCM, "code": "110106"}
    agents = {agent["type"]["coding"][0]["code"]: agent for agent in event["agent"]}
    assert set(agents) == {"110153", "110152", "PROV", "159541003", "429577009"}
    assert agents["110152"]["who"] == {"identifier": {"value": "sys-riverbend"}}
    assert agents["110152"]["policy"][0].startswith("urn:ietf:params:oauth:jti:")
    assert agents["PROV"]["who"] == {"reference": RIVERBEND}
    assert [entity.get("what", {}).get("reference") for entity in event["entity"]][:2] == [
        "Patient/ana",
        "DocumentReference/d-ana-1/_history/1",
    ]
    assert event["purposeOfEvent"][0]["coding"][0]["code"] == "TREAT"


def test_events_of_other_kinds_are_valid_too() -> None:
    asked = audit.Asked("read", "Patient", "ana", request="r-1", address="127.0.0.1")
    for facts, type, outcome in (
        (told(SignIn("maya", "127.0.0.1", succeeded=True, fhir_user="Practitioner/maya")), "110114", "0"),
        (told(SignIn("maya", "127.0.0.1", succeeded=False)), "110114", "4"),
        (told(SignOut("maya", everywhere=False)), "110114", "0"),
        (told(TokenIssued("console", "Practitioner/maya", "authorization_code", "recovery/companion", "j-1", "ana")), "110114", "0"),
        (audit.consent_decided(ACTOR, asked, patient="ana", consents=["Consent/c-ana"], permitted=False), "110113", "4"),
        (audit.emergency(ACTOR, asked, patient="ana", data=["Task/t-1"]), "110127", "0"),
        (audit.emergency(ACTOR, asked, patient="ana", started=False), "110128", "0"),
        (audit.answered(ACTOR, asked, 200, [audit.Saved("Patient", "ana", 1, "ana")], ["Consent/c-ana"]), "110106", "0"),
    ):
        body = audit.encoded(facts)
        assert audit.decoded(body) == facts
        event = audit_event(Record("id-1", 0, body), facts, "http://127.0.0.1:8000/fhir", 1)
        validate.check(event, "AuditEvent")
        assert (event["type"]["code"], event["outcome"]) == (type, outcome)


async def test_events_are_made_once_however_often_they_are_asked_for(busy: Api) -> None:
    assert await project(busy.running.server) == 7
    assert await project(busy.running.server) == 0


async def test_what_is_loaded_holds_no_audit_event(api: Api) -> None:
    await api.as_(MAYA).get("Patient/ana")
    [event, *_] = (await api.as_(SAM).get("AuditEvent")).matches
    with pytest.raises(Unprocessable, match="alone makes AuditEvents"):
        await api.load([event | {"id": "mine"}])
