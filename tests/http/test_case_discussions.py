"""Case discussions are among the care team, and boundary events come to the supervisor alone (domain.md 1.5; world.md, decision 10)."""
from typing import Any

import pytest

from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import JsonObject
from tests.api import Api
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, OMAR, RUTH, SAM
from tests.http.resources import local
from tests.http.supervising import boundary_event, case_discussion, message, ref

ANA = {"subject": ref("Patient/ana")}


async def test_the_team_talks_and_the_task_of_the_discussion_is_done(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    task = (await ruth.post("Task", case_discussion())).json
    said = message("case-discussion", "Practitioner/ruth", "Practitioner/maya", "Practitioner/chen", **ANA)
    answer = await ruth.post("Communication", said | {"basedOn": [ref(f"Task/{task['id']}")]})
    assert answer.status == 201
    done = (await ruth.get(f"Task/{task['id']}")).json
    assert (done["status"], done["output"][0]["valueReference"]) == ("completed", ref(f"Communication/{answer.json['id']}"))


async def test_a_role_stands_for_its_practitioner_and_the_client_may_take_part(shared: Api) -> None:
    for recipient in ("PractitionerRole/maya", "Patient/ana", "Practitioner/chen"):
        answer = await shared.as_(RUTH).post("Communication", message("case-discussion", "Practitioner/ruth", recipient, **ANA))
        assert answer.status == 201


@pytest.mark.parametrize(
    "recipient", ["Practitioner/leo", "PractitionerRole/leo", "Practitioner/absent", "Patient/ben", "Patient/absent", "CareTeam/ct-ben"]
)
async def test_who_is_not_on_the_team_is_refused_like_who_is_not_there(shared: Api, recipient: str) -> None:
    said = message("case-discussion", "Practitioner/ruth", "Practitioner/maya", recipient, **ANA)
    answer = await shared.as_(RUTH).post("Communication", said)
    assert (answer.status, answer.keys, answer.places) == (422, {"case-discussion-team"}, {"Communication.recipient[1]"})
    assert recipient.encode() not in answer.body


async def test_without_consent_a_clinician_from_outside_takes_no_part(api: Api) -> None:
    app, ruth = api.as_(APP_ANA), api.as_(RUTH)
    said = message("case-discussion", "Practitioner/ruth", "Practitioner/chen", **ANA)
    assert (await ruth.post("Communication", said)).status == 201
    assert (await app.patch("Consent/c-ana", [{"op": "replace", "path": "/status", "value": "inactive"}])).status == 200
    answer = await ruth.post("Communication", said)
    assert (answer.status, answer.places) == (422, {"Communication.recipient[0]"})


async def test_who_may_not_read_the_client_learns_nothing_of_their_team(shared: Api) -> None:
    told: list[bytes] = []
    for client in ("dan", "absent"):
        said = message("case-discussion", "Practitioner/maya", "Practitioner/leo", f"Patient/{client}", subject=ref(f"Patient/{client}"))
        answer = await shared.as_(MAYA).post("Communication", said)
        assert answer.status == 422
        assert answer.places == {"Communication.sender", "Communication.recipient[0]", "Communication.recipient[1]"}
        told.append(answer.body)
    assert told[0] == told[1]


async def test_a_discussion_is_about_a_client(shared: Api) -> None:
    answer = await shared.as_(RUTH).post("Communication", message("case-discussion", "Practitioner/ruth", "Practitioner/maya"))
    assert (answer.status, answer.keys) == (422, {"case-discussion-client"})
    answer = await shared.as_(RUTH).post("Task", case_discussion(**{"for": None}))
    assert (answer.status, answer.keys) == (422, {"case-discussion-client"})


# Boundary events ---------------------------------------------------------------------------------------------------------


async def told(api: Api, **more: Any) -> JsonObject:
    """The supervisor's Task for a boundary event."""
    caller = MAYA if more.get("by") == "Practitioner/maya" else RUTH
    made = await api.as_(caller).post("Observation", boundary_event(**more), headers={"prefer": "return=minimal"})
    assert made.status == 201
    event = made.headers["location"].split("/fhir/")[1].partition("/_history")[0]
    tasks = (await api.as_(RUTH).get("Task", code=f"{CANON}/CodeSystem/task-code|boundary-event")).matches
    [task] = [one for one in tasks if one["reasonReference"] == ref(event)]
    return task


async def test_the_supervisor_gets_a_task_that_nobody_else_sees(shared: Api) -> None:
    task = await told(shared, by="Practitioner/maya")
    assert (task["status"], task["priority"], task["owner"]) == ("requested", "routine", ref("Practitioner/ruth"))
    assert task["focus"] == ref("Practitioner/maya")
    assert "restriction" not in task
    assert "EMP" in {each["code"] for each in task["meta"]["security"]}
    for other in (MAYA, LEO, OMAR, CHEN, APP_ANA, SAM, KIM):
        assert (await shared.as_(other).get(f"Task/{task['id']}")).status in {403, 404}


async def test_about_whom_nobody_supervises_it_comes_back_to_who_told_it(shared: Api) -> None:
    await told(shared, about="Practitioner/omar")
    omars = (await shared.as_(OMAR).get("Task", code=f"{CANON}/CodeSystem/task-code|boundary-event")).matches
    assert omars == []


@pytest.mark.parametrize(
    "more",
    [
        {"component": [{"code": local("companion-observation-component", "safeguarding"), "valueBoolean": True}]},
        {
            "interpretation": [
                {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": "AA"}]}
            ]
        },
    ],
)
async def test_safeguarding_is_urgent_and_due_within_the_hour(shared: Api, more: JsonObject) -> None:
    task = await told(shared, **more)
    assert task["priority"] == "urgent"
    assert task["restriction"]["period"]["end"].startswith("2026-11-10T13:00:0")
