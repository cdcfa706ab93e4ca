"""Subscriptions through HTTP (conformance-checklist.md, section I): what may be asked for, and what arrives."""
from collections.abc import Mapping
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from recovery_api.identity.accounts import Account
from recovery_api.interactions import validate
from recovery_api.interactions.notifying.delivering import sweep
from tests.api import Api
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND
from tests.http.notified import BACKPORT, Endpoint, deliver, topic, wish
from tests.http.test_scenarios_notes import cosign, submit


@pytest.fixture
def settings(endpoint: Endpoint) -> Mapping[str, Any]:
    return {"ALLOWED_PRIVATE_ENDPOINTS": endpoint.origin}


async def test_a_signed_note_is_told_once_after_the_handshake(api: Api, endpoint: Endpoint) -> None:
    ehr = api.as_(SYS_RIVERBEND)
    header = ["Authorization: Bearer to the letter", "X-Tenant: 7"]
    wanted = wish("note-cosigned", endpoint.address(), "DocumentReference?patient=Patient/ana", header=header)
    made = await ehr.post("Subscription", wanted)
    assert made.status == 201, made.body
    assert made.json["status"] == "requested"
    path = f"Subscription/{made.json['id']}"
    await deliver(api)
    [handshake] = endpoint.at()
    assert (handshake.said["type"], handshake.said["status"]) == ("handshake", "requested")
    assert (await ehr.get(path)).json["status"] == "active"

    await submit(api.as_(MAYA), "DocumentReference/d-ana-2")
    await deliver(api)
    assert len(endpoint.received) == 1
    assert (await cosign(api.as_(RUTH), "DocumentReference/d-ana-2")).status == 200
    await deliver(api)
    await deliver(api)
    [_, told] = endpoint.at()
    assert told.said == {
        "subscription": f"http://127.0.0.1:8000/fhir/{path}",
        "topic": topic("note-cosigned"),
        "status": "active",
        "type": "event-notification",
        "events-since-subscription-start": "1",
    }
    assert endpoint.told() == [("1", "DocumentReference/d-ana-2")]
    for name, value in (("Authorization", "Bearer to the letter"), ("X-Tenant", "7"), ("Content-Type", "application/fhir+json")):
        assert (name, value) in told.headers
    status, focus = told.bundle["entry"]
    assert told.bundle["type"] == "history"
    assert status["request"]["url"].endswith(f"{path}/$status")
    assert {"request", "response"} <= status.keys() & focus.keys()
    assert focus["fullUrl"].endswith("/DocumentReference/d-ana-2")
    assert "resource" not in focus


