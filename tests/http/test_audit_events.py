"""Audit records as AuditEvents: valid R4 in the patterns of IHE BALP, found by the auditor as soon as the answer left."""

from typing import Any

import pytest

from recovery_api.fhir.errors import Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.terminology import carried
from recovery_api.identity.actor import Actor
from recovery_api.identity.events import Decision, Event, SignIn, SignOut, TokenIssued, TokenRefused, TokenRevoked
from recovery_api.identity.scopes import Scopes
from recovery_api.interactions import validate
from recovery_api.interactions.audit_events import project
from recovery_api.policy import audit
from recovery_api.policy.audit_event import audit_event
from recovery_api.policy.audit_identity import told
from recovery_api.store.audit_chain import Record
from tests.api import Api
from tests.audit_log import records, rows
from tests.callers import APP_ANA, CHEN, LEO, MAYA, RUTH, SAM, SYS_RIVERBEND
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
        (audit.consent_decided(ACTOR, asked, audit.Decision("ana", ("Consent/c-ana",), permitted=False)), "110113", "4"),
        (audit.emergency(ACTOR, asked, patient="ana", data=["Task/t-1"]), "110127", "0"),
        (audit.emergency(ACTOR, asked, patient="ana", started=False), "110128", "0"),
        (audit.answered(ACTOR, asked, 200, [audit.Saved("Patient", "ana", 1, "ana")], ["Consent/c-ana"]), "110106", "0"),
    ):
        body = audit.encoded(facts)
        assert audit.decoded(body) == facts
        event = audit_event(Record("id-1", 0, body), facts, "http://127.0.0.1:8000/fhir", 1)
        validate.check(event, "AuditEvent")
        assert (event["type"]["code"], event["outcome"]) == (type, outcome)


def test_whatever_is_asked_of_the_authorization_server_has_a_code_that_is_published() -> None:
    grants = ("authorization_code", "refresh_token", "client_credentials")
    events: list[Event] = [
        Decision("maya", "console", "recovery/companion"),
        *(TokenIssued("console", "Practitioner/maya", kind, "recovery/companion", "j-1") for kind in grants),
        *(TokenRefused("console", kind, "invalid_grant", "") for kind in (*grants, "", "password", "Ana's secret\nis out")),
        *(TokenRevoked("console", "j-1", why) for why in ("revocation", "reuse", "sign-out")),
    ]
    facts = [told(event) for event in events]
    made = [audit_event(Record("id-1", 0, audit.encoded(one)), one, "http://127.0.0.1:8000/fhir", 1) for one in facts]
    published = carried().codes("https://recovery-api.example.org/fhir/ValueSet/audit-subtype")
    assert {(each["subtype"][-1]["system"], each["subtype"][-1]["code"]) for each in made} == published
    assert not any(b"secret" in audit.encoded(one) for one in facts)


def weighed(events: list[JsonObject]) -> list[tuple[str, str, list[str]]]:
    """What was decided on consents, in their order: the outcome, who asked, and the client and the Consents."""
    told: list[tuple[str, str, list[str]]] = []
    for event in events:
        validate.check(event, "AuditEvent")
        assert (event["action"], event.get("outcomeDesc")) == ("E", None if event["outcome"] == "0" else "deny")
        who = next(agent["who"]["reference"] for agent in event["agent"] if agent["requestor"])
        about = [entity["what"]["reference"] for entity in event["entity"] if "reference" in entity.get("what", {})]
        told.append((event["outcome"], who, about))
    return told


async def decisions(api: Api) -> list[tuple[str, str, list[str]]]:
    return weighed((await api.as_(SAM).get("AuditEvent", type=f"{DCM}|110113", _sort="-date")).matches)


def to(status: str) -> list[dict[str, str]]:
    return [{"op": "replace", "path": "/status", "value": status}]


