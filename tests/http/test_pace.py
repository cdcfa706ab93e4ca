"""Goals at the client's pace, companions whom the client wants, and who is told what of it."""
from typing import Any

import pytest

from recovery_api.domain.care_plans import CARE_PLAN
from recovery_api.domain.goals import GOAL
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Response
from tests.callers import APP_ANA, KIM, LEO, MAYA, OMAR, RUTH
from tests.http.resources import concept

CANON = "https://recovery-api.example.org/fhir"
LOINC, SCT = "http://loinc.org", "http://snomed.info/sct"
PREFERENCE = f"{CANON}/CodeSystem/companion-preference"
WOMAN = (SCT, "314434008")


def goal(status: str = "active", **more: Any) -> JsonObject:
    return {
        "resourceType": "Goal",
        "lifecycleStatus": status,
        "description": {"text": "Open the window in the morning"},
        "subject": {"reference": "Patient/ana"},
    } | more


OWN: dict[str, Any] = {"expressedBy": {"reference": "Patient/ana"}}


def pace(pace: str, by: str = "Patient/ana") -> JsonObject:
    said = [{"name": "pace", "valueCode": pace}, {"name": "setBy", "valueReference": {"reference": by}}]
    return {"resourceType": "Parameters", "parameter": said}


def answered(answer: Response) -> JsonObject:
    """The parameters of an answer that stand once, by name."""
    return {one["name"]: next(value for name, value in one.items() if name != "name") for one in answer.json["parameter"]}


@pytest.mark.parametrize("caller", [MAYA, RUTH, APP_ANA], ids=lambda caller: caller.name)
async def test_the_pace_of_a_goal_is_set_where_it_stands(api: Api, caller: Any) -> None:
    answer = await api.as_(caller).post("Goal/g-ana-1/$set-pace", pace("slower"))
    assert (answer.status, answer.headers["etag"]) == (200, 'W/"2"')
    [said] = [one for one in answer.json["extension"] if one["url"].endswith("client-pace")]
    assert said["extension"] == [
        {"url": "pace", "valueCode": "slower"},
        {"url": "setBy", "valueReference": {"reference": "Patient/ana"}},
        {"url": "date", "valueDate": "2026-11-10"},
    ]
    assert (await api.as_(RUTH).get("Goal/g-ana-1")).json == answer.json


async def test_a_pace_is_one_of_four_and_set_by_somebody_who_is_there(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    answers = [
        await ruth.post("Goal/g-ana-1/$set-pace", body)
        for body in (pace("hurry"), pace("slower", "Practitioner/nobody"), pace("slower", "Patient/ben"), pace("slower", "Goal/g-ana-1"))
    ]
    assert [answer.status for answer in answers] == [400, 422, 422, 422]
    assert answers[1].body == answers[2].body
    assert (await ruth.get("Goal/g-ana-1")).json["meta"]["versionId"] == "1"


async def test_a_clients_app_sets_no_pace_for_somebody_else(shared: Api) -> None:
    answer = await shared.as_(APP_ANA).post("Goal/g-ana-1/$set-pace", pace("faster", "Practitioner/maya"))
    assert (answer.status, answer.keys) == (422, {"pace-set-by"})


async def test_a_stale_pace_is_refused(shared: Api) -> None:
    answer = await shared.as_(RUTH).post("Goal/g-ana-1/$set-pace", pace("faster"), headers={"if-match": 'W/"7"'})
    assert answer.status == 412


async def test_the_goal_of_somebody_elses_client_is_not_there(shared: Api) -> None:
    answers = [await shared.as_(LEO).post(f"Goal/{id}/$set-pace", pace("slower")) for id in ("g-ana-1", "nobody")]
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].body == answers[1].body


ACHIEVED = {"no-change": "holding", "sustaining": "holding", "improving": "moving", "worsening": "harder", "achieved": "reached"}


@pytest.mark.parametrize("code", ACHIEVED)
async def test_progress_says_where_a_goal_stands(api: Api, code: str) -> None:
    system = "http://terminology.hl7.org/CodeSystem/goal-achievement"
    made = await api.as_(RUTH).post("Goal", goal(**OWN, achievementStatus=concept(system, code)))
    answer = answered(await api.as_(MAYA).get(f"Goal/{made.json['id']}/$goal-progress"))
    assert answer["standing"] == ACHIEVED[code]
    assert "fail" not in answer["words"]


