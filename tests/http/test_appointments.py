"""Sessions that Appointments plan: made, moved and cancelled in the Appointment's own transaction (domain.md 1.3)."""
from typing import Any

import pytest

from recovery_api.domain.sessions import cancellation_of
from recovery_api.fhir.json import JsonObject
from tests.api import Api
from tests.callers import MAYA, RUTH
from tests.http.recorded import made, moved
from tests.http.resources import bundle, concept, local, post, session

HL7 = "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason"


def appointment(*people: str, status: str = "booked", **more: Any) -> JsonObject:
    return {
        "resourceType": "Appointment",
        "status": status,
        "start": "2026-11-12T15:00:00Z",
        "end": "2026-11-12T16:30:00Z",
        "participant": [{"actor": {"reference": who}, "status": "accepted"} for who in people or ("Patient/ana", "Practitioner/maya")],
    } | more


async def planned(api: Api, booked: str) -> list[JsonObject]:
    """The Encounters of an Appointment."""
    return (await api.as_(RUTH).get(f"Encounter?appointment={booked}")).matches


async def test_what_is_booked_is_a_planned_session(shared: Api) -> None:
    video: dict[str, Any] = {"serviceType": [concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "VR")]}
    booked = await made(shared.as_(RUTH), appointment(**video))
    [encounter] = await planned(shared, booked)
    assert (encounter["status"], encounter["class"]["code"], encounter["subject"]) == ("planned", "VR", {"reference": "Patient/ana"})
    assert (encounter["appointment"], encounter["period"]) == (
        [{"reference": booked}],
        {"start": "2026-11-12T15:00:00Z", "end": "2026-11-12T16:30:00Z"},
    )
    assert "42CFRPart2" in {each["code"] for each in encounter["meta"]["security"]}
    own = f"Encounter/{encounter['id']}"
    assert (await shared.as_(MAYA).patch(own, moved("arrived"))).status == 200
    assert len(await planned(shared, booked)) == 1


async def test_a_proposal_plans_nothing_until_it_is_booked_and_then_only_once(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    proposed = await made(ruth, appointment(status="proposed"))
    assert await planned(shared, proposed) == []
    for _ in range(2):
        said = (await ruth.get(proposed)).json
        assert (await ruth.put(proposed, said | {"status": "booked", "comment": f"{said['meta']['versionId']}"})).status == 200
        assert len(await planned(shared, proposed)) == 1


async def test_a_session_that_is_made_with_its_appointment_is_not_made_again(shared: Api) -> None:
    urn = "urn:uuid:00000000-0000-4000-8000-000000000042"
    own = session(appointment=[{"reference": urn}])
    answer = await shared.as_(RUTH).post("", bundle("transaction", post(own), post(appointment(), full_url=urn)))
    assert answer.status == 200, answer.body
    place = answer.json["entry"][1]["response"]["location"].split("/fhir/")[-1]
    assert len(await planned(shared, "/".join(place.split("/")[:2]))) == 1


@pytest.mark.parametrize("people", [("Patient/ana", "Practitioner/ruth"), ("Patient/ana",), ("Practitioner/maya", "Practitioner/ruth")])
async def test_only_a_client_with_their_companion_have_a_session(shared: Api, people: tuple[str, ...]) -> None:
    answer = await shared.as_(RUTH).post("Appointment", appointment(*people))
    assert answer.status in {201, 403}
    found = (await shared.as_(RUTH).get("Encounter?status=planned&_count=100")).matches
    assert not [each for each in found if each.get("appointment") == [{"reference": f"Appointment/{answer.json.get('id')}"}]]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, "companion-unavailable"),
        ({"cancelationReason": concept(HL7, "pat-cpp")}, "client-declined"),
        ({"cancelationReason": concept(HL7, "prov")}, "companion-unavailable"),
        ({"status": "noshow"}, "client-declined"),
        ({"cancelationReason": local("session-cancellation", "unsafe-environment")}, "unsafe-environment"),
    ],
)
async def test_what_is_called_off_is_cancelled_and_what_has_begun_is_not(shared: Api, told: JsonObject, reason: str) -> None:
    ruth, maya = shared.as_(RUTH), shared.as_(MAYA)
    to_come, begun = await made(ruth, appointment()), await made(ruth, appointment())
    [encounter] = await planned(shared, begun)
    await maya.patch(f"Encounter/{encounter['id']}", moved("arrived"))
    for booked in (to_come, begun):
        said = (await ruth.get(booked)).json
        assert (await ruth.put(booked, said | {"status": "cancelled"} | told)).status == 200
    [cancelled], [other] = await planned(shared, to_come), await planned(shared, begun)
    assert (cancelled["status"], cancellation_of(cancelled), other["status"]) == ("cancelled", reason, "arrived")
    assert [each["status"] for each in cancelled["statusHistory"]] == ["planned"]


async def test_a_session_follows_its_appointment(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    booked = await made(ruth, appointment())
    said = (await ruth.get(booked)).json
    later = {"start": "2026-11-13T15:00:00Z", "end": "2026-11-13T16:00:00Z"}
    assert (await ruth.put(booked, said | later)).status == 200
    [encounter] = await planned(shared, booked)
    assert (encounter["period"], encounter["meta"]["versionId"]) == (later, "2")
