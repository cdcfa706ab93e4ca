"""The chains of the audit log: whatever somebody changes in the database, the log tells."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recovery_api.store.audit_check import Found, check
from recovery_api.store.visibility import SYSTEM
from tests.api import Api, serving
from tests.audit_log import rows, tamper
from tests.callers import LEO, MAYA
from tests.databases import Databases
from tests.http.resources import observation


@pytest.fixture
async def api(databases: Databases, world_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """A server whose log holds nine records in one chain, anchored at its start and at the eighth."""
    url = databases.clone(world_template)
    async with serving(url, tmp_path) as server:
        maya = server.as_(MAYA)
        for _ in range(3):
            await maya.get("Patient/ana")
            await maya.post("Observation", observation())
        await server.as_(LEO).get("Patient/ana")
        await maya.get("Observation")
        await server.running.server.audit.anchor()
        await maya.get("Patient/ana")
        yield server
    databases.drop(url)


async def examined(api: Api) -> Found:
    key = api.running.keys.secret("audit-anchors")
    return await check(api.running.server.store, key, lambda _: None)


async def at(api: Api, place: int) -> str:
    [(id,)] = await rows(api, f"SELECT id FROM audit_link WHERE place = {place}")
    return id


async def test_a_log_that_nobody_touched_is_whole(api: Api) -> None:
    assert await examined(api) == Found(records=9, chains=1, anchors=2)


@pytest.mark.parametrize("what", ["body = (SELECT body FROM audit_record WHERE id = '{other}')", "stamp = stamp + 1"])
async def test_a_changed_record_is_found(api: Api, what: str) -> None:
    id, other = await at(api, 4), await at(api, 5)
    await tamper(api, f"UPDATE audit_record SET {what.format(other=other)} WHERE id = '{id}'")
    [told] = (await examined(api)).breaks
    assert told.endswith(f"place 4: the record {id} was changed.")


async def test_a_missing_record_is_found(api: Api) -> None:
    id = await at(api, 4)
    await tamper(api, f"DELETE FROM audit_record WHERE id = '{id}'")
    [told] = (await examined(api)).breaks
    assert told.endswith(f"place 4: the record {id} is missing.")


async def test_a_record_that_vanished_with_its_link_is_found(api: Api) -> None:
    id = await at(api, 4)
    await tamper(api, f"DELETE FROM audit_record WHERE id = '{id}'", f"DELETE FROM audit_link WHERE id = '{id}'")
    [told] = (await examined(api)).breaks
    assert told.endswith("the links from place 4 to 4 are missing.")


async def test_a_gap_that_was_closed_is_found(api: Api) -> None:
    id = await at(api, 4)
    closing = [f"UPDATE audit_link SET place = {place - 1} WHERE place = {place}" for place in range(5, 10)]
    await tamper(api, f"DELETE FROM audit_record WHERE id = '{id}'", "DELETE FROM audit_link WHERE place = 4", *closing)
    told = (await examined(api)).breaks
    assert any("place 4: the record" in line for line in told)


async def test_records_that_changed_places_are_found(api: Api) -> None:
    three, four = await at(api, 3), await at(api, 4)
    await tamper(
        api, "UPDATE audit_link SET place = -1 WHERE place = 3", "UPDATE audit_link SET place = 3 WHERE place = 4",
        "UPDATE audit_link SET place = 4 WHERE place = -1",
    )  # fmt: skip
    told = (await examined(api)).breaks
    assert [line.partition(", ")[2] for line in told][:2] == [
        f"place 3: the record {four} is not in its place.",
        f"place 4: the record {three} is not in its place.",
    ]


async def test_an_end_that_was_cut_off_before_its_anchor_is_found(api: Api) -> None:
    await tamper(api, "DELETE FROM audit_link WHERE place >= 7", "DELETE FROM audit_record WHERE id NOT IN (SELECT id FROM audit_link)")
    [told] = (await examined(api)).breaks
    assert told.endswith("the links from place 7 on are missing: it was anchored at 8.")


async def test_a_whole_chain_that_vanished_is_found(api: Api) -> None:
    await tamper(api, "DELETE FROM audit_link", "DELETE FROM audit_record")
    [told] = (await examined(api)).breaks
    assert told.endswith("the links from place 1 on are missing: it was anchored at 8.")


@pytest.mark.parametrize(
    "change", ["DELETE FROM audit_anchor WHERE sequence = 1", "UPDATE audit_anchor SET place = 7 WHERE sequence = 2"]
)
async def test_a_changed_or_missing_anchor_is_found(api: Api, change: str) -> None:
    await tamper(api, change)
    assert any("anchor" in line for line in (await examined(api)).breaks)


async def test_a_chain_that_was_made_anew_has_not_the_seal_of_the_key(api: Api) -> None:
    await tamper(api, "DELETE FROM audit_anchor")
    assert any("its start is not anchored" in line for line in (await examined(api)).breaks)
    other = await check(api.running.server.store, b"x" * 32, lambda _: None)
    assert other.breaks


async def test_a_record_that_was_slipped_into_the_past_is_found(api: Api) -> None:
    await tamper(api, "INSERT INTO audit_record (id, stamp, body) SELECT 'slipped-in', 1, body FROM audit_record LIMIT 1")
    assert (await examined(api)).breaks == ["The record slipped-in has no link."]


async def test_what_a_dead_process_left_is_adopted_and_missed_when_it_vanishes(api: Api) -> None:
    store, audit = api.running.server.store, api.running.server.audit
    async with store.writer(SYSTEM) as writer:
        [left] = await audit.keep(writer, [b'{"action":"create"}'])
    assert (await examined(api)).unlinked == 1
    await api.as_(MAYA).get("Patient/ana")
    await audit.anchor()
    assert (await examined(api)).unlinked == 1  # it may be a live one's
    api.clock.move(seconds=600)
    await api.as_(MAYA).get("Patient/ana")
    await audit.anchor()
    assert await examined(api) == Found(records=12, chains=1, anchors=4)
    await tamper(api, f"DELETE FROM audit_record WHERE id = '{left.id}'")
    [told] = (await examined(api)).breaks
    assert told.endswith(f"the record {left.id} is missing.")


async def test_a_write_that_is_rolled_back_leaves_no_record(api: Api) -> None:
    store, audit = api.running.server.store, api.running.server.audit

    async def fail() -> None:
        async with store.writer(SYSTEM) as writer:
            await audit.keep(writer, [b"{}"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await examined(api) == Found(records=9, chains=1, anchors=2)


async def test_the_chain_goes_on_when_the_clock_goes_back(api: Api) -> None:
    api.clock.move(seconds=-3600)
    await api.as_(MAYA).get("Patient/ana")
    await api.as_(MAYA).post("Observation", observation())
    await api.running.server.audit.anchor()
    assert await examined(api) == Found(records=11, chains=1, anchors=3)