async def test_a_goal_that_rests_is_paused_and_its_steps_are_told(api: Api) -> None:
    await api.as_(RUTH).post("Goal/g-ana-1/$set-pace", pace("pause"))
    related = {
        "url": "http://hl7.org/fhir/StructureDefinition/goal-relationship",
        "extension": [
            {"url": "type", "valueCodeableConcept": {"text": "step of"}},
            {"url": "target", "valueReference": {"reference": "Goal/g-ana-1"}},
        ],
    }
    step = await api.as_(RUTH).post("Goal", goal("proposed", extension=[related]))
    assert step.status == 201, step.body
    answer = await api.as_(APP_ANA).get("Goal/g-ana-1/$goal-progress")
    assert (answered(answer)["standing"], answered(answer)["pace"]) == ("paused", "pause")
    [told] = [one["part"] for one in answer.json["parameter"] if one["name"] == "step"]
    assert told[0]["valueReference"] == {"reference": f"Goal/{step.json['id']}"}


async def test_few_goals_begin_in_a_week_save_the_clients_own(api: Api) -> None:
    ruth = api.as_(RUTH)
    begun = [await ruth.post("Goal", goal()) for _ in range(3)]
    assert [answer.status for answer in begun] == [201, 201, 422]
    assert begun[2].keys == {"goal-pace"}
    assert begun[0].json["startDate"] == "2026-11-10"
    assert (await ruth.post("Goal", goal(**OWN))).status == 201
    waiting = (await ruth.post("Goal", goal("accepted"))).json
    assert (await ruth.put(f"Goal/{waiting['id']}", waiting | {"lifecycleStatus": "active"})).status == 422
    api.clock.move(seconds=8 * 86_400)
    ruth = api.as_(RUTH)
    assert (await ruth.put(f"Goal/{waiting['id']}", waiting | {"lifecycleStatus": "active"})).status == 200


def plan(status: str = "active", **more: Any) -> JsonObject:
    return {
        "resourceType": "CarePlan",
        "status": status,
        "intent": "plan",
        "category": [concept("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan")],
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Small steps</div>'},
        "subject": {"reference": "Patient/ana"},
    } | more


LIVES: dict[str, tuple[LifeCycle, str]] = {"Goal": (GOAL, "lifecycleStatus"), "CarePlan": (CARE_PLAN, "status")}
ILLEGAL = [
    (type, before, after)
    for type, (life, _) in LIVES.items()
    for before in sorted(life.moves)
    for after in sorted(life.moves)
    if after != before and after not in life.moves[before]
]


@pytest.mark.parametrize(("type", "before", "after"), ILLEGAL, ids=str)
async def test_an_illegal_move_changes_nothing(shared: Api, type: str, before: str, after: str) -> None:
    life, element = LIVES[type]
    id = f"in-{before}"
    if (await shared.as_(RUTH).get(f"{type}/{id}")).status == 404:
        await shared.load([(goal(**OWN) if type == "Goal" else plan()) | {"id": id, element: before}])
    there = (await shared.as_(RUTH).get(f"{type}/{id}")).json
    answer = await shared.as_(RUTH).put(f"{type}/{id}", there | {element: after})
    assert (answer.status, answer.keys) == (409, {f"{life.name}-move"})
    assert (await shared.as_(RUTH).get(f"{type}/{id}")).json == there


@pytest.mark.parametrize("type", LIVES)
async def test_nothing_begins_at_its_end(shared: Api, type: str) -> None:
    life, element = LIVES[type]
    for state in sorted(life.moves.keys() - life.starts):
        answer = await shared.as_(RUTH).post(type, (goal(**OWN) if type == "Goal" else plan()) | {element: state})
        assert (answer.status, answer.keys) == (422, {f"{life.name}-start"})


# who accompanies ---------------------------------------------------------------------------------------------------------
NUCC_COMPANION = concept("http://nucc.org/provider-taxonomy", "175T00000X")


