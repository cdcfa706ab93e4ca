"""Duplicate persons (domain.md 5): found inside, graded, linked or asked about; the clinic that refers is told nothing."""
import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recovery_api.interactions.care.identity import screen
from tests.api import Api, Client, serving
from tests.callers import APP_ANA, CHEN, MAYA, OMAR, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, Caller
from tests.databases import Databases
from tests.http.referring import referred, status


async def known(api: Api, id: str) -> dict[str, object]:
    """What a clinic may know of one of our clients."""
    person = (await api.as_(OMAR if id in {"ben", "dan"} else RUTH).get(f"Patient/{id}")).json
    return {name: person[name] for name in ("name", "birthDate", "gender", "telecom", "address")}


async def reviews(client: Client) -> list[dict[str, object]]:
    found = await client.get("Task?code=identity-review")
    assert found.status == 200
    return found.matches


async def ours(api: Api, order: str) -> str:
    """Our own Patient whom an accepted referral led to."""
    [episode] = (await api.as_(RUTH).get(f"EpisodeOfCare?incoming-referral={order}")).matches
    return episode["patient"]["reference"]


async def test_a_person_who_is_certainly_known_is_linked_silently_when_they_are_accepted(api: Api) -> None:
    copy, order, task = await referred(api.as_(SYS_LAKESIDE), "P-1", **await known(api, "ben"))
    await screen(api.running.server)
    assert (await api.as_(RUTH).patch(task, status("accepted"))).status == 200
    assert await ours(api, order) == "Patient/ben"
    assert {"other": {"reference": copy}, "type": "seealso"} in (await api.as_(OMAR).get("Patient/ben")).json["link"]
    assert await reviews(api.as_(OMAR)) == []
    again, second, task = await referred(api.as_(SYS_LAKESIDE), "P-2", **await known(api, "ben"))
    assert again != copy
    assert (await api.as_(RUTH).patch(task, status("accepted"))).status == 200
    assert await ours(api, second) == "Patient/ben"


async def test_a_person_who_is_probably_known_is_asked_about_once_and_linked_by_the_answer(api: Api) -> None:
    ben = await known(api, "ben")
    likely = {name: ben[name] for name in ("name", "birthDate", "gender")}
    copy, order, task = await referred(api.as_(SYS_LAKESIDE), "P-3", **likely)
    omar = api.as_(OMAR)
    for _ in range(2):
        await screen(api.running.server)
    [review] = await reviews(omar)
    assert (review["for"], review["focus"]) == ({"reference": "Patient/ben"}, {"reference": task})
    assert (review["owner"], review["status"]) == ({"reference": "Practitioner/omar"}, "requested")
    assert await reviews(api.as_(RUTH)) == []
    place = f"Task/{review['id']}"
    refused = await omar.patch(place, status("completed"))
    assert (refused.status, refused.keys) == (422, {"identity-answer"})
    answer = [{"type": {"text": "answer"}, "valueCode": "same"}]
    assert (await omar.patch(place, status("completed", output=answer))).status == 200
    assert (await omar.get("Patient/ben")).json["link"] == [{"other": {"reference": copy}, "type": "seealso"}]
    assert (await api.as_(RUTH).patch(task, status("accepted"))).status == 200
    assert await ours(api, order) == "Patient/ben"


async def test_a_person_who_is_only_probably_known_becomes_a_client_of_their_own(api: Api) -> None:
    ben = await known(api, "ben")
    copy, order, task = await referred(api.as_(SYS_LAKESIDE), "P-4", name=ben["name"], birthDate=ben["birthDate"])
    assert (await api.as_(RUTH).patch(task, status("accepted"))).status == 200
    assert await ours(api, order) not in {"Patient/ben", copy}
    assert len(await reviews(api.as_(OMAR))) == 1
    await screen(api.running.server)
    assert len(await reviews(api.as_(OMAR))) == 1


