"""Measures of supervision by $evaluate-measure: what counts, for whom, and what nobody else learns (domain.md 7)."""
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from recovery_api.domain.codes import CANON, concept, local
from recovery_api.interactions.care.supervision_check_ins import plan_all
from tests.api import Api, Response, serving
from tests.audit_log import beside
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, OMAR, RUTH, SAM, SYS_RIVERBEND, Caller
from tests.databases import Databases
from tests.world import Story

PATH = "Measure/{}/$evaluate-measure"
PERIOD: dict[str, Any] = {"periodStart": "2026-10-01", "periodEnd": "2026-11-10"}
RUTH_, OMAR_, MAYA_, LEO_ = (f"Practitioner/{name}" for name in ("ruth", "omar", "maya", "leo"))


def told() -> Story:
    """A note of Maya's is unsigned for 60 hours, one was signed after 50, one was returned; of two escalations one had contact in time."""
    story = Story()
    asked = story.instant(hours=60)
    story.task("late", "note-review", RUTH_, MAYA_, asked, status="requested", client="ana", focus="DocumentReference/d-ana-2")
    story.task("fresh", "note-review", RUTH_, MAYA_, story.instant(hours=47), status="requested", client="cora")
    returned = {"businessStatus": concept(local("note-status", "returned"))}
    story.task("returned", "note-review", RUTH_, MAYA_, story.instant(days=9), client="cora", more=returned)
    slow = {"executionPeriod": {"end": story.instant(hours=50)}}
    story.task("slow", "note-review", RUTH_, MAYA_, story.instant(hours=100), client="eve", more=slow)
    story.task("leos", "note-review", OMAR_, LEO_, asked, status="requested", client="ben")
    watched = {"output": [{"type": {"text": "action"}, "valueCodeableConcept": concept(local("escalation-action", "monitor"))}]}
    story.task("watched", "escalation", RUTH_, MAYA_, story.instant(days=3), client="ana", more=watched)
    return story


@pytest.fixture(scope="module")
async def measured(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path_factory.mktemp("measured"), told().resources) as server:
        await plan_all(server.running.server)
        yield server
    databases.drop(url)


def rates(answer: Response) -> Mapping[str, tuple[int, int, float | None]]:
    """Numerator, denominator and score by group."""
    assert answer.status == 200, answer.body
    assert (answer.json["resourceType"], answer.json["status"], answer.json["type"]) == ("MeasureReport", "complete", "summary")
    found: dict[str, Any] = {}
    for group in answer.json["group"]:
        counts = {one["code"]["coding"][0]["code"]: one["count"] for one in group["population"]}
        score = group.get("measureScore", {}).get("value")
        found[group["code"]["coding"][0]["code"]] = (counts["numerator"], counts["denominator"], None if score is None else float(score))
    return found


async def test_the_rate_of_notes_signed_in_time_shows_the_miss(measured: Api) -> None:
    answer = await measured.as_(RUTH).get(PATH.format("note-timeliness"), subject="PractitionerRole/maya", **PERIOD)
    assert rates(answer) == {"submitted-24h": (2, 3, 0.6667), "signed-48h": (1, 3, 0.3333)}
    assert answer.json["subject"] == {"reference": "PractitionerRole/maya"}
    assert answer.json["measure"] == f"{CANON}/Measure/note-timeliness|0.1.0"
    assert answer.json["period"] == {"start": "2026-10-01", "end": "2026-11-10"}
    assert "EMP" in {each["code"] for each in answer.json["meta"]["security"]}


async def test_check_ins_count_when_they_are_due(measured: Api) -> None:
    ruth = measured.as_(RUTH)
    assert rates(await ruth.get(PATH.format("supervision-cadence"), **PERIOD)) == {"check-in-in-time": (1, 2, 0.5)}
    october: dict[str, Any] = {"periodStart": "2026-10-01", "periodEnd": "2026-10-31"}
    assert rates(await ruth.get(PATH.format("supervision-cadence"), **october)) == {"check-in-in-time": (1, 1, 1.0)}
    september: dict[str, Any] = {"periodStart": "2026-09-01", "periodEnd": "2026-09-30"}
    assert rates(await ruth.get(PATH.format("supervision-cadence"), **september)) == {"check-in-in-time": (0, 0, None)}


async def test_contact_after_an_escalation(measured: Api) -> None:
    subjects: list[dict[str, Any]] = [{}, {"practitioner": "PractitionerRole/ruth"}, {"subject": "Practitioner/maya"}]
    for subject in subjects:
        answer = await measured.as_(RUTH).get(PATH.format("contact-after-escalation"), **subject, **PERIOD)
        assert rates(answer) == {"contact-24h": (1, 2, 0.5)}


async def test_everybody_has_their_own_companions(measured: Api) -> None:
    answer = await measured.as_(OMAR).get(PATH.format("note-timeliness"), **PERIOD)
    assert rates(answer) == {"submitted-24h": (1, 1, 1.0), "signed-48h": (0, 1, 0.0)}
    assert "subject" not in answer.json


async def test_a_measure_is_named_at_the_type_too(measured: Api) -> None:
    ruth = measured.as_(RUTH)
    for name in (f"{CANON}/Measure/supervision-cadence", f"{CANON}/Measure/supervision-cadence|0.1.0", "Measure/supervision-cadence"):
        assert rates(await ruth.get("Measure/$evaluate-measure", measure=name, **PERIOD)) == {"check-in-in-time": (1, 2, 0.5)}
    assert (await ruth.get("Measure/$evaluate-measure", measure=f"{CANON}/Measure/productivity", **PERIOD)).status == 404
    assert (await ruth.get(PATH.format("productivity"), **PERIOD)).status == 404
    assert (await ruth.get("Measure/$evaluate-measure", **PERIOD)).status == 400


@pytest.mark.parametrize(
    "more",
    [
        {"periodStart": "2026-11-11"},
        {"periodStart": "soon"},
        {"subject": "Patient/ana"},
        {"subject": "Practitioner/maya", "practitioner": "Practitioner/leo"},
        {"reportType": "patient-list"},
    ],
)
async def test_what_can_not_be_measured_is_refused(measured: Api, more: dict[str, Any]) -> None:
    assert (await measured.as_(RUTH).get(PATH.format("note-timeliness"), **(PERIOD | more))).status == 400


async def test_nobody_measures_whom_they_do_not_supervise(measured: Api) -> None:
    answers = [
        await measured.as_(OMAR).get(PATH.format("note-timeliness"), subject=subject, **PERIOD)
        for subject in ("PractitionerRole/maya", "Practitioner/maya", "PractitionerRole/absent", "PractitionerRole/ruth")
    ]
    assert {(answer.status, answer.body) for answer in answers} == {(403, answers[0].body)}


@pytest.mark.parametrize("caller", [MAYA, LEO, CHEN, APP_ANA, SAM, KIM, SYS_RIVERBEND], ids=lambda one: one.name)
async def test_it_is_for_case_managers(measured: Api, caller: Caller) -> None:
    assert (await measured.as_(caller).get(PATH.format("note-timeliness"), **PERIOD)).status == 403


async def test_it_asks_the_database_few_things(measured: Api) -> None:
    ruth = measured.as_(RUTH)
    for measure, most in (("supervision-cadence", 3), ("note-timeliness", 9), ("contact-after-escalation", 3)):
        await ruth.get(PATH.format(measure), **PERIOD)
        with measured.statements() as statements:
            await ruth.get(PATH.format(measure), **PERIOD)
        assert len(beside(statements)) <= most
