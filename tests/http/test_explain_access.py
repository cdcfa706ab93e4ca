"""Patient/{id}/$explain-access: who may see what, and why; and, to the client, in plain words."""
from collections.abc import Sequence
from typing import Any

import pytest

from recovery_api.demo.codes import concept
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Response
from tests.callers import APP_ANA, CHEN, KIM, MAYA, OMAR, REP_DAN, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, Caller
from tests.consenting import CRAVING, MOOD
from tests.world import Story

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def asked(
    actor: str = "", type: str = "", labels: tuple[str, ...] = (), purpose: str = "", code: Sequence[JsonObject] = (), date: str = ""
) -> JsonObject:
    said: list[JsonObject] = [{"name": "labels", "valueCoding": {"system": ACT, "code": code}} for code in labels]
    said += [{"name": "code", "valueCoding": one} for one in code]
    if date:
        said.append({"name": "date", "valueDateTime": date})
    if actor:
        said.append({"name": "actor", "valueReference": {"reference": actor}})
    said += [{"name": name, "valueCode": value} for name, value in (("resourceType", type), ("purpose", purpose)) if value]
    return {"resourceType": "Parameters", **({"parameter": said} if said else {})}


def decision(answer: Response) -> str:
    assert answer.status == 200, answer.body
    return next(one["valueCode"] for one in answer.json["parameter"] if one["name"] == "decision")


def rules(answer: Response) -> list[dict[str, Any]]:
    """Each rule with its id, effect and words."""
    assert answer.status == 200, answer.body
    found = [one["part"] for one in answer.json.get("parameter", ()) if one["name"] == "rule"]
    return [{part["name"]: part.get("valueString", part.get("valueCode")) for part in parts} for parts in found]


def effects(answer: Response) -> dict[str, str]:
    return {rule["id"]: rule["effect"] for rule in rules(answer)}


async def explained(api: Api, client: str, *said: Any, caller: Caller = RUTH, **more: Any) -> Response:
    return await api.as_(caller).post(f"Patient/{client}/$explain-access", asked(*said, **more))


EXPLAINED = [
    ("ana", "Practitioner/maya", "Observation", (), "permit", {"relation-companion": "permit"}),
    ("ana", "Practitioner/ruth", "Goal", (), "permit", {"relation-case-manager": "permit"}),
    ("ana", "Practitioner/leo", "Observation", (), "deny", {"no-relation": "deny"}),
    ("ana", "Practitioner/chen", "Condition", ("ETH",), "permit", {"relation-treatment-team": "permit", "consent:c-ana#0": "permit"}),
    ("cora", "Organization/org-riverbend", "Condition", ("ETH",), "deny", {"consent:c-cora#0.0": "deny"}),
    ("cora", "Organization/org-riverbend", "Condition", ("PSY",), "permit", {"consent:c-cora#0": "permit"}),
    ("eve", "Organization/org-riverbend", "Condition", (), "deny", {"no-relation": "deny", "no-consent": "deny"}),
    ("ana", "Organization/org-harbor", "Condition", (), "deny", {"no-relation": "deny", "no-consent": "deny"}),
    ("ana", "Practitioner/maya", "Observation", ("EMP",), "deny", {"label-EMP": "deny"}),
    ("ana", "Practitioner/maya", "DocumentReference", ("PSYTHPN",), "deny", {"label-PSYTHPN": "deny", "named": "permit"}),
    ("ana", "Practitioner/chen", "Condition", ("PSYTHPN",), "deny", {"label-PSYTHPN": "deny", "no-consent": "deny"}),
    ("ana", "Organization/org-riverbend", "Encounter", (), "permit", {"state": "none"}),
    ("ana", "Organization/org-riverbend", "Task", (), "deny", {"role": "deny"}),
    ("ana", "Practitioner/maya", "Task", (), "permit", {"named": "permit"}),
]


@pytest.mark.parametrize(("client", "actor", "type", "labels", "decides", "by"), EXPLAINED)
async def test_the_decision_comes_with_the_rules_that_bear_on_it(
    shared: Api, client: str, actor: str, type: str, labels: tuple[str, ...], decides: str, by: dict[str, str]
) -> None:
    answer = await explained(shared, client, actor, type, labels, caller=SAM)
    assert decision(answer) == decides
    assert by.items() <= effects(answer).items(), effects(answer)
    assert all(rule["says"] for rule in rules(answer))


async def test_the_purpose_counts(shared: Api) -> None:
    assert decision(await explained(shared, "ana", "Practitioner/chen", "Condition", purpose="TREAT")) == "permit"
    research = await explained(shared, "ana", "Practitioner/chen", "Condition", purpose="HRESCH")
    assert decision(research) == "deny"
    assert effects(research)["no-consent"] == "deny"


