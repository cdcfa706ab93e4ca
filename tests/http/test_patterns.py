"""Timelines, series, $lastn and the safety plan, as each caller gets them."""
import re
from base64 import b64decode
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pytest

from recovery_api.domain.plots import bars
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Response
from tests.callers import APP_ANA, CHEN, LEO, MAYA, OMAR, RUTH, SAM, SYS_RIVERBEND
from tests.http.resources import concept, local, observation

LOINC = "http://loinc.org"
HL7 = "http://terminology.hl7.org/CodeSystem/observation-category"
SVG = "{http://www.w3.org/2000/svg}"


def of_type(answer: Response, type: str) -> list[JsonObject]:
    return [entry["resource"] for entry in answer.json.get("entry", ()) if entry["resource"]["resourceType"] == type]


def coded(code: str, kind: str, at: str) -> JsonObject:
    said = {name: value for name, value in observation(code).items() if name != "valueInteger"}
    return said | {"valueCodeableConcept": local(code, kind), "encounter": {"reference": "Encounter/e-ana-1"}, "effectiveDateTime": at}


def score(code: str, value: int, at: str) -> JsonObject:
    survey = {"category": [concept(HL7, "survey")], "code": concept(LOINC, code)}
    return observation(value=value) | survey | {"effectiveDateTime": at}


async def made(api: Api, *resources: JsonObject) -> Sequence[str]:
    answers = [await api.as_(RUTH).post(one["resourceType"], one) for one in resources]
    assert {answer.status for answer in answers} == {201}
    return [answer.json["id"] for answer in answers]


async def test_the_timeline_counts_triggers_with_what_followed_and_shows_them(api: Api) -> None:
    await made(api, coded("trauma-response", "freeze", "2026-10-05T17:10:00Z"), coded("trigger", "place", "2026-10-20T10:00:00Z"))
    answer = await api.as_(MAYA).get("Patient/ana/$trigger-timeline")
    assert (answer.status, answer.json["type"]) == (200, "collection")
    [report] = of_type(answer, "MeasureReport")
    patterns, *weeks = report["group"]
    strata = patterns["stratifier"][0]["stratum"]
    told = [([one["value"]["text"] for one in stratum["component"]], stratum["population"][0]["count"]) for stratum in strata]
    assert told == [(["place", "none"], 1), (["sensory", "freeze"], 1)]
    assert [week["code"]["text"] for week in weeks] == ["2026-10-05/2026-10-11", "2026-10-12/2026-10-18", "2026-10-19/2026-10-25"]
    assert report["period"] == {"start": "2026-10-05", "end": "2026-10-25"}
    [plot] = of_type(answer, "Binary")
    drawn = ET.fromstring(b64decode(plot["data"]))
    assert [one.text for one in drawn.iter(f"{SVG}title")][:1] == ["Triggers over time"]
    assert len(drawn.findall(f"{SVG}rect/{SVG}title")) == 2


async def test_the_timeline_bears_the_labels_of_all_that_it_counts(api: Api) -> None:
    await made(api, coded("trauma-response", "freeze", "2026-10-05T17:10:00Z"))
    answer = await api.as_(MAYA).get("Patient/ana/$trigger-timeline")
    labels = [{coding["code"] for coding in one["meta"]["security"]} for one in (answer.json, *of_type(answer, "MeasureReport"))]
    assert labels[0] == labels[1] >= {"R", "42CFRPart2", "PSY"}


async def test_the_timeline_is_of_the_time_that_is_asked_for(api: Api) -> None:
    await made(api, coded("trigger", "place", "2026-10-20T10:00:00Z"))
    answer = await api.as_(MAYA).get("Patient/ana/$trigger-timeline", start="2026-10-19", bucket="day")
    [report] = of_type(answer, "MeasureReport")
    assert report["period"] == {"start": "2026-10-19", "end": "2026-10-20"}
    assert [one["id"] for one in of_type(answer, "Observation")] != ["o-ana-trigger"]


async def test_an_empty_timeline_has_no_plot(shared: Api) -> None:
    answer = await shared.as_(LEO).get("Patient/ben/$trigger-timeline")
    assert (answer.status, of_type(answer, "Binary"), len(of_type(answer, "MeasureReport"))) == (200, [], 1)


