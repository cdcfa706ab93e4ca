"""What subscribers hear, and what they never hear: retries, order and numbers, ends of rights, worlds that differ in what is hidden."""
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, serving
from tests.callers import APP_ANA, MAYA, RUTH, SAM, SYS_RIVERBEND
from tests.databases import Databases
from tests.http.notified import BACKPORT, Endpoint, Received, deliver, events, status, value, wish
from tests.http.resources import observation
from tests.http.test_scenarios_notes import cosign, submit

NOTES = "DocumentReference?patient=Patient/ana"


@pytest.fixture
def settings(endpoint: Endpoint) -> Mapping[str, Any]:
    return {"ALLOWED_PRIVATE_ENDPOINTS": endpoint.origin}


async def subscribed(api: Api, client: Client, wanted: JsonObject) -> str:
    """The path of a Subscription that is active."""
    made = await client.post("Subscription", wanted)
    assert made.status == 201, made.body
    path = f"Subscription/{made.json['id']}"
    await deliver(api)
    assert (await client.get(path)).json["status"] == "active"
    return path


async def flagged(api: Api, number: int) -> str:
    """An event for whoever listens to acute things: a Flag of ana's."""
    said = {
        "resourceType": "Flag",
        "status": "active",
        "code": {"text": f"Look {number}"},
        "subject": {"reference": "Patient/ana"},
    }
    return f"Flag/{(await api.as_(RUTH).post('Flag', said)).json['id']}"


async def test_what_can_not_be_delivered_waits_keeps_its_number_and_its_order(api: Api, endpoint: Endpoint) -> None:
    ruth = api.as_(RUTH, lifetime=30 * 86_400)
    path = await subscribed(api, ruth, wish("high-acuity-observation", endpoint.address()))
    endpoint.answer = lambda _: 503
    wanted = [await flagged(api, number) for number in range(3)]
    await deliver(api)
    assert endpoint.told() == [("1", wanted[0])]
    await deliver(api)
    assert len(endpoint.told()) == 1, "it waits before it tries again"
    for _ in range(3):
        api.clock.move(seconds=3_600)
        await deliver(api)
    assert endpoint.told() == [("1", wanted[0])] * 4
    said = (await ruth.get(f"{path}/$status")).json["entry"][0]["resource"]["parameter"]
    assert {each["name"]: value(each) for each in said}["events-since-subscription-start"] == "1"
    endpoint.answer = lambda _: 200
    api.clock.move(seconds=3_600)
    await deliver(api)
    assert endpoint.told()[4:] == [(str(number), each) for number, each in enumerate(wanted, start=1)]
    assert len({each.bundle["id"] for each in endpoint.at() if each.events and each.events[0]["event-number"] == "1"}) == 1

    endpoint.answer = lambda _: 500
    lost = [await flagged(api, 4)]
    for _ in range(80):
        await deliver(api)
        api.clock.move(seconds=3_601)
    there = (await ruth.get(path)).json
    assert (there["status"], there["error"]) == ("error", "The endpoint answered 500.")
    lost.append(await flagged(api, 5))
    await deliver(api)
    before = len(endpoint.received)
    assert (await ruth.put(path, there | {"status": "active"})).keys == {"subscription-move"}
    endpoint.answer = lambda _: 200
    again = await ruth.put(path, there | {"status": "requested"})
    assert (again.status, again.json["status"], "error" in again.json) == (200, "requested", False)
    await deliver(api)
    assert [each.said["type"] for each in endpoint.received[before:]] == ["handshake", "event-notification", "event-notification"]
    assert endpoint.told()[-2:] == [("4", lost[0]), ("5", lost[1])]


async def test_an_endpoint_that_does_not_shake_hands_is_in_error(api: Api, endpoint: Endpoint) -> None:
    endpoint.answer = lambda _: 401
    ehr = api.as_(SYS_RIVERBEND)
    made = (await ehr.post("Subscription", wish("note-cosigned", endpoint.address()))).json
    await deliver(api)
    there = (await ehr.get(f"Subscription/{made['id']}")).json
    assert (there["status"], there["error"]) == ("error", "The endpoint answered 401.")


