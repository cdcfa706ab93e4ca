"""The acceptance scenarios of domain.md 8, by their number, over the fixture world at T0: what they say without consent's second half,
operations on notes and referrals, labels and export."""

from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, Response
from tests.callers import APP_ANA, CHEN, LEO, MAYA, NOOR, OMAR, PATEL, RUTH, SAM, SYS_RIVERBEND, Caller
from tests.http.resources import care_team, local, note, observation, patient, session

NOW = "2026-11-10T12:00:00Z"


def status(value: str) -> list[dict[str, str]]:
    return [{"op": "replace", "path": "/status", "value": value}]


def locations(answer: Response) -> list[str]:
    """Type/id of what each entry of a transaction made or found, in the order that was sent."""
    return ["/".join(entry["response"]["location"].split("/fhir/")[-1].split("/")[:2]) for entry in answer.json["entry"]]


async def sent(client: Client, bundle: JsonObject) -> list[str]:
    answer = await client.post("", bundle)
    assert answer.status == 200, answer.body
    return locations(answer)


async def seen(client: Client, path: str) -> tuple[set[str], int]:
    """What a search finds, and the total that it states."""
    answer = await client.get(path)
    assert answer.status == 200, answer.body
    return answer.ids, answer.json["total"]


# Sessions -------------------------------------------------------------------------------------------------------------


async def planned(api: Api) -> str:
    """e-ana-3: a session of Maya's with Ana, planned for today."""
    answer = await api.as_(MAYA).post("Encounter", session(period={"start": NOW}))
    assert answer.status == 201, answer.body
    return f"Encounter/{answer.json['id']}"


async def test_6_a_session_goes_from_planned_to_finished_with_what_was_observed_and_a_draft_of_a_note(api: Api) -> None:
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    encounter = await planned(api)
    for step in ("arrived", "in-progress"):
        assert (await maya.patch(encounter, status(step))).json["status"] == step
    here: dict[str, Any] = {"encounter": {"reference": encounter}}
    sensory = {"valueCodeableConcept": local("trigger", "sensory")}
    trigger = observation("trigger", **here) | sensory
    del trigger["valueInteger"]
    draft = note(context={"encounter": [{"reference": encounter}]})
    written: list[JsonObject] = [trigger, observation("craving", 4, **here), observation("mood", 5, **here), draft]
    made: list[str] = []
    for resource in written:
        answer = await maya.post(resource["resourceType"], resource)
        assert answer.status == 201, answer.body
        made.append(f"{resource['resourceType']}/{answer.json['id']}")
    api.clock.move(seconds=3_600)
    ended = [*status("finished"), {"op": "add", "path": "/period/end", "value": "2026-11-10T13:00:00Z"}]
    finished = (await maya.patch(encounter, ended)).json
    assert (finished["status"], [each["status"] for each in finished["statusHistory"]]) == (
        "finished", ["planned", "arrived", "in-progress"],
    )  # fmt: skip
    assert (await ruth.get(encounter)).json["status"] == "finished"
    observed, total = await seen(ruth, f"Observation?encounter={encounter}")
    assert ({f"Observation/{id}" for id in observed}, total) == (set(made[:3]), 3)
    assert (await ruth.get(made[3])).json["docStatus"] == "preliminary"
    for outside in (CHEN, SYS_RIVERBEND, APP_ANA):
        client = api.as_(outside)
        assert (await client.get(encounter)).status == 200
        assert [(await client.get(each)).status for each in made] == [200, 200, 200, 404]
    for nobody in (LEO, OMAR, NOOR, PATEL):
        assert {(await api.as_(nobody).get(each)).status for each in (encounter, *made)} == {404}


