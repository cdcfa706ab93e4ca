"""The authorization server's ledger: entries end by the clock, and of two who do the same, one comes second."""
import asyncio
from collections.abc import AsyncIterator

import pytest

from recovery_api.fhir.search.parameters import ParameterTable
from recovery_api.store.ledger import Ledger
from recovery_api.store.statements import Statements
from recovery_api.store.unit import connect
from tests.api import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(database_url: str, clock: Clock) -> AsyncIterator[Ledger]:
    engine = await connect(database_url)
    yield Ledger(engine, Statements(engine.dialect, ParameterTable([])), clock)
    await engine.close()


async def test_an_entry_is_there_until_it_expires(ledger: Ledger, clock: Clock) -> None:
    assert await ledger.add("code", "a", b"said", owner="g", expires=clock() + 1_000_000)
    found = await ledger.find("code", "a")
    assert found
    assert (found.key, found.owner, found.used, found.content) == ("a", "g", None, b"said")
    assert await ledger.find("other", "a") is None
    clock.move(seconds=1)
    assert await ledger.find("code", "a") is None
    assert await ledger.entries("code") == []
    assert await ledger.use("code", "a") is None
    assert not await ledger.drop("code", "a")
    assert await ledger.add("code", "a", b"again")
    await ledger.prune()
    assert (await ledger.entries("code"))[0].content == b"again"


async def test_a_key_is_taken_once(ledger: Ledger) -> None:
    taken = await asyncio.gather(*(ledger.add("assertion", "jti") for _ in range(5)))
    assert sorted(taken) == [False] * 4 + [True]


async def test_one_of_many_uses_is_the_first(ledger: Ledger) -> None:
    await ledger.add("code", "a")
    uses = await asyncio.gather(*(ledger.use("code", "a") for _ in range(5)))
    assert sorted(use is not None and use.used is None for use in uses) == [False] * 4 + [True]


async def test_entries_are_found_and_forgotten_by_their_owner(ledger: Ledger) -> None:
    for key, owner in (("b", "maya"), ("a", "maya"), ("c", "leo")):
        await ledger.add("session", key, owner=owner)
    assert [entry.key for entry in await ledger.entries("session")] == ["a", "b", "c"]
    assert [entry.key for entry in await ledger.entries_of("session", "maya")] == ["a", "b"]
    assert await ledger.drop("session", "a")
    await ledger.drop_of("session", "leo")
    assert [entry.key for entry in await ledger.entries("session")] == ["b"]


async def test_content_is_replaced_only_where_it_is_still_what_it_was(ledger: Ledger) -> None:
    await ledger.add("account", "maya", b"1")
    assert await ledger.replace("account", "maya", b"2", was=b"1")
    assert not await ledger.replace("account", "maya", b"3", was=b"1")
    assert (await ledger.entries("account"))[0].content == b"2"
