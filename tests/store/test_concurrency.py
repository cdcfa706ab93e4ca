"""Parallel writers: one wins, claims are exclusive, stamps grow, and nothing appears behind the horizon."""

import asyncio

from recovery_api.fhir.errors import Conflict, PreconditionFailed
from recovery_api.fhir.search.expression import IndexRow, Own, Row, param_number
from recovery_api.fhir.search.expression import Test as Passes
from recovery_api.store.history import HistoryQuery, read_history
from recovery_api.store.outbox import drain, settle, waiting
from recovery_api.store.records import Facets
from recovery_api.store.search import SearchQuery
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM
from tests.store.conftest import START, Clock

HERS = Facets(client="maya")


async def _create(store: Store, id_: str) -> None:
    async with store.writer(SYSTEM) as writer:
        await writer.create("Observation", id_, b"{}", HERS, ())


async def test_of_parallel_updates_of_one_version_one_wins(store: Store) -> None:
    await _create(store, "o1")

    async def update(number: int) -> bool:
        try:
            async with store.writer(SYSTEM) as writer:
                await asyncio.sleep(0)
                await writer.update("Observation", "o1", 1, str(number).encode(), HERS, ())
        except PreconditionFailed:
            return False
        return True

    assert sum(await asyncio.gather(*map(update, range(20)))) == 1
    async with store.reader(SYSTEM) as reader:
        current = await reader.read("Observation", "o1")
        assert current is not None
        assert current.version == 2
        assert (await read_history(reader, HistoryQuery(("Observation",), "o1"))).total == 2


async def test_of_parallel_creates_of_one_id_one_wins(store: Store) -> None:
    async def create(_: int) -> bool:
        try:
            await _create(store, "o1")
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*map(create, range(10)))) == 1


async def test_fifty_conditional_creates_at_once_make_one_resource(store: Store) -> None:
    wanted = SearchQuery(("Patient",), Row("Patient.identifier", (Passes("value", "=", "x"),)))

    async def create(number: int) -> bool:
        async with store.writer(SYSTEM) as writer:
            assert await writer.claim("Patient?identifier=x")
            found = await writer.search(wanted)
            if not found.records:
                row = IndexRow(param_number("Patient.identifier"), "", "x")
                await writer.create("Patient", f"p{number}", b"{}", Facets(client=f"p{number}"), [row])
            await writer.release("Patient?identifier=x")
        return not found.records

    assert sum(await asyncio.gather(*map(create, range(50)))) == 1
    async with store.reader(SYSTEM) as reader:
        assert await reader.count(wanted) == 1


async def test_a_claim_that_stays_is_refused_to_others(store: Store) -> None:
    async with store.writer(SYSTEM) as writer:
        assert await writer.claim("session of ana")
    async with store.writer(SYSTEM) as writer:
        assert not await writer.claim("session of ana")
        await writer.release("session of ana")
    async with store.writer(SYSTEM) as writer:
        assert await writer.claim("session of ana")


async def test_a_locked_resource_is_changed_by_nobody_else(store: Store) -> None:
    await _create(store, "o1")

    async def count(_: int) -> None:
        async with store.writer(SYSTEM) as writer:
            current = await writer.lock("Observation", "o1")
            assert current is not None
            await asyncio.sleep(0)
            await writer.update("Observation", "o1", current.version, b"{}", HERS, ())

    await asyncio.gather(*map(count, range(10)))
    async with store.reader(SYSTEM) as reader:
        current = await reader.read("Observation", "o1")
        assert current is not None
        assert current.version == 11


async def test_stamps_grow_although_the_clock_stands_still_or_goes_back(store: Store, clock: Clock) -> None:
    stamps: list[int] = []
    for now in (START, START, START - 5, START + 10):
        clock.now = now
        async with store.writer(SYSTEM) as writer:
            stamps.append(writer.stamp)
    assert stamps == [START, START + 1, START + 2, START + 10]


async def test_nothing_with_an_older_stamp_appears_after_the_horizon_passed_it(store: Store) -> None:
    if store.statements.dialect == "sqlite":  # its writers follow each other
        await _create(store, "o1")
        async with store.reader(SYSTEM) as reader:
            assert await reader.horizon() == START
        return
    polled = SearchQuery(("Observation",), Own("last_updated", ">", START - 1), behind_horizon=True)
    async with store.reader(SYSTEM) as reader, store.writer(SYSTEM) as slow:
        await slow.create("Observation", "slow", b"{}", HERS, ())
        await _create(store, "quick")
        assert await reader.horizon() == slow.stamp - 1
        assert (await reader.search(polled)).records == []
        assert (await read_history(reader, HistoryQuery(("Observation",)))).total == 0
        assert [record.id for record in (await reader.search(SearchQuery(("Observation",)))).records] == ["quick"]
        assert await waiting(reader, 10) == []
    async with store.reader(SYSTEM) as reader:
        assert {record.id for record in (await reader.search(polled)).records} == {"slow", "quick"}


async def test_many_writers_at_once_leave_the_horizon_at_the_last_stamp(store: Store) -> None:
    async def write(number: int) -> int:
        async with store.writer(SYSTEM) as writer:
            await writer.create("Observation", f"o{number}", b"{}", HERS, ())
            return writer.stamp

    stamps = await asyncio.gather(*map(write, range(30)))
    assert len(set(stamps)) == 30
    async with store.reader(SYSTEM) as reader:
        assert await reader.horizon() == max(stamps)


async def test_what_waits_in_the_outbox_is_settled_by_one_alone(store: Store) -> None:
    for name in ("o1", "o2", "o3"):
        await _create(store, name)
    async with store.reader(SYSTEM) as reader:
        first = await waiting(reader, 2)
        assert [event.id for event in first] == ["o1", "o2"]

    async def settled(_: int) -> bool:
        try:
            async with store.writer(SYSTEM) as worker:
                await settle(worker, first)
                await asyncio.sleep(0)
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*map(settled, range(5)))) == 1
    async with store.reader(SYSTEM) as reader:
        assert [event.id for event in await waiting(reader, 2)] == ["o3"]
        async with store.writer(SYSTEM) as worker:
            await drain(worker)
        assert await waiting(reader, 2) == []


async def test_a_snapshot_sees_one_state(store: Store) -> None:
    async with store.reader(SYSTEM, snapshot=True) as reader:
        assert await reader.count(SearchQuery(("Observation",))) == 0
        await _create(store, "o1")
        assert await reader.count(SearchQuery(("Observation",))) == 0
    async with store.reader(SYSTEM, snapshot=True) as reader:
        assert await reader.count(SearchQuery(("Observation",))) == 1