async def test_7_a_companion_who_is_not_on_the_team_finds_no_session_to_start(api: Api) -> None:
    leo, encounter = api.as_(LEO), await planned(api)
    absent = "Encounter/absent"
    for answers, expected in (
        ([await leo.patch(each, status("arrived")) for each in (encounter, absent)], 404),
        ([await leo.put(each, session(by="leo") | {"id": each.partition("/")[2]}) for each in (encounter, absent)], 405),
    ):
        assert [answer.status for answer in answers] == [expected] * 2
        assert answers[0].body == answers[1].body
    assert (await api.as_(MAYA).get(encounter)).json["status"] == "planned"
    logged = (await api.as_(SAM).get("AuditEvent", agent="Practitioner/leo", outcome="4")).matches
    assert sorted(event["action"] for event in logged) == ["U"] * 4
    assert encounter in {entity["what"].get("reference") for event in logged for entity in event["entity"] if "what" in entity}


async def test_8_a_finished_session_does_not_begin_again(api: Api) -> None:
    maya = api.as_(MAYA)
    before = (await maya.get("Encounter/e-ana-1")).body
    answer = await maya.patch("Encounter/e-ana-1", status("in-progress"))
    assert (answer.status, answer.keys) == (409, {"session-move"})
    again = (await maya.get("Encounter/e-ana-1")).json | {"status": "in-progress"}
    assert (await maya.put("Encounter/e-ana-1", again)).status == 409
    assert (await maya.get("Encounter/e-ana-1")).body == before


# Who sees what --------------------------------------------------------------------------------------------------------


async def test_9_a_clinician_sees_the_signed_note_and_no_trace_of_the_draft(shared: Api) -> None:
    chen = shared.as_(CHEN)
    assert await seen(chen, "DocumentReference?patient=ana") == ({"d-ana-1"}, 1)
    assert await seen(chen, "DocumentReference?patient=ana&_summary=count") == (set(), 1)
    absent = await chen.get("DocumentReference/absent")
    for hidden in ("DocumentReference/d-ana-2", "DocumentReference/d-ana-2/_history/1", "Binary/b-ana-2"):
        answer = await chen.get(hidden)
        assert (answer.status, answer.body) == (404, absent.body)


async def test_17_what_a_consent_carves_out_is_not_there(shared: Api) -> None:
    chen = shared.as_(CHEN)
    answer = await chen.get("DocumentReference?patient=cora")
    assert (answer.ids, answer.json["total"]) == ({"d-cora-1"}, 1)
    [outcome] = [entry for entry in answer.json["entry"] if entry["search"]["mode"] == "outcome"]
    assert "42 CFR part 2" in outcome["resource"]["issue"][0]["diagnostics"]
    visit = await chen.get("Encounter/e-cora-1")
    assert (visit.status, "F50.00" in visit.body.decode()) == (200, True)
    for hidden in ("DocumentReference/d-cora-2", "Binary/b-cora-2", "Provenance/prov-d-cora-2", "Condition/cond-cora-oud"):
        assert (await chen.get(hidden)).status == 404


async def test_18_an_ehr_pulls_the_signed_note_that_the_client_consented_to(shared: Api) -> None:
    riverbend = shared.as_(SYS_RIVERBEND)
    answer = await riverbend.get("DocumentReference?patient=ana")
    assert (answer.ids, answer.json["total"]) == ({"d-ana-1"}, 1)
    binary = answer.matches[0]["content"][0]["attachment"]["url"]
    assert (binary, (await riverbend.get(binary)).status) == ("Binary/b-ana-1", 200)
    assert await seen(riverbend, "Consent?patient=ana") == ({"c-ana"}, 1)


OF_DAN = ("Patient/dan", "DocumentReference/d-dan-1", "Binary/b-dan-1", "Encounter/e-dan-1", "Observation/o-dan-mood")
OF_EVE = ("Patient/eve", "CareTeam/ct-eve", "EpisodeOfCare/eoc-eve", "Condition/cond-eve-alc", "Goal/g-eve-1")