@pytest.mark.parametrize("operation", ["$trigger-timeline", "$outcome-series", "$safety-plan"])
async def test_somebody_elses_client_is_not_there(shared: Api, operation: str) -> None:
    answers = [await shared.as_(OMAR).get(f"Patient/{id}/{operation}") for id in ("ana", "nobody")]
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].body == answers[1].body


@pytest.mark.parametrize("operation", ["$trigger-timeline", "$outcome-series", "$safety-plan"])
async def test_an_auditor_may_not_ask(shared: Api, operation: str) -> None:
    assert (await shared.as_(SAM).get(f"Patient/ana/{operation}")).status == 403


async def test_what_consent_opens_comes_with_the_notice(shared: Api) -> None:
    answer = await shared.as_(CHEN).get("Patient/ana/$trigger-timeline")
    assert [one["id"] for one in of_type(answer, "Observation")] == ["o-ana-trigger"]
    assert len(of_type(answer, "OperationOutcome")) == 1
    assert answer.headers["x-redisclosure-notice"] == "42cfr2.32"


async def test_scores_stand_in_the_order_of_time_with_a_plot_for_each_instrument(api: Api) -> None:
    later, earlier, other = await made(
        api,
        score("44261-6", 9, "2026-11-01T10:00:00Z"),
        score("44261-6", 14, "2026-10-01T10:00:00Z"),
        score("70274-6", 7, "2026-10-02T10:00:00Z"),
    )
    answer = await api.as_(APP_ANA).get("Patient/ana/$outcome-series")
    assert [one["id"] for one in of_type(answer, "Observation")] == [earlier, later, other]
    assert len(of_type(answer, "Binary")) == 2
    one = await api.as_(RUTH).get("Patient/ana/$outcome-series", code="44261-6", start="2026-10-15")
    assert [each["id"] for each in of_type(one, "Observation")] == [later]


async def test_lastn_gives_the_latest_of_each_code(api: Api) -> None:
    ids = await made(
        api,
        *(score("44261-6", value, f"2026-10-0{value}T10:00:00Z") for value in (1, 2, 3)),
        score("70274-6", 7, "2026-10-02T10:00:00Z"),
    )
    one = await api.as_(RUTH).get("Observation/$lastn", patient="Patient/ana", category="survey")
    assert [each["id"] for each in one.matches] == [ids[2], ids[3]]
    two = await api.as_(RUTH).get("Observation/$lastn", patient="Patient/ana", category="survey", max=2)
    assert [each["id"] for each in two.matches] == [ids[2], ids[3], ids[1]]
    posted = {
        "resourceType": "Parameters",
        "parameter": [{"name": "patient", "valueString": "ana"}, {"name": "code", "valueString": f"{LOINC}|70274-6"}],
    }
    assert (await api.as_(RUTH).post("Observation/$lastn", posted)).ids == {ids[3]}


async def test_lastn_asks_whose_observations(shared: Api) -> None:
    answer = await shared.as_(RUTH).get("Observation/$lastn", category="survey")
    assert (answer.status, answer.issue) == (400, ("error", "required"))


async def test_lastn_counts_only_what_the_caller_may_read(shared: Api) -> None:
    moods = "Observation/$lastn?patient=Patient/ana&code=mood"
    seen = [(await shared.as_(caller).get(moods)).ids for caller in (MAYA, SYS_RIVERBEND, LEO)]
    assert seen == [{"o-ana-2-mood"}, {"o-ana-mood"}, set()]


async def test_the_safety_plan_is_there_in_one_call(api: Api) -> None:
    flag = {
        "resourceType": "Flag",
        "status": "active",
        "category": [concept("http://terminology.hl7.org/CodeSystem/flag-category", "safety")],
        "code": {"text": "Ask before you touch"},
        "subject": {"reference": "Patient/ana"},
    }
    warned = (await api.as_(RUTH).post("Flag", flag)).json["id"]
    assert (await api.as_(RUTH).post("Flag", flag | {"status": "inactive"})).status == 201
    answer = await api.as_(MAYA).get("Patient/ana/$safety-plan")
    assert [entry["resource"]["id"] for entry in answer.json["entry"]] == ["cp-ana-safety", warned]
    own = await api.as_(APP_ANA).get("Patient/ana/$safety-plan")
    assert [entry["resource"]["id"] for entry in own.json["entry"]] == ["cp-ana-safety"]


def test_a_plot_holds_no_script_and_no_other_host() -> None:
    drawn = bars("A <title>", "x", [("2026-10-05", {"<script>": 1})]).decode()
    assert "<script" not in drawn
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]
