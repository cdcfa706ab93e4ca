"""Two worlds that differ only in what a caller may not see answer that caller byte for byte alike, and with as many SQL statements."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

from tests.callers import LEO, MAYA, WIDE_CALLERS, Caller
from tests.contract.asking import Request, ask, search
from tests.contract.direct import Direct
from tests.contract.pairs import Mutation, hidden, requests, twins
from tests.contract.twin_worlds import TwinWorlds
from tests.wider import wide
from tests.world import T0, by_id

WORLD = wide().resources
HIDDEN = {caller.name: hidden(caller, WORLD, T0) for caller in WIDE_CALLERS.values()}
SOME_CALLERS = [WIDE_CALLERS[name] for name in ("maya", "leo", "ruth", "chen", "sys-riverbend", "sys-lakeside", "app-ana", "lena", "sam")]


def mutations(chance: Random, caller: Caller) -> list[Mutation]:
    """One to five things done to resources that the caller does not see, of as many types as can be."""
    by_kind: dict[str, list[tuple[str, str]]] = {}
    for key in sorted(HIDDEN[caller.name]):
        by_kind.setdefault(key[0], []).append(key)
    kinds = chance.sample(sorted(by_kind), k=min(chance.randint(1, 5), len(by_kind)))
    return [Mutation(chance.choice(("remove", "change", "twin")), chance.choice(by_kind[kind])) for kind in kinds]


@pytest.mark.parametrize("caller", SOME_CALLERS, ids=lambda caller: caller.name)
@settings(
    max_examples=4,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(seed=st.integers(0, 2**32))
async def test_what_a_caller_may_not_see_changes_no_answer(
    caller: Caller, seed: int, twin_worlds: TwinWorlds, statements: Callable[[], int]
):
    other_world, made = twins(caller, WORLD, mutations(Random(seed), caller), T0)
    assume(made)
    note(f"{caller.name}: {', '.join(map(str, made))}")
    pair = await twin_worlds.pair(other_world)
    both = by_id(other_world) | by_id(WORLD)
    for request in requests([each.touched for each in made], lambda key: both[key]):
        await assert_alike(caller, request, pair, statements)


async def assert_alike(caller: Caller, request: Request, pair: tuple[Direct, Direct], statements: Callable[[], int]) -> None:
    answers: list[tuple[int, dict[str, str], bytes, int]] = []
    for server in pair:
        before = statements()
        answer = await ask(server.as_(caller, but="AuditEvent"), request)  # which tell the auditor of every request, and when it came
        answers.append((answer.status, dict(answer.headers), answer.body, statements() - before))
    assert answers[0] == answers[1], f"{caller.name} can tell the worlds apart by {request}"


@pytest.mark.parametrize("what", ["remove", "change", "twin"])
async def test_who_sees_the_difference_tells_the_worlds_of_a_pair_apart(what: str, twin_worlds: TwinWorlds):
    pair = await twin_worlds.pair(Mutation(what, ("Observation", "o-ana-mood"))(WORLD))
    told = [[(await ask(server.as_(caller), search("Observation"))).body for server in pair] for caller in (MAYA, LEO)]
    assert [one == other for one, other in told] == [False, True]