async def test_heartbeats_come_in_their_period_and_empty_payloads_name_nothing(api: Api, endpoint: Endpoint) -> None:
    beat = [{"url": f"{BACKPORT}heartbeat-period", "valueUnsignedInt": 60}]
    await subscribed(api, api.as_(RUTH), wish("high-acuity-observation", endpoint.address(), content="empty", extension=beat))
    await deliver(api)
    api.clock.move(seconds=60)
    await deliver(api)
    assert endpoint.kinds() == ["handshake", "heartbeat"]
    await flagged(api, 1)
    await deliver(api)
    told = endpoint.at()[-1]
    assert (told.said["type"], "topic" in told.said) == ("event-notification", False)
    [event] = told.events
    assert event.keys() == {"event-number", "timestamp"}
    assert len(told.bundle["entry"]) == 1
    await deliver(api)
    assert len(endpoint.received) == 3


async def test_events_can_be_asked_for_by_their_numbers_without_what_may_not_be_read_any_more(api: Api, endpoint: Endpoint) -> None:
    ehr, ana = api.as_(SYS_RIVERBEND), api.as_(APP_ANA)
    path = await subscribed(api, ehr, wish("high-acuity-observation", endpoint.address()))
    flags = [await flagged(api, number) for number in range(3)]
    await deliver(api)
    assert [focus for _, focus in endpoint.told()] == flags
    answer = await ehr.get(f"{path}/$events?eventsSinceNumber=2")
    assert [event["event-number"] for event in events(answer.json)] == ["2", "3"]
    assert status(answer.json)[3]["valueCode"] == "query-event"
    assert [entry["fullUrl"].partition("/fhir/")[2] for entry in answer.json["entry"][1:]] == flags[1:]
    assert [event["event-number"] for event in events((await ehr.get(f"{path}/$events?eventsUntilNumber=1")).json)] == ["1"]
    assert all("focus" not in event for event in events((await ehr.get(f"{path}/$events?content=empty")).json))
    assert (await ehr.get(f"{path}/$events?content=full-resource")).status == 422
    assert (await ehr.get(f"{path}/$events?eventsSinceNumber=x")).status == 400

    await flagged(api, 4)
    consent = (await ana.get("Consent/c-ana")).json
    assert (await ana.put("Consent/c-ana", consent | {"status": "inactive"})).status == 200
    await flagged(api, 5)
    await deliver(api)
    assert len(endpoint.told()) == 3, "the consent has ended, before they were told"
    after = events((await ehr.get(f"{path}/$events")).json)
    assert [(event["event-number"], "focus" in event) for event in after] == [("1", False), ("2", False), ("3", False)]
    assert (await ehr.get(f"{path}/$status")).json["entry"][0]["resource"]["parameter"][4]["valueString"] == "3"


async def test_deliveries_are_recorded_as_disclosures(api: Api, endpoint: Endpoint) -> None:
    path = await subscribed(api, api.as_(SYS_RIVERBEND), wish("high-acuity-observation", endpoint.address()))
    flag = await flagged(api, 1)
    await deliver(api)
    found = (await api.as_(SAM).get("AuditEvent", entity=f"{flag}/_history/1")).matches
    told = [one for one in found if one["type"]["code"] == "110106"]
    assert len(told) == 1, path
    assert {"reference": "Patient/ana"} in [each["what"] for each in told[0]["entity"] if "what" in each]
    assert {"reference": "Consent/c-ana"} in [each["what"] for each in told[0]["entity"] if "what" in each]


