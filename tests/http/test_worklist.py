"""The supervision worklist: what is on it for whom, in which order and why (domain.md 7, scenario 25)."""
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recovery_api.demo.engagement import period
from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.care.expiring_consents import tell_all
from tests.api import Api, Response, serving
from tests.audit_log import beside
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, OMAR, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, Caller
from tests.databases import Databases
from tests.world import Story

PATH = "PractitionerRole/{}/$supervision-worklist"
RUTH_, OMAR_, MAYA_, LEO_ = (f"Practitioner/{name}" for name in ("ruth", "omar", "maya", "leo"))


def told() -> Story:
    """Maya's last check-in was on 20 October; a note of hers is 60 hours old, an urgent escalation of Ana's is open; Leo has the same."""
    story = Story()
    urgent = story.later(story.instant(), minutes=20)
    for client, cm, companion, note in (("ana", RUTH_, MAYA_, "d-ana-2"), ("ben", OMAR_, LEO_, "d-ben-1")):
        asked, due, focus = story.instant(hours=60), story.instant(hours=12), f"DocumentReference/{note}"
        story.task(f"review-{client}", "note-review", cm, companion, asked, status="requested", client=client, focus=focus, due=due)
        story.task(f"urgent-{client}", "escalation", cm, companion, asked, status="requested", client=client, due=urgent, priority="urgent")
    asked, due = story.instant(hours=1), story.instant(hours=-47)
    story.task("fresh-cora", "note-review", RUTH_, MAYA_, asked, status="requested", client="cora", due=due)
    story.task("done-ana", "escalation", RUTH_, MAYA_, story.instant(hours=9), client="ana", priority="stat")
    story.case_manager("iris")
    story.delegate("omar", "iris", period(story.day(3), story.day(-3)))
    return story


@pytest.fixture(scope="module")
async def busy(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path_factory.mktemp("busy"), told().resources) as server:
        yield server
    databases.drop(url)


def reasons(answer: Response) -> list[tuple[str, str]]:
    """The Tasks of a worklist in order, with their reasons; a check-in by whom it is about."""
    assert answer.status == 200, answer.body
    found: list[tuple[str, str]] = []
    for entry in answer.json.get("entry", ()):
        [extension] = entry["search"]["extension"]
        assert (extension["url"], entry["search"]["mode"]) == (f"{CANON}/StructureDefinition/worklist-reason", "match")
        task: JsonObject = entry["resource"]
        checkin = "check-in" in extension["valueCode"]
        found.append((task["focus"]["reference"] if checkin else task["id"], extension["valueCode"]))
    return found


ALL = [
    ("urgent-ana", "escalation-open"),
    ("review-ana", "note-overdue"),
    ("PractitionerRole/maya", "check-in-overdue"),
    ("fresh-cora", "note-waiting"),
]


async def test_it_has_escalations_then_overdue_notes_then_overdue_check_ins(busy: Api) -> None:
    answer = await busy.as_(RUTH).get(PATH.format("ruth"))
    assert reasons(answer) == ALL
    assert answer.json["total"] == 4
    his = await busy.as_(OMAR).get(PATH.format("omar"))
    assert [id for id, _ in reasons(his)] == ["urgent-ben", "review-ben", "PractitionerRole/leo"]
    assert b"maya" not in his.body


async def test_a_part_of_it_is_asked_for_by_name(busy: Api) -> None:
    ruth = busy.as_(RUTH)
    assert reasons(await ruth.get(PATH.format("ruth"), include="escalations")) == ALL[:1]
    assert reasons(await ruth.get(PATH.format("ruth"), include="notes,checkins")) == ALL[1:]
    assert reasons(await ruth.get(PATH.format("ruth"), include="consents")) == []
    wrong = await ruth.get(PATH.format("ruth"), include="notes,all")
    assert (wrong.status, wrong.issue) == (400, ("error", "value"))


async def test_it_comes_in_pages(busy: Api) -> None:
    ruth = busy.as_(RUTH)
    pages = await ruth.pages(PATH.format("ruth"), _count="3")
    assert [each for page in pages for each in reasons(page)] == ALL
    assert len(pages) == 2
    assert pages[0].link("self") == f"http://127.0.0.1:8000/fhir/{PATH.format('ruth')}?_count=3"
    counted = await ruth.get(PATH.format("ruth"), _count="0")
    assert (counted.json["total"], counted.json.get("entry")) == (4, None)
    assert (await busy.as_(OMAR).get(pages[0].link("next") or "")).status == 403


async def test_it_opens_to_its_owner_and_her_delegate_alone(busy: Api) -> None:
    iris = Caller("iris", "case-manager", "Practitioner/iris", organization="org-cir")
    assert reasons(await busy.as_(iris).get(PATH.format("omar")))[0] == ("urgent-ben", "escalation-open")
    assert (await busy.as_(iris).get(PATH.format("ruth"))).status == 403
    for role, status in (("ruth", 403), ("maya", 403), ("absent", 404)):
        assert (await busy.as_(OMAR).get(PATH.format(role))).status == status
    for other in (MAYA, LEO, CHEN, SAM, KIM, APP_ANA, SYS_RIVERBEND, SYS_LAKESIDE):
        answers = [await busy.as_(other).get(PATH.format(role)) for role in ("ruth", "absent")]
        assert [answer.status for answer in answers] == [403, 403]


async def test_it_needs_the_scope_for_tasks(busy: Api) -> None:
    assert (await busy.as_(RUTH, scopes="recovery/case-manager user/PractitionerRole.rs").get(PATH.format("ruth"))).status == 403
    assert (await busy.as_(RUTH, scopes="recovery/case-manager user/Task.rs").get(PATH.format("ruth"))).status == 403


async def test_it_asks_the_database_few_things(busy: Api) -> None:
    ruth = busy.as_(RUTH)
    await ruth.get(PATH.format("ruth"))
    with busy.statements() as statements:
        await ruth.get(PATH.format("ruth"))
    assert len(beside(statements)) == 3


async def test_consents_that_end_within_the_month_are_on_it_once(databases: Databases, migrated_template: str, tmp_path: Path) -> None:
    story = told()
    ends = {"soon": story.day(-20), "later": story.day(-40), "over": story.day(1)}
    for name, end in ends.items():
        story.consent(f"c-{name}", "eve", story.day(90), end=end, form=False, actors=["Organization/org-harbor"])
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, story.resources) as server:
        for _ in range(2):
            await tell_all(server.running.server)
        answer = await server.as_(RUTH).get(PATH.format("ruth"), include="consents")
        [(id, why)] = reasons(answer)
        [task] = answer.matches
        assert (why, task["focus"], task["owner"]["reference"]) == ("consent-expiring", {"reference": "Consent/c-soon"}, RUTH_)
        assert (await server.as_(OMAR).get(f"Task/{id}")).status == 404
        assert (await server.as_(APP_ANA).get(f"Task/{id}")).status == 404
    databases.drop(url)
