"""A pair of worlds for the proof of non-interference differs in what is hidden, and in nothing else that the oracle knows of."""

import pytest

from tests.callers import WIDE_CALLERS, Caller
from tests.contract.pairs import Mutation, hidden, part_2, twins, view
from tests.wider import wide
from tests.world import T0, by_id

WORLD = wide().resources


@pytest.mark.parametrize("caller", WIDE_CALLERS.values(), ids=lambda caller: caller.name)
def test_a_pair_of_worlds_differs_only_in_what_is_hidden(caller: Caller):
    some = hidden(caller, WORLD, T0)[::37]
    tried = [Mutation(what, key) for what, key in zip(("remove", "change", "twin") * 2, some, strict=False)]
    other, made = twins(caller, WORLD, tried, T0)
    assert view(caller, other, T0) == view(caller, WORLD, T0)
    assert part_2(by_id(other)) == part_2(by_id(WORLD))
    assert (other != WORLD) == bool(made)


def test_a_mutation_that_would_open_a_client_is_not_made():
    dissent = Mutation("remove", ("Consent", "c-with-dissent-dissent"))
    assert dissent.target in hidden(WIDE_CALLERS["chen"], WORLD, T0)
    assert twins(WIDE_CALLERS["chen"], WORLD, [dissent], T0) == (WORLD, [])


def test_a_mutation_that_changes_the_part_2_status_is_not_made():
    diagnosis = Mutation("remove", ("Condition", "cond-dan-coc"))
    assert twins(WIDE_CALLERS["maya"], WORLD, [diagnosis], T0) == (WORLD, [])