@pytest.mark.parametrize(
    ("caller", "client", "resources"),
    [(SYS_RIVERBEND, "dan", OF_DAN), (CHEN, "dan", OF_DAN), (CHEN, "eve", OF_EVE), (SYS_RIVERBEND, "eve", OF_EVE)],
    ids=["19 by an EHR", "19 by a clinician", "20 by a clinician", "20 by an EHR"],
)
async def test_19_and_20_without_a_consent_in_force_there_is_nothing(
    shared: Api, caller: Caller, client: str, resources: tuple[str, ...]
) -> None:
    asking = shared.as_(caller)
    for path in resources:
        absent = await asking.get(f"{path.partition('/')[0]}/absent")
        for answer in (await asking.get(path), await asking.get(f"{path}/_history"), await asking.get(f"{path}/_history/1")):
            assert (answer.status, answer.body) == (404, absent.body)
        if not path.startswith("Binary"):  # which nobody searches
            assert await seen(asking, f"{path.partition('/')[0]}?_id={path.partition('/')[2]}") == (set(), 0)
    for kind in ("Encounter", "DocumentReference", "Condition", "Consent", "Observation"):
        assert await seen(asking, f"{kind}?patient={client}") == (set(), 0)
    assert await seen(asking, f"Patient?_id={client}") == (set(), 0)
    absent, everything = [await asking.get(f"Patient/{id_}/$everything") for id_ in ("absent", client)]
    assert (everything.status, everything.body) == (404, absent.body)


async def test_24_a_clients_app_sees_what_is_final_of_their_own_and_nothing_about_staff(shared: Api) -> None:
    app, ruth = shared.as_(APP_ANA), shared.as_(RUTH)
    observed, total = await seen(app, "Observation")
    assert (observed, total) == ({"o-ana-mood", "o-ana-craving", "o-ana-trigger", "o-ana-pref"}, 4)
    assert {match["status"] for match in (await app.get("Observation")).matches} == {"final"}
    talk = {
        "resourceType": "Communication",
        "status": "completed",
        "category": [local("communication-category", "supervision")],
        "sender": {"reference": "Practitioner/ruth"},
        "recipient": [{"reference": "Practitioner/maya"}],
        "payload": [{"contentString": "About the check-in"}],
    }
    told = await ruth.post("Communication", talk)
    assert told.status == 201, told.body
    for hidden in (f"Communication/{told.json['id']}", "Task/task-checkin-maya", "Task/task-esc-ana-1", "Observation/o-ana-2-mood"):
        assert (await app.get(hidden)).status == 404
    assert await seen(app, "Communication") == (set(), 0)


async def test_a_case_manager_takes_on_a_client_who_is_then_everybodys_on_the_team_and_nobody_elses(api: Api) -> None:
    """Section 1.2, step 4: who is assigned sees the client, from then on."""
    urn = "urn:uuid:00000000-0000-4000-8000-000000000001"
    entries = [
        {"fullUrl": urn, "resource": patient(), "request": {"method": "POST", "url": "Patient"}},
        {"resource": care_team(urn), "request": {"method": "POST", "url": "CareTeam"}},
    ]
    flo, team = await sent(api.as_(RUTH), {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert (await api.as_(MAYA).get(flo)).status == 404
    stored = (await api.as_(RUTH).get(team)).json
    companion = {
        "role": [{"coding": [{"system": "http://nucc.org/provider-taxonomy", "code": "175T00000X"}]}],
        "member": {"reference": "Practitioner/maya"},
        "onBehalfOf": {"reference": "Organization/org-cir"},
        "period": {"start": "2026-11-10"},
    }
    assert (await api.as_(RUTH).put(team, stored | {"participant": [*stored["participant"], companion]})).status == 200
    assert (await api.as_(MAYA).get(flo)).status == 200
    assert {(await api.as_(other).get(flo)).status for other in (LEO, OMAR, CHEN, SYS_RIVERBEND)} == {404}