ONE_CODE = {"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}], "code": [concept(CRAVING)]}
LATELY = {"dataPeriod": {"start": "2026-10-01"}}
NO_PAST = {"provision": [{"type": "deny", "dataPeriod": {"end": "2026-09-30"}}]}


@pytest.mark.parametrize(
    ("limits", "described", "decides", "by"),
    [
        (ONE_CODE, {"code": concept(CRAVING)["coding"]}, "permit", {"consent:c-told#0": "permit"}),
        (ONE_CODE, {"code": concept(MOOD)["coding"]}, "deny", {"no-consent": "deny"}),
        (ONE_CODE, {}, "deny", {"no-consent": "deny"}),
        (LATELY, {"date": "2026-11-03"}, "permit", {"consent:c-told#0": "permit"}),
        (LATELY, {"date": "2026-09-03"}, "deny", {"no-consent": "deny"}),
        (LATELY, {"date": "2026"}, "deny", {"no-consent": "deny"}),
        (LATELY, {}, "permit", {"consent:c-told#0": "permit"}),
        (NO_PAST, {"date": "2026-09-30"}, "deny", {"consent:c-told#0.0": "deny"}),
        (NO_PAST, {"date": "2026-11-03"}, "permit", {"consent:c-told#0": "permit"}),
    ],
)
async def test_what_a_consent_says_of_codes_and_dates_counts(
    api: Api, limits: JsonObject, described: dict[str, Any], decides: str, by: dict[str, str]
) -> None:
    story = Story()
    await api.load([story.consent("c-told", "eve", story.day(100), form=False, limits=limits)])
    answer = await explained(api, "eve", "Organization/org-riverbend", "Observation", caller=SAM, **described)
    assert decision(answer) == decides
    assert by.items() <= effects(answer).items(), effects(answer)


async def test_a_code_brings_the_labels_that_the_server_gives_to_it(shared: Api) -> None:
    for code, decides in ((CRAVING, "deny"), (MOOD, "permit")):
        answer = await explained(shared, "cora", "Organization/org-riverbend", "Observation", code=concept(code)["coding"])
        assert decision(answer) == decides


async def test_the_relation_of_the_moment_counts(api: Api) -> None:
    assert decision(await explained(api, "ana", "Practitioner/maya", "Goal", caller=SAM)) == "permit"
    team = next(one for one in (await api.as_(RUTH).get("CareTeam", patient="ana")).matches)
    for member in team["participant"]:
        if member["member"]["reference"] == "Practitioner/maya":
            member["period"]["end"] = "2026-11-09"
    assert (await api.as_(RUTH).put(f"CareTeam/{team['id']}", team, headers={"if-match": f'W/"{team["meta"]["versionId"]}"'})).status == 200
    after = await explained(api, "ana", "Practitioner/maya", "Goal", caller=SAM)
    assert decision(after) == "deny"
    assert effects(after)["no-relation"] == "deny"


async def test_the_client_is_told_in_plain_words_who_can_see_what(shared: Api) -> None:
    app = shared.as_(APP_ANA)
    answer = await app.post("Patient/ana/$explain-access", asked())
    told = {rule["id"]: rule["says"] for rule in rules(answer)}
    team = {"relation-companion", "relation-case-manager", "relation-treatment-team", "relation-supervised"}
    assert {*team, "consent:c-ana#0"} <= told.keys()
    assert "walks with you as your companion" in told["relation-companion"]
    assert "Riverbend" in told["consent:c-ana#0"]
    assert "your treatment, payment and running the health service, since 2026-03-01" in told["consent:c-ana#0"]
    assert not any(word in " ".join(told.values()) for word in ("Practitioner/", "Organization/", "42CFR", "TREAT"))
    assert (await app.get("Patient/ana/$explain-access")).json == answer.json


async def test_the_client_asks_of_themselves_alone_and_of_everybody(shared: Api) -> None:
    app = shared.as_(APP_ANA)
    assert (await app.post("Patient/ana/$explain-access", asked("Practitioner/maya", "Goal"))).status == 400
    hidden, absent = [await app.post(f"Patient/{id}/$explain-access", asked()) for id in ("ben", "nobody")]
    assert (hidden.status, hidden.body) == (404, absent.body)


@pytest.mark.parametrize("caller", [MAYA, CHEN, SYS_RIVERBEND, SYS_LAKESIDE, KIM, REP_DAN], ids=lambda one: one.name)
@pytest.mark.parametrize("client", ["ana", "dan", "nobody"])
async def test_nobody_else_may_ask_whatever_there_is(shared: Api, caller: Caller, client: str) -> None:
    assert (await explained(shared, client, "Practitioner/maya", "Goal", caller=caller)).status == 403


async def test_a_client_who_is_not_theirs_is_as_absent_to_a_case_manager(shared: Api) -> None:
    hidden, absent = [await explained(shared, id, "Practitioner/maya", "Goal", caller=OMAR) for id in ("ana", "nobody")]
    assert (hidden.status, hidden.body) == (404, absent.body)
    assert (await explained(shared, "nobody", "Practitioner/maya", "Goal", caller=SAM)).status == 404


@pytest.mark.parametrize(
    "said",
    [
        asked(),
        asked("Practitioner/maya"),
        asked("Patient/ana", "Goal"),
        asked("Practitioner/maya", "Organization"),
        asked("Practitioner/maya", "Goal", ("NOSUCH",)),
        asked("Practitioner/maya", "Goal", code=[{"display": "Craving"}]),
        asked("Practitioner/maya", "Goal", date="yesterday"),
    ],
)
async def test_what_can_not_be_judged_is_refused(shared: Api, said: JsonObject) -> None:
    assert (await shared.as_(RUTH).post("Patient/ana/$explain-access", said)).status == 400
