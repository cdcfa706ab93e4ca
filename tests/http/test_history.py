"""history of an instance, a type and the system (https://hl7.org/fhir/R4/http.html#history)."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.api import Api, Client, Response
from tests.callers import KIM, LEO, MAYA, RUTH
from tests.http.resources import observation
from tests.http.test_read import created

NOON, STEP = "2026-11-10T12:", 60


@dataclass(frozen=True)
class Told:
    """A mood of Ana's, written at 12:01, changed at 12:02 and 12:03; and one that was written at 12:04 and deleted at 12:05."""

    api: Api
    changed: str
    deleted: str

    @property
    def maya(self) -> Client:
        return self.api.as_(MAYA)


@pytest.fixture(scope="module")
async def told(shared: Api) -> Told:
    maya = shared.as_(MAYA)
    shared.clock.move(seconds=STEP)
    changed = await created(maya, observation(value=1))
    for value in (2, 3):
        shared.clock.move(seconds=STEP)
        assert (await maya.put(changed, observation(value=value) | {"id": changed.partition("/")[2]})).status == 200
    shared.clock.move(seconds=STEP)
    deleted = await created(maya, observation(value=9))
    shared.clock.move(seconds=STEP)
    assert (await maya.delete(deleted)).status == 204
    return Told(shared, changed, deleted)


def entries(answers: Response | Sequence[Response]) -> list[tuple[str, str]]:
    """Method and etag of each entry, in order."""
    pages = [answers] if isinstance(answers, Response) else answers
    return [(entry["request"]["method"], entry["response"]["etag"]) for page in pages for entry in page.json.get("entry", ())]


CHANGES = [("PUT", 'W/"3"'), ("PUT", 'W/"2"'), ("POST", 'W/"1"')]


async def test_the_history_of_an_instance_tells_every_version_and_how_it_came_newest_first(told: Told) -> None:
    answer = await told.maya.get(f"{told.changed}/_history")
    assert (answer.status, answer.json["type"], answer.json["total"], entries(answer)) == (200, "history", 3, CHANGES)
    assert [entry["resource"]["valueInteger"] for entry in answer.json["entry"]] == [3, 2, 1]
    newest, _, first = answer.json["entry"]
    assert newest["fullUrl"] == f"http://127.0.0.1:8000/fhir/{told.changed}"
    assert newest["request"] == {"method": "PUT", "url": told.changed}
    assert first["request"] == {"method": "POST", "url": "Observation"}
    assert [newest["response"]["status"][:3], first["response"]["status"][:3]] == ["200", "201"]
    assert newest["response"]["lastModified"].startswith(f"{NOON}03:00")
    for entry in answer.json["entry"]:
        version = await told.maya.get(f"{told.changed}/_history/{entry['resource']['meta']['versionId']}")
        assert version.json == entry["resource"]


async def test_a_deletion_is_an_entry_without_a_resource(told: Told) -> None:
    answer = await told.maya.get(f"{told.deleted}/_history")
    assert entries(answer) == [("DELETE", 'W/"2"'), ("POST", 'W/"1"')]
    assert "resource" not in answer.json["entry"][0]
    assert answer.json["entry"][0]["request"]["url"] == told.deleted


async def test_the_histories_of_a_type_and_of_the_system_tell_what_happened_to_all(told: Told) -> None:
    """L09: history of a type."""
    happened = [("DELETE", 'W/"2"'), ("POST", 'W/"1"'), *CHANGES]
    for path in ("Observation/_history", "_history"):
        answer = await told.maya.get(path, _since=f"{NOON}00:30Z")
        assert (answer.status, answer.json["total"], entries(answer)) == (200, 5, happened)
    everything = await told.maya.get("_history", _count=1000)
    assert {entry["fullUrl"].split("/")[-2] for entry in everything.json["entry"]} > {"Observation", "Patient", "Practitioner"}


WINDOWS = {
    f"_since={NOON}02:00Z": CHANGES[:2],
    f"_since={NOON}02:00.000001Z": CHANGES[:1],
    f"_since={NOON}02:30Z": CHANGES[:1],
    "_since=2026-11-10T13:03:00%2B01:00": CHANGES[:1],
    "_since=2026-11-10T13:03:00+01:00": CHANGES[:1],
    "_since=2030-01-01T00:00:00Z": [],
    f"_at={NOON}01:30Z": CHANGES[2:],
    f"_at={NOON}02:30Z": CHANGES[1:2],
    f"_at={NOON}02Z": CHANGES[1:2],
    f"_at={NOON}01Z": CHANGES[2:],
    "_at=2026-11-10": CHANGES,
    "_at=2026-11-09": [],
    "_at=2027": CHANGES[:1],
    f"_at=2026-11&_since={NOON}03:00Z": CHANGES[:1],
}


