"""Pages of a search (https://hl7.org/fhir/R4/search.html#count): links that hold all they need, for one caller and one address."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from recovery_api.demo.world import fixture
from tests.api import Api, Client, Response, serving
from tests.callers import CHEN, MAYA, RUTH
from tests.http.resources import observation
from tests.http.test_read import created

SEARCHES = {
    "by id": "Observation?_count=2",
    "sorted": "Observation?_sort=-date,status&_count=3",
    "by last update": "Observation?_sort=_lastUpdated&_count=3",
    "by a value that most lack": "Observation?_sort=encounter&_count=4",
    "of the system": "?_type=Observation,Encounter&_count=3",
    "of everything": "?_lastUpdated=gt2000-01-01&_count=7",
    "in a compartment": "Patient/yan/Observation?_count=2",
    "in a whole compartment": "Patient/yan/*?_count=2",
    "along a chain": "Observation?patient.birthdate=1990-04&_sort=-date&_count=2",
}


def references(pages: list[Response]) -> list[str]:
    return [f"{match['resourceType']}/{match['id']}" for page in pages for match in page.matches]


@pytest.mark.parametrize("search", SEARCHES)
async def test_the_pages_of_a_search_hold_what_one_page_would_hold_in_the_same_order(ruth: Client, search: str) -> None:
    pages = await ruth.pages(SEARCHES[search])
    whole = await ruth.get(SEARCHES[search].rpartition("_count=")[0] + "_count=1000")
    assert len(pages) > 2
    assert {page.status for page in pages} == {200}
    assert references(pages) == references([whole])
    assert len(set(references(pages))) == whole.json["total"]
    assert {len(page.matches) for page in pages[:-1]} == {int(SEARCHES[search].rpartition("=")[2])}


async def test_a_page_link_carries_all_of_the_search(ruth: Client) -> None:
    """What is included, which elements, what was ignored, how the answer looks: nothing is asked of the caller again."""
    asked = "Observation?patient=yan&_count=2&_sort=date&_include=Observation:patient&_elements=status&nmae=x&_total=accurate"
    pages = [await ruth.get(f"{asked}&_format=json&_pretty=true", headers={"prefer": "handling=lenient"})]
    while following := pages[-1].link("next"):
        assert set(parse_qs(urlsplit(following).query)) == {"_page", "_format", "_pretty"}
        pages.append(await ruth.get(following, headers={"accept": "text/html"}))
    assert len(pages) == 4
    for page in pages:
        assert page.json["total"] == 7
        assert [each["id"] for each in page.included] == ["yan"]
        assert all("effectiveDateTime" not in match for match in page.matches)
        assert [entry["search"]["mode"] for entry in page.json["entry"]].count("outcome") == 1
        assert page.body.startswith(b"{\n")
        assert "patient=yan" in (page.link("self") or "")


@pytest.mark.parametrize("start", ["Observation?patient=yan&_count=2", "_history?_count=2"])
async def test_the_size_of_a_page_may_be_said_anew_beside_its_link(ruth: Client, start: str) -> None:
    first = await ruth.get(start)
    second = await ruth.get(f"{first.link('next')}&_count=3")
    third = await ruth.get(second.link("next") or "")
    assert [len(page.json["entry"]) for page in (first, second)] == [2, 3]
    assert len(third.json["entry"]) in {2, 3}  # the last of seven, or three more
    assert "_count=3" in (second.link("self") or "")
    for wrong in ("_count=x", "_count=3&_count=4"):
        assert (await ruth.get(f"{first.link('next')}&{wrong}")).status == 400


async def next_of(client: Client, path: str) -> str:
    answer = await client.get(path)
    link = answer.link("next")
    assert link is not None, answer.body
    return link


@pytest.mark.parametrize("kind", ["changed", "cut", "made up", "empty", "another's", "with more"])
async def test_a_page_link_that_was_changed_or_is_anothers_is_refused(searched: Api, kind: str) -> None:
    ruth = searched.as_(RUTH)
    link = await next_of(ruth, "Observation?_count=2")
    base, _, sealed = link.partition("_page=")
    middle = len(sealed) // 2
    changed = {
        "changed": base + "_page=" + sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :],
        "cut": link[:-4],
        "made up": base + "_page=WzEsMl0",
        "empty": base + "_page=",
        "another's": link,
        "with more": link + "&code=mood",
    }[kind]
    refused = await (searched.as_(MAYA) if kind == "another's" else ruth).get(changed)
    assert (refused.status, refused.issue[0]) == (400, "error")
    assert "_page" in refused.json["issue"][0]["diagnostics"]


ADDRESSES = ("Observation", "Patient/yan/Observation", "", "Observation/_history", "_history")
ELSEWHERE = ("Encounter", "Patient", "Patient/zoe/Observation", "Patient/yan/*", "Observation/q-gram/_history")


@pytest.mark.parametrize("start", ADDRESSES)
async def test_a_page_link_belongs_to_its_address(ruth: Client, start: str) -> None:
    sealed = parse_qs(urlsplit(await next_of(ruth, f"{start}?_count=2")).query)["_page"][0]
    for address in (*ADDRESSES, *ELSEWHERE):
        answer = await ruth.get(address, _page=sealed)
        assert answer.status == (200 if address == start else 400), (address, answer.body)


async def test_a_page_link_of_a_posted_search_is_followed_by_get(ruth: Client) -> None:
    first = await ruth.form("Observation/_search", patient="yan", _count="4")
    second = await ruth.get(first.link("next") or "")
    assert (len(first.matches), len(second.matches), second.link("next")) == (4, 3, None)


# While others write ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def moods(api: Api) -> list[str]:
    """Ten Observations of Ana's, by Maya."""
    maya = api.as_(MAYA)
    made = [await created(maya, observation(value=n % 5, effectiveDateTime=f"2025-11-{n:02}")) for n in range(1, 11)]
    return [each.partition("/")[2] for each in made]