ANA = "DocumentReference?patient=Patient/ana"
CRITERIA = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Subscription.topic"
REFUSED: dict[str, tuple[JsonObject, str]] = {
    "unknown topic": ({"criteria": topic("weather")}, "subscription-topic"),
    "R4 criteria": ({"criteria": "DocumentReference?status=current"}, "subscription-topic"),
    "cross-version criteria": ({"_criteria": {"extension": [{"url": CRITERIA, "valueUri": "x"}]}}, "subscription-extension"),
    "unknown filter": (wish("note-cosigned", "https://a.example", "DocumentReference?custodian=x"), "subscription-filter"),
    "filter of another type": (wish("note-cosigned", "https://a.example", "Observation?patient=ana"), "subscription-filter"),
    "filter without parameter": (wish("note-cosigned", "https://a.example", "DocumentReference"), "subscription-filter"),
    "modifier": (wish("note-cosigned", "https://a.example", "DocumentReference?type:not=1"), "subscription-filter"),
    **{kind: ({"channel": {"type": kind}}, "subscription-channel") for kind in ("email", "sms", "message")},
    "loopback": ({"channel": {"endpoint": "https://127.0.0.1/x"}}, "subscription-endpoint"),
    "localhost": ({"channel": {"endpoint": "https://localhost/x"}}, "subscription-endpoint"),
    "link-local": ({"channel": {"endpoint": "https://169.254.169.254/latest/meta-data"}}, "subscription-endpoint"),
    "inside IPv6": ({"channel": {"endpoint": "https://[::ffff:10.0.0.1]/x"}}, "subscription-endpoint"),
    "plain http": ({"channel": {"endpoint": "http://hook.example/x"}}, "subscription-endpoint"),
    "user in the address": ({"channel": {"endpoint": "https://me:secret@hook.example/x"}}, "subscription-endpoint"),
    "no address": ({"channel": {"endpoint": "hook"}}, "subscription-endpoint"),
    "no endpoint": ({"channel": {"endpoint": None}}, "subscription-endpoint"),
    "XML": ({"channel": {"payload": "application/fhir+xml"}}, "subscription-payload"),
    "no payload": ({"channel": {"payload": None}}, "subscription-payload"),
    "whole resources": (wish("note-cosigned", "https://a.example", content="full-resource"), "subscription-content"),
    "unknown content": (wish("note-cosigned", "https://a.example", content="some"), "subscription-content"),
    "no content": ({"channel": {"_payload": None}}, "subscription-content"),
    "header without value": ({"channel": {"header": ["Authorization"]}}, "subscription-header"),
    "header of the server": ({"channel": {"header": ["Host: other.example"]}}, "subscription-header"),
    "unknown extension": ({"channel": {"extension": [{"url": f"{BACKPORT}more", "valueString": "x"}]}}, "subscription-extension"),
    "custom channel": (
        {"channel": {"_type": {"extension": [{"url": f"{BACKPORT}channel-type", "valueString": "x"}]}}}, "subscription-extension"
    ),
    "heartbeat": ({"channel": {"extension": [{"url": f"{BACKPORT}heartbeat-period", "valueUnsignedInt": 1}]}}, "subscription-number"),
    "end": ({"end": "2020-01-01T00:00:00Z"}, "subscription-end"),
    "active": ({"status": "active"}, "subscription-start"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_not_given_is_refused_with_its_rule(shared: Api, what: str) -> None:
    change, key = REFUSED[what]
    said = wish("note-cosigned", "https://hook.example/x") | change
    if "channel" in change and "resourceType" not in change:
        channel = wish("note-cosigned", "https://hook.example/x")["channel"] | change["channel"]
        said["channel"] = {name: value for name, value in channel.items() if value is not None}
    answer = await shared.as_(SYS_RIVERBEND).post("Subscription", said)
    assert (answer.status, answer.keys) == (422, {key}), answer.body


async def test_a_topic_is_for_its_audience_and_for_who_may_read_what_it_is_about(shared: Api) -> None:
    hook = "https://hook.example/x"
    for caller, name, status in (
        (SYS_RIVERBEND, "consent-changed", 403), (SYS_LAKESIDE, "note-cosigned", 403), (APP_ANA, "careteam-changed", 403),
        (MAYA, "check-in-missed", 403), (CHEN, "note-cosigned", 403), (KIM, "note-cosigned", 403), (SAM, "note-cosigned", 403),
        (APP_ANA, "note-cosigned", 201), (SYS_LAKESIDE, "referral-status", 201), (RUTH, "check-in-missed", 201),
        (LEO, "careteam-changed", 201),
    ):  # fmt: skip
        answer = await shared.as_(caller).post("Subscription", wish(name, hook))
        assert answer.status == status, (caller.name, name, answer.body)
    narrow = shared.as_(SYS_RIVERBEND, scopes="recovery/ehr system/Subscription.crus system/Encounter.rs")
    assert (await narrow.post("Subscription", wish("note-cosigned", hook))).status == 403
    assert (await narrow.post("Subscription", wish("session-finished", hook))).status == 201


async def test_a_subscription_is_its_subscribers_alone_and_an_operator_switches_it_off(shared: Api) -> None:
    ehr, header = shared.as_(SYS_RIVERBEND), ["Authorization: Bearer secret"]
    path = f"Subscription/{(await ehr.post('Subscription', wish('note-cosigned', 'https://hook.example/x', header=header))).json['id']}"
    assert (await ehr.get(path)).json["channel"]["header"] == header
    for caller in (MAYA, RUTH, APP_ANA, SYS_LAKESIDE):
        assert (await shared.as_(caller).get(path)).status == 404
        assert (await shared.as_(caller).get(f"{path}/$status")).status == 404
        assert (await shared.as_(caller).delete(path)).status == 404
    for caller in (SAM, KIM):
        read = await shared.as_(caller).get(path)
        assert (read.status, read.json["channel"]["endpoint"], "header" in read.json["channel"]) == (200, "https://hook.example/x", False)
    kim = shared.as_(KIM)
    off = [{"op": "replace", "path": "/status", "value": "off"}]
    assert (await kim.patch(path, [*off, {"op": "replace", "path": "/reason", "value": "mine"}])).keys == {"switched-off"}
    assert (await kim.patch(path, off)).status == 200
    there = (await ehr.get(path)).json
    assert (there["status"], there["channel"]["header"]) == ("off", header)
    assert (await ehr.delete(path)).status == 204
    assert (await ehr.get(path)).status == 410


async def test_the_capabilities_name_profile_topics_and_operations(shared: Api) -> None:
    rest = (await shared.as_(None).get("metadata")).json["rest"][0]
    [said] = [entry for entry in rest["resource"] if entry["type"] == "Subscription"]
    assert said["supportedProfile"] == ["http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription"]
    assert {each["url"].rpartition("/")[2] for each in said["extension"]} == {"capabilitystatement-subscriptiontopic-canonical"}
    named = {each["valueCanonical"] for each in said["extension"]}
    assert {topic("note-cosigned"), topic("referral-status"), topic("check-in-missed")} <= named
    assert len(named) == 8
    assert {"status", "events", "get-ws-binding-token"} <= {each["name"] for each in said["operation"]}


async def test_what_claims_the_profile_is_taken_and_what_is_told_keeps_the_profiles_of_notifications(api: Api, endpoint: Endpoint) -> None:
    ehr = api.as_(SYS_RIVERBEND)
    claimed = {"meta": {"profile": ["http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription"]}}
    made = await ehr.post("Subscription", wish("note-cosigned", endpoint.address(), ANA) | claimed)
    assert made.status == 201, made.body
    await deliver(api)
    await submit(api.as_(MAYA), "DocumentReference/d-ana-2")
    await cosign(api.as_(RUTH), "DocumentReference/d-ana-2")
    await deliver(api)
    assert endpoint.kinds() == ["handshake", "event-notification"]
    for bundle in (each.bundle for each in endpoint.at()):
        validate.check(bundle, "Bundle")
        parameters = bundle["entry"][0]["resource"]
        for one in (bundle, parameters):
            assert validate.conforms(one, one["meta"]["profile"]) == []


async def test_an_account_that_is_disabled_and_an_end_that_passes_switch_it_off(api: Api, endpoint: Endpoint) -> None:
    ruth, maya = api.as_(RUTH), api.as_(MAYA)
    accounts = api.running.authorization.accounts
    for name, role in (("ruth", "case-manager"), ("maya", "companion")):
        account = Account(username=name, role=role, fhir_user=f"Practitioner/{name}")
        await accounts.add(account, "a long enough passphrase")
    made = {
        "ruth": await ruth.post("Subscription", wish("session-finished", endpoint.address("ruth"))),
        "maya": await maya.post("Subscription", wish("session-finished", endpoint.address("maya")) | {"end": "2026-11-10T13:00:00Z"}),
    }
    await deliver(api)
    assert (endpoint.kinds("ruth"), endpoint.kinds("maya")) == (["handshake"], ["handshake"])
    await accounts.change("ruth", disabled=True)
    api.clock.move(seconds=3_601)
    await sweep(api.running.server)
    for client, said in made.items():
        there = (await api.as_(SAM).get(f"Subscription/{said.json['id']}")).json
        assert (there["status"], "error" in there) == ("off", True), client