@pytest.mark.parametrize("window", WINDOWS)
async def test_a_history_is_narrowed_to_what_was_written_since_or_held_at_a_time(told: Told, window: str) -> None:
    answer = await told.maya.get(f"{told.changed}/_history?{window}")
    assert (answer.status, entries(answer)) == (200, WINDOWS[window])
    assert answer.json["total"] == len(WINDOWS[window])


@pytest.mark.parametrize(("path", "count"), [("", 2), ("Observation/_history", 7), ("_history", 50)])
async def test_the_pages_of_a_history_hold_what_one_page_would_hold(told: Told, path: str, count: int) -> None:
    path = path or f"{told.changed}/_history"
    pages = await told.maya.pages(path, _count=count)
    [whole] = await told.maya.pages(path, _count=1000)
    assert len(pages) > 1
    assert entries(pages) == entries(whole)
    assert {page.json["total"] for page in pages} == {len(entries(whole))}
    assert all(page.link("self") == f"http://127.0.0.1:8000/fhir/{path}?_count={count}" for page in pages)


async def test_a_page_of_a_history_keeps_its_window_and_is_not_moved_by_writes(api: Api) -> None:
    maya = api.as_(MAYA)
    api.clock.move(seconds=STEP)
    mood = await created(maya, observation(value=0))
    for value in range(1, 6):
        assert (await maya.put(mood, observation(value=value) | {"id": mood.partition("/")[2]})).status == 200
    pages = [await maya.get("Observation/_history", _count=2, _since=f"{NOON}00:30Z")]
    while following := pages[-1].link("next"):
        assert (await maya.put(mood, observation(value=8 + len(pages) % 2) | {"id": mood.partition("/")[2]})).status == 200
        pages.append(await maya.get(following))
    assert [entry["resource"]["valueInteger"] for page in pages for entry in page.json["entry"]] == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    "asked",
    [
        "_count=many", "_count=-1", "_count=", "_count=1&_count=2", "_since=2026-11-10", "_since=yesterday", "_since=", "_at=soon",
        f"_since={NOON}00:00Z&_since={NOON}01:00Z", "code=mood", "_sort=_lastUpdated", "_summary=count", "_id=x", "_page=x", "_page=",
    ],
)  # fmt: skip
async def test_what_a_history_does_not_take_is_refused_with_its_name(told: Told, asked: str) -> None:
    for path in (f"{told.changed}/_history", "Observation/_history", "_history"):
        refused = await told.maya.get(f"{path}?{asked}")
        assert (refused.status, refused.issue[0]) == (400, "error")
        assert asked.partition("=")[0] in refused.json["issue"][0]["diagnostics"]


async def test_a_page_of_a_history_has_twenty_entries_or_as_many_as_are_asked_up_to_a_thousand(told: Told) -> None:
    assert len(entries(await told.maya.get("_history"))) == 20
    lowered = await told.maya.get("_history", _count=5000)
    assert lowered.link("self") == "http://127.0.0.1:8000/fhir/_history?_count=1000"
    counted = await told.maya.get(f"{told.changed}/_history", _count=0)
    assert (counted.json["total"], entries(counted), counted.link("next")) == (3, [], None)


async def test_the_history_of_what_is_hidden_is_that_of_what_never_was(told: Told) -> None:
    leo = told.api.as_(LEO)
    hidden, absent = await leo.get(f"{told.changed}/_history"), await leo.get("Observation/absent/_history")
    assert (hidden.status, hidden.body) == (absent.status, absent.body) == (404, absent.body)
    for path in ("Observation/_history", "_history"):
        assert entries(await leo.get(path, _since=f"{NOON}00:30Z")) == []


async def test_a_history_needs_the_right_to_what_it_tells_of(told: Told) -> None:
    kim, ruth = told.api.as_(KIM), told.api.as_(RUTH)
    assert (await kim.get("Observation/_history")).status == 403
    assert (await kim.get("_history", _since=f"{NOON}00:30Z")).json["total"] == 0
    assert entries(await ruth.get(f"{told.changed}/_history")) == CHANGES
