"""What is written is there, in versions, and optimistic concurrency holds."""

import pytest

from recovery_api.fhir.errors import Conflict, PreconditionFailed
from recovery_api.fhir.search.expression import IndexRow, Own, Row, both, param_number
from recovery_api.fhir.search.expression import Test as Passes
from recovery_api.store.records import Facets
from recovery_api.store.search import SearchQuery
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM

HERS = Facets(client="maya", kind="", released=True, parties=(("performer", "Practitioner/ana"),))


def token(param: str, code: str, system: str = "s") -> IndexRow:
    return IndexRow(param_number(param), system, code)


async def test_a_created_resource_is_read_and_found_by_its_token(store: Store) -> None:
    async with store.writer(SYSTEM, creator="Practitioner/ana") as writer:
        made = await writer.create("Observation", "o1", b"{}", HERS, [token("Observation.code", "a"), token("Observation.status", "final")])
        assert await writer.read("Observation", "o1") == made
    async with store.reader(SYSTEM) as reader:
        assert await reader.read("Observation", "o1") == made
        assert await reader.read("Patient", "o1") is None
        code = Row("Observation.code", (Passes("system", "=", "s"), Passes("value", "=", "a")))
        page = await reader.search(SearchQuery(("Observation",), both(Own("client", "=", "maya"), code)))
        assert page.records == [made]
        assert page.total == 1


async def test_an_update_replaces_the_rows_and_keeps_the_old_version(store: Store) -> None:
    async with store.writer(SYSTEM) as writer:
        first = await writer.create("Observation", "o1", b"1", HERS, [token("Observation.code", "a")])
    async with store.writer(SYSTEM) as writer:
        second = await writer.update("Observation", "o1", 1, b"2", HERS, [token("Observation.code", "b")])
        assert second.last_updated > first.last_updated
    async with store.reader(SYSTEM) as reader:
        assert await reader.vread("Observation", "o1", 1) == first
        assert await reader.vread("Observation", "o1", 2) == second
        for code, found in (("a", []), ("b", [second])):
            query = SearchQuery(("Observation",), Row("Observation.code", (Passes("value", "=", code),)))
            assert (await reader.search(query)).records == found


async def test_a_stale_update_changes_nothing(store: Store) -> None:
    async with store.writer(SYSTEM) as writer:
        first = await writer.create("Observation", "o1", b"1", HERS, [token("Observation.code", "a")])
    with pytest.raises(PreconditionFailed):
        async with store.writer(SYSTEM) as writer:
            await writer.update("Observation", "o1", 2, b"2", HERS, [token("Observation.code", "b")])
    async with store.reader(SYSTEM) as reader:
        assert await reader.read("Observation", "o1") == first
        assert await reader.count(SearchQuery(("Observation",), Row("Observation.code", (Passes("value", "=", "a"),)))) == 1


async def test_an_id_is_taken_once(store: Store) -> None:
    async with store.writer(SYSTEM) as writer:
        await writer.create("Observation", "o1", b"1", HERS, ())
        with pytest.raises(Conflict):
            await writer.create("Observation", "o1", b"1", HERS, ())


async def test_a_deleted_resource_leaves_its_versions(store: Store) -> None:
    async with store.writer(SYSTEM) as writer:
        first = await writer.create("Observation", "o1", b"1", HERS, [token("Observation.code", "a")])
    async with store.writer(SYSTEM) as writer:
        assert await writer.delete("Observation", "o1", 1) == 2
    async with store.reader(SYSTEM) as reader:
        assert await reader.read("Observation", "o1") is None
        assert await reader.vread("Observation", "o1", 1) == first
        gone = await reader.deleted("Observation", "o1")
        assert gone is not None
        assert (gone.version, gone.method, gone.client, gone.body) == (2, "DELETE", "maya", None)
        assert (await reader.search(SearchQuery(("Observation",)))).records == []


async def test_an_error_rolls_everything_back(store: Store) -> None:
    async def fail() -> None:
        async with store.writer(SYSTEM) as writer:
            await writer.create("Observation", "o1", b"1", HERS, ())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with store.reader(SYSTEM) as reader:
        assert await reader.read("Observation", "o1") is None
