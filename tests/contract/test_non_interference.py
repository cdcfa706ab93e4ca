"""Two worlds that differ only in what a caller may not see answer that caller byte for byte alike, and with as many SQL statements."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

from tests.callers import CHEN, LEO, MAYA, WIDE_CALLERS, Caller
from tests.contract.asking import Request, ask, search
from tests.contract.direct import Direct
from tests.contract.pair_requests import requests
from tests.contract.pairs import POINTERS, Agreement, Hidden, Key, LeftOut, Mutation, Retold, clients, hidden, twins
from tests.contract.twin_worlds import TwinWorlds
from tests.wider import wide
from tests.world import T0, by_id

WORLD = wide().resources
CLIENTS = clients(WORLD)
HIDDEN = {caller.name: hidden(caller, WORLD, T0) for caller in WIDE_CALLERS.values()}
SOME_CALLERS = [
    WIDE_CALLERS[name]
    for name in ("maya", "leo", "ruth", "chen", "sys-riverbend", "sys-lakeside", "app-ana", "aunt-pointing", "lena", "sam")
]


def mutations(chance: Random, caller: Caller) -> list[Mutation]:
    """Some things done to what the caller does not see, of as many types as can be, and to what points there."""
    by_kind: dict[str, list[Key]] = {}
    for key in sorted(HIDDEN[caller.name]):
        by_kind.setdefault(key[0], []).append(key)
    seen: dict[str, list[Key]] = {}
    for key in sorted(by_id(WORLD).keys() - set(HIDDEN[caller.name])):
        seen.setdefault(key[0], []).append(key)

    def some(keys: dict[str, list[Key]], most: int) -> list[Key]:
        return [chance.choice(keys[kind]) for kind in chance.sample(sorted(keys), k=min(chance.randint(1, most), len(keys)))]

    made: list[Mutation] = [Hidden(chance.choice(("remove", "change", "twin", "label")), key) for key in some(by_kind, 4)]
    made.append(Agreement(chance.choice(("permit", "deny")), chance.choice(CLIENTS), "Organization/org-harbor"))
    pointing = {kind: keys for kind, keys in seen.items() if kind in POINTERS}
    made += [Retold(key, *some(by_kind, 1)) for key in some(pointing, 3)] if pointing else []
    made += [LeftOut(key) for key in some({"Patient": seen["Patient"]}, 1)] if "Patient" in seen else []
    return made


@pytest.mark.timeout(900)
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
    one, other, made = twins(caller, WORLD, mutations(Random(seed), caller), T0)
    assume(made)
    note(f"{caller.name}: {', '.join(map(str, made))}")
    pair = await twin_worlds.pair(one, other)
    both = by_id(one) | by_id(other)
    for request in requests([key for each in made for key in each.touched], lambda key: both[key]):
        await assert_alike(caller, request, pair, statements)


async def assert_alike(caller: Caller, request: Request, pair: tuple[Direct, Direct], statements: Callable[[], int]) -> None:
    """The answers are the same to the byte, and took as many statements."""
    answers: list[tuple[int, dict[str, str], bytes]] = []
    counts: list[int] = []
    for server in pair:
        before = statements()
        answer = await ask(server.as_(caller, but="AuditEvent"), request)  # which tell the auditor of every request, and when it came
        answers.append((answer.status, dict(answer.headers), answer.body))
        counts.append(statements() - before)
    assert answers[0] == answers[1], f"{caller.name} can tell the worlds apart by {request}"
    assert counts[0] == counts[1], f"{caller.name} can tell the worlds apart by the time of {request}"


@pytest.mark.parametrize("what", ["remove", "change", "twin"])
async def test_who_sees_the_difference_tells_the_worlds_of_a_pair_apart(what: str, twin_worlds: TwinWorlds):
    pair = await twin_worlds.pair(*Hidden(what, ("Observation", "o-ana-mood"))(WORLD, WORLD))
    told = [[(await ask(server.as_(caller), search("Observation"))).body for server in pair] for caller in (MAYA, LEO)]
    assert [one == other for one, other in told] == [False, True]


async def test_who_sees_where_something_points_tells_the_worlds_of_a_pair_apart(twin_worlds: TwinWorlds):
    points = Retold(("CarePlan", "cp-p2"), ("Condition", "cond-p2-oud"))
    pair = await twin_worlds.pair(*points(WORLD, WORLD))
    told = [(await ask(server.as_(LEO), search("CarePlan"))).body for server in pair]
    assert told[0] != told[1]
    same = [(await ask(server.as_(CHEN), search("Observation"))).body for server in pair]
    assert same[0] == same[1]
