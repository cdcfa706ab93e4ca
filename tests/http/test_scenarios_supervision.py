"""The acceptance scenarios of domain.md 8 on supervision, by their number, at T0."""
from pathlib import Path
from typing import Any

from recovery_api.demo.engagement import period
from recovery_api.domain.codes import CANON
from tests.api import Api, Response, serving
from tests.callers import OMAR, RUTH
from tests.databases import Databases
from tests.world import Story


def told() -> Story:
    """Maya's last check-in was on 2026-10-20, a note of hers is unsigned for 60 hours, and an urgent escalation is open."""
    story = Story()
    ruth, maya, asked = "Practitioner/ruth", "Practitioner/maya", story.instant(hours=60)
    note, due = "DocumentReference/d-ana-2", story.instant(hours=12)
    story.task("review", "note-review", ruth, maya, asked, status="requested", client="ana", focus=note, due=due)
    story.task("urgent", "escalation", ruth, maya, story.instant(minutes=20), status="requested", client="ana", priority="urgent")
    return story


def supervised(by: str, start: str, end: str | None = None) -> dict[str, Any]:
    supervisor = {"url": "supervisor", "valueReference": {"reference": f"PractitionerRole/{by}"}}
    return {
        "url": f"{CANON}/StructureDefinition/supervised-by",
        "extension": [supervisor, {"url": "period", "valuePeriod": period(start, end)}],
    }


async def listed(api: Api, caller: Any) -> Response:
    answer = await api.as_(caller).get(f"PractitionerRole/{caller.name}/$supervision-worklist")
    assert answer.status == 200, answer.body
    return answer


def codes(answer: Response) -> list[str]:
    return [task["code"]["coding"][0]["code"] for task in answer.matches]


async def test_13_whose_supervision_has_ended_has_nothing_more_of_hers_to_sign(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    story = told()
    links = [supervised("ruth", "2026-01-01", "2026-11-09"), supervised("omar", "2026-11-10")]
    story.find("PractitionerRole/maya")["extension"] = links
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, story.resources) as api:
        assert codes(await listed(api, RUTH)) == ["escalation"]  # Ana is still her own client
        assert {"note-review", "supervision-check-in"} <= set(codes(await listed(api, OMAR)))
        assert (await api.as_(OMAR).get("DocumentReference/d-ana-2")).status == 200
    databases.drop(url)


async def test_25_worklist_and_cadence(databases: Databases, migrated_template: str, tmp_path: Path) -> None:
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, told().resources) as api:
        hers = await listed(api, RUTH)
        assert codes(hers) == ["escalation", "note-review", "supervision-check-in"]
        assert hers.matches[2]["restriction"]["period"]["end"] == "2026-11-03T09:00:00.000000Z"
        assert b"maya" not in (await listed(api, OMAR)).body
        path = "Measure/note-timeliness/$evaluate-measure?periodStart=2026-11-01&periodEnd=2026-11-10"
        answer = await api.as_(RUTH).get(path)
        [signed] = [group for group in answer.json["group"] if group["code"]["coding"][0]["code"] == "signed-48h"]
        counts = {one["code"]["coding"][0]["code"]: one["count"] for one in signed["population"]}
        assert (counts, float(signed["measureScore"]["value"])) == ({"denominator": 1, "numerator": 0}, 0)
    databases.drop(url)