@pytest.mark.parametrize("order", ["", "&_sort=date", "&_sort=-date", "&_sort=status,-date", "&_sort=_id"])
async def test_pages_neither_lose_nor_repeat_while_others_write(api: Api, moods: list[str], order: str) -> None:
    """L22."""
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    pages = [await ruth.get(f"Observation?patient=ana&code=mood&date=lt2026&_count=3{order}")]
    while following := pages[-1].link("next"):
        n = len(pages)
        await created(maya, observation(effectiveDateTime=f"2025-11-0{n}T12:00:00Z"))
        seen, unseen = pages[0].matches[0]["id"], next(each for each in moods if f"Observation/{each}" not in references(pages))
        for id in (seen, unseen):
            current = (await maya.get(f"Observation/{id}")).json
            assert (await maya.put(f"Observation/{id}", current | {"note": [{"text": f"Page {n}"}]})).status == 200
        pages.append(await ruth.get(following))
    assert sorted(references(pages)) == sorted(f"Observation/{each}" for each in moods)


async def test_what_is_deleted_meanwhile_is_not_on_a_later_page_and_nothing_else_is_missed(api: Api, moods: list[str]) -> None:
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    first = await ruth.get("Observation?patient=ana&code=mood&date=lt2026&_count=3&_sort=date")
    for gone in (moods[2], moods[5]):  # the last of this page, and one of a later page
        assert (await maya.delete(f"Observation/{gone}")).status == 204
    pages = [first]
    while following := pages[-1].link("next"):
        pages.append(await ruth.get(following))
    assert references(pages) == [f"Observation/{each}" for each in moods if each != moods[5]]


async def test_a_page_shows_what_may_be_seen_when_it_is_asked_for(api: Api) -> None:
    """A link is no right: whose care team period has ended gets an empty page."""
    chen, ruth = api.as_(CHEN), api.as_(RUTH)
    link = await next_of(chen, "Observation?patient=ana&_count=1")
    team = (await ruth.get("CareTeam/ct-ana")).json
    team["participant"] = [each for each in team["participant"] if each["member"]["reference"] != "Practitioner/chen"]
    assert (await ruth.put("CareTeam/ct-ana", team)).status == 200
    assert (await chen.get(link)).matches == []


async def test_a_page_link_outlives_a_restart_of_the_server(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, fixture()) as before:
        link = await next_of(before.as_(RUTH), "Observation?_count=2")
        expected = references([await before.as_(RUTH).get(link)])
    async with serving(database_url, tmp_path) as after:
        assert references([await after.as_(RUTH).get(link)]) == expected != []