async def test_rights_that_end_end_the_telling(api: Api, endpoint: Endpoint) -> None:
    ruth, ehr = api.as_(RUTH), api.as_(SYS_RIVERBEND)
    of_ana = await subscribed(api, ruth, wish("high-acuity-observation", endpoint.address("ana"), "Flag?patient=Patient/ana"))
    of_all = await subscribed(api, ruth, wish("high-acuity-observation", endpoint.address("all")))
    theirs = await subscribed(api, ehr, wish("high-acuity-observation", endpoint.address("ehr")))
    hers = await subscribed(api, api.as_(APP_ANA), wish("note-cosigned", endpoint.address("app"), NOTES))
    await api.running.authorization.revocations.add("sys-riverbend", until=1 << 62)
    api.clock.move(seconds=1)
    await flagged(api, 1)
    await deliver(api)
    assert [len(endpoint.told(each)) for each in ("ana", "all", "ehr")] == [1, 1, 0]
    assert (await api.as_(SAM).get(theirs)).json["status"] == "off"

    episode = (await ruth.get("EpisodeOfCare/eoc-ana")).json
    for task in (await ruth.get("Task?patient=ana&code=escalation")).matches:
        if task["status"] in {"requested", "accepted", "in-progress"}:
            assert (await ruth.put(f"Task/{task['id']}", task | {"status": "cancelled", "statusReason": {"text": "Over"}})).status == 200
    ended = episode | {"status": "finished", "period": episode["period"] | {"end": "2026-11-10"}}
    assert (await ruth.put("EpisodeOfCare/eoc-ana", ended)).status == 200
    assert [(await api.as_(caller).get(path)).json["status"] for caller, path in ((RUTH, of_ana), (RUTH, of_all), (APP_ANA, hers))] == [
        "off", "active", "active",
    ]  # fmt: skip


async def test_two_worlds_that_differ_in_what_is_hidden_tell_the_same(
    databases: Databases, world_template: str, tmp_path: Path, endpoint: Endpoint
) -> None:
    """In one of them much happens that the EHR may not see: to other clients, kept apart, in drafts, and of the family that is denied."""
    heard: list[list[bytes]] = []
    for busy in (False, True):
        url = databases.clone(world_template)
        endpoint.received.clear()
        async with serving(url, tmp_path / str(busy), ALLOWED_PRIVATE_ENDPOINTS=endpoint.origin) as api:
            ehr = api.as_(SYS_RIVERBEND)
            for name in ("note-cosigned", "high-acuity-observation", "session-finished"):
                await ehr.post("Subscription", wish(name, endpoint.address(name)))
            await deliver(api)
            for step in range(3):
                if busy:
                    await _hidden(api, step)
                    await deliver(api)
                api.clock.move(seconds=60)
                if step == 1:
                    await flagged(api, step)
                    await submit(api.as_(MAYA), "DocumentReference/d-ana-2")
                    assert (await cosign(api.as_(RUTH), "DocumentReference/d-ana-2")).status == 200
                await deliver(api)
            heard.append([_plain(each) for each in endpoint.received])
        databases.drop(url)
    assert len(heard[0]) == 5
    assert sorted(heard[0]) == sorted(heard[1])


async def _hidden(api: Api, step: int) -> None:
    ruth, maya = api.as_(RUTH), api.as_(MAYA)
    for client in ("eve", "cora"):
        made = await ruth.post("Flag", {
            "resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": f"Patient/{client}"},
            "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "ETH"}]},
        })  # fmt: skip
        assert made.status == 201, made.body
    assert (await maya.post("Observation", observation(status="preliminary"))).status == 201
    assert step < 3


def _plain(got: Received) -> bytes:
    """What came, without the ids that a server gives one after the other and its microseconds."""
    said = [(each.get("fullUrl", "").partition("/fhir/")[2].partition("/")[0], each["request"]["method"]) for each in got.bundle["entry"]]
    told = [(each["event-number"], each["timestamp"][:19]) for each in got.events]
    return repr((got.path, got.said["type"], got.said["events-since-subscription-start"], told, said)).encode()


async def test_parallel_workers_tell_each_event_once(api: Api, endpoint: Endpoint) -> None:
    await subscribed(api, api.as_(RUTH), wish("high-acuity-observation", endpoint.address()))
    flags = [await flagged(api, number) for number in range(5)]
    await asyncio.gather(*(deliver(api) for _ in range(4)))
    assert endpoint.told() == [(str(number), each) for number, each in enumerate(flags, start=1)]