async def test_who_gives_refuses_or_revokes_a_consent_leaves_a_decision_with_its_version(api: Api) -> None:
    ruth = api.as_(RUTH)
    consent = (await ruth.get("Consent/c-ana")).json
    sent = {name: value for name, value in consent.items() if name not in {"id", "meta"}}
    given = (await ruth.post("Consent", sent)).json["id"]
    draft = (await ruth.post("Consent", sent | {"status": "draft"})).json["id"]
    assert await decisions(api) == [("0", "Practitioner/ruth", ["Patient/ana", f"Consent/{given}/_history/1"])]

    for who, id, status in ((RUTH, draft, "proposed"), (RUTH, draft, "rejected"), (APP_ANA, given, "inactive")):
        api.clock.move(seconds=1)
        assert (await api.as_(who).patch(f"Consent/{id}", to(status))).status == 200
    assert (await ruth.patch(f"Consent/{given}", to("active"))).status == 409
    assert await decisions(api) == [
        ("4", "Patient/ana", ["Patient/ana", f"Consent/{given}/_history/2"]),
        ("4", "Practitioner/ruth", ["Patient/ana", f"Consent/{draft}/_history/3"]),
        ("0", "Practitioner/ruth", ["Patient/ana", f"Consent/{given}/_history/1"]),
    ]


async def test_a_decision_is_kept_with_the_transaction_in_which_it_is_made(api: Api) -> None:
    consent = (await api.as_(RUTH).get("Consent/c-ana")).json
    sent = {name: value for name, value in consent.items() if name not in {"id", "meta"}}
    entries = [{"resource": sent, "request": {"method": "POST", "url": "Consent"}}]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    absent = {"resource": sent | {"id": "nothing"}, "request": {"method": "PUT", "url": "Consent/nothing"}}
    assert (await api.as_(RUTH).post("", bundle | {"entry": [*entries, absent]})).status == 405
    assert await decisions(api) == []
    assert (await api.as_(RUTH).post("", bundle)).status == 200
    assert [outcome for outcome, _, _ in await decisions(api)] == ["0"]


async def test_what_is_told_of_consents_is_a_decision_on_them(api: Api) -> None:
    ruth = api.as_(RUTH)
    consent = (await ruth.get("Consent/c-ana")).json
    for type, code in (("Condition", "ETH"), ("DocumentReference", "PSYTHPN")):
        asked = [
            {"name": "actor", "valueReference": {"reference": "Practitioner/chen"}},
            {"name": "resourceType", "valueCode": type},
            {"name": "labels", "valueCoding": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code}},
        ]
        assert (await ruth.post("Patient/ana/$explain-access", {"resourceType": "Parameters", "parameter": asked})).status == 200
        api.clock.move(seconds=1)
    assert (await api.as_(APP_ANA).post("Patient/ana/$explain-access", {"resourceType": "Parameters"})).status == 200
    for one in (consent, consent | {"status": "inactive"}):
        api.clock.move(seconds=1)
        previewed = {"resourceType": "Parameters", "parameter": [{"name": "consent", "resource": one}]}
        assert (await ruth.post("Consent/$preview", previewed)).status == 200
    assert (await ruth.post("Patient/nobody/$explain-access", {"resourceType": "Parameters"})).status == 404
    named = ["Patient/ana", "Consent/c-ana"]
    told = await decisions(api)
    assert [(outcome, who) for outcome, who, _ in told] == [
        ("4", "Practitioner/ruth"),
        ("0", "Practitioner/ruth"),
        ("0", "Patient/ana"),
        ("4", "Practitioner/ruth"),
        ("0", "Practitioner/ruth"),
    ]
    assert [told[place][2] for place in (0, 1, 2, 4)] == [named] * 4


async def test_events_are_made_once_however_often_they_are_asked_for(busy: Api) -> None:
    assert await project(busy.running.server) == 7
    assert await project(busy.running.server) == 0


async def test_what_is_loaded_holds_no_audit_event(api: Api) -> None:
    await api.as_(MAYA).get("Patient/ana")
    [event, *_] = (await api.as_(SAM).get("AuditEvent")).matches
    with pytest.raises(Unprocessable, match="alone makes AuditEvents"):
        await api.load([event | {"id": "mine"}])