async def test_match_finds_those_whom_a_case_manager_may_read_and_grades_them(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    eve = await known(shared, "eve")
    found = await ruth.post("Patient/$match", {"resourceType": "Patient", **eve})
    assert found.status == 200
    graded = {one["resource"]["id"]: one["search"]["extension"][0]["valueCode"] for one in found.json["entry"]}
    assert graded["eve"] == "certain"
    assert set(graded) == {"eve", "eve-ls"}
    scores = [one["search"]["score"] for one in found.json["entry"]]
    assert scores == sorted(scores, reverse=True)
    named = {"resourceType": "Patient", "name": eve["name"], "birthDate": eve["birthDate"]}
    asked = {"name": "resource", "resource": named}
    certain = {"resourceType": "Parameters", "parameter": [asked, {"name": "onlyCertainMatches", "valueBoolean": True}]}
    assert (await ruth.post("Patient/$match", certain)).json["total"] == 0
    most = {"resourceType": "Parameters", "parameter": [asked, {"name": "count", "valueInteger": 1}]}
    assert (await ruth.post("Patient/$match", most)).json["total"] == 1
    most["parameter"][1]["valueInteger"] = 0
    assert (await ruth.post("Patient/$match", most)).status == 400
    ben = {"resourceType": "Patient", **await known(shared, "ben")}
    assert (await ruth.post("Patient/$match", ben)).json["total"] == 0
    assert (await shared.as_(OMAR).post("Patient/$match", ben)).ids == {"ben"}


@pytest.mark.parametrize("caller", [SYS_LAKESIDE, SYS_RIVERBEND, CHEN, MAYA, APP_ANA, SAM], ids=lambda caller: caller.name)
async def test_nobody_else_may_ask_who_a_person_is(shared: Api, caller: Caller) -> None:
    assert (await shared.as_(caller).post("Patient/$match", {"resourceType": "Patient", "birthDate": "1990-04-02"})).status == 403


@pytest.fixture
async def twin(databases: Databases, world_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The same world once more."""
    url = databases.clone(world_template)
    async with serving(url, tmp_path / "twin") as server:
        yield server
    databases.drop(url)


@pytest.mark.parametrize("told", [("name", "birthDate", "gender", "telecom", "address"), ("name", "birthDate", "gender")])
async def test_a_clinic_is_answered_the_same_whether_we_know_the_person_or_not(api: Api, twin: Api, told: tuple[str, ...]) -> None:
    ben, again = await known(api, "ben"), await known(twin, "ben")
    assert ben == again
    somebody = {"name": [{"family": "Quist", "given": ["Zoe"]}], "birthDate": "1979-01-09", "gender": "female"}
    somebody |= {"telecom": [{"system": "phone", "value": "+1-555-9999"}], "address": [{"city": "Elsewhere", "postalCode": "10001"}]}
    heard: list[list[tuple[int, bytes]]] = []
    asked: list[list[str]] = []
    for world, person in ((api, ben), (twin, somebody)):
        lakeside, ruth = world.as_(SYS_LAKESIDE), world.as_(RUTH)
        await referred(lakeside, "P-8")
        await ruth.get("Task")
        with world.statements() as statements:
            copy, order, task = await referred(lakeside, "P-9", **{name: person[name] for name in told})
        asked.append([one.sql for one in statements])
        await screen(world.running.server)
        paths = (task, order, copy, f"{task}/_history", f"{order}/_history", "Task", "ServiceRequest", "Patient?_id=ben")
        answers = [await lakeside.get(path) for path in paths]
        assert (await ruth.patch(task, status("accepted"))).status == 200
        answers += [await lakeside.get(path) for path in (*paths, "Task?status=accepted")]
        heard.append([(answer.status, _undated(answer.body)) for answer in answers])
    assert asked[0] == asked[1]
    assert heard[0] == heard[1]


def _undated(body: bytes) -> bytes:
    """The answer without the ids of Bundles, and without microseconds: in a test both count what was done before."""
    return re.sub(rb'"id":"019e[^"]*","meta":\{"lastUpdated"|\.\d{6}Z', b"", body)


async def test_rounds_at_the_same_time_ask_once(api: Api) -> None:
    ben = await known(api, "ben")
    await referred(api.as_(SYS_LAKESIDE), "P-5", name=ben["name"], birthDate=ben["birthDate"])
    await asyncio.gather(*(screen(api.running.server) for _ in range(8)))
    assert len(await reviews(api.as_(OMAR))) == 1