def wish(*code: str, by: str = "Patient/ana", **more: Any) -> JsonObject:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [concept("http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "care-experience-preference")],
        "code": concept(LOINC, "95541-9"),
        "subject": {"reference": "Patient/ana"},
        "performer": [{"reference": by}],
        "effectiveDateTime": "2026-11-01",
        "valueCodeableConcept": concept(*code),
    } | more


async def assigned(api: Api, by: Any, who: str = "leo") -> Response:
    """Leo comes to Ana's team beside Maya."""
    team = (await api.as_(RUTH).get("CareTeam/ct-ana")).json
    member = {
        "role": [NUCC_COMPANION],
        "member": {"reference": f"Practitioner/{who}"},
        "onBehalfOf": {"reference": "Organization/org-cir"},
        "period": {"start": "2026-11-10"},
    }
    return await api.as_(by).put("CareTeam/ct-ana", team | {"participant": [*team["participant"], member]})


async def test_nobody_is_assigned_against_the_clients_wish_save_by_their_own_word(api: Api) -> None:
    assert (await api.as_(RUTH).post("Observation", wish(*WOMAN))).status == 201
    refused = await assigned(api, RUTH)
    assert (refused.status, refused.keys) == (422, {"client-preference"})
    assert (await api.as_(RUTH).get("CareTeam/ct-ana")).json["meta"]["versionId"] == "1"
    welcome = wish(PREFERENCE, "welcomes-this-person", focus=[{"reference": "Practitioner/leo"}])
    assert (await api.as_(RUTH).post("Observation", welcome | {"performer": [{"reference": "Practitioner/ruth"}]})).status == 201
    assert (await assigned(api, RUTH)).status == 422
    assert (await api.as_(RUTH).post("Observation", welcome)).status == 201
    assert (await assigned(api, RUTH)).status == 200


async def test_nobody_takes_over_against_the_clients_wish_save_by_their_own_word(api: Api) -> None:
    ruth, path = api.as_(RUTH), "EpisodeOfCare/eoc-ana/$handover"
    to_leo: JsonObject = {
        "resourceType": "Parameters",
        "parameter": [{"name": "to", "valueReference": {"reference": "PractitionerRole/leo"}}],
    }
    assert (await ruth.post("Observation", wish(*WOMAN))).status == 201
    refused = await ruth.post(path, to_leo)
    assert (refused.status, refused.keys) == (422, {"client-preference"})
    assert (await ruth.get("CareTeam/ct-ana")).json["meta"]["versionId"] == "1"
    assert (await api.as_(LEO).get("Patient/ana")).status == 404
    assert (await ruth.get("Task?code=preference-check")).json["total"] == 0
    welcome = wish(PREFERENCE, "welcomes-this-person", focus=[{"reference": "Practitioner/leo"}])
    assert (await ruth.post("Observation", welcome)).status == 201
    answer = await ruth.post(path, to_leo)
    assert answer.status == 200, answer.body
    assert (await api.as_(LEO).get("Patient/ana")).status == 200


async def test_who_was_there_before_does_not_come_back_against_the_clients_wish(api: Api) -> None:
    ruth, path = api.as_(RUTH), "EpisodeOfCare/eoc-ana/$handover"
    to: list[JsonObject] = [
        {"resourceType": "Parameters", "parameter": [{"name": "to", "valueReference": {"reference": f"PractitionerRole/{who}"}}]}
        for who in ("leo", "maya")
    ]
    for each in to:
        assert (await ruth.post(path, each)).status == 200
        api.clock.move(seconds=60)
    assert (await ruth.post("Observation", wish(*WOMAN))).status == 201
    refused = await ruth.post(path, to[0])
    assert (refused.status, refused.keys) == (422, {"client-preference"})


async def test_a_boundary_and_a_veto_name_one_person(api: Api) -> None:
    veto = wish(PREFERENCE, "not-this-person", focus=[{"reference": "Practitioner/leo"}])
    boundary = {"status": "in-progress", "doNotPerform": True, "performer": [{"reference": "Practitioner/leo"}]}
    assert (await api.as_(RUTH).post("Observation", veto)).status == 201
    assert (await api.as_(RUTH).post("CarePlan", plan(activity=[{"detail": boundary}]))).status == 201
    refused = await assigned(api, RUTH)
    assert [issue["diagnostics"] for issue in refused.json["issue"]] == [
        "The care team is not as the client wishes it: The client prefers somebody else. (Practitioner/leo)",
        "The care team is not as the client wishes it: A boundary in the care plan is about this person. (Practitioner/leo)",
    ]


async def test_who_may_not_read_a_wish_learns_nothing_of_it(api: Api) -> None:
    await api.as_(RUTH).post("Observation", wish(*WOMAN))
    assert (await assigned(api, KIM)).status == 200


async def test_companions_are_ranked_and_explained(api: Api) -> None:
    ruth = api.as_(RUTH)
    first = [one["part"] for one in (await ruth.post("Patient/ana/$match-companion", {"resourceType": "Parameters"})).json["parameter"]]
    assert [part[0]["valueReference"]["reference"] for part in first] == ["PractitionerRole/leo", "PractitionerRole/maya"]
    await ruth.post("Observation", wish(PREFERENCE, "not-this-person", focus=[{"reference": "Practitioner/leo"}]))
    then = [one["part"] for one in (await ruth.post("Patient/ana/$match-companion", {"resourceType": "Parameters"})).json["parameter"]]
    assert [(part[0]["valueReference"]["reference"], part[1]["valueBoolean"]) for part in then] == [
        ("PractitionerRole/maya", True),
        ("PractitionerRole/leo", False),
    ]
    assert then[1][2]["valueString"] == "The client prefers somebody else."


async def test_only_the_clients_case_manager_matches(shared: Api) -> None:
    asked = {"resourceType": "Parameters"}
    answers = [(await shared.as_(caller).post("Patient/ana/$match-companion", asked)).status for caller in (OMAR, MAYA, KIM)]
    assert answers == [404, 403, 403]
