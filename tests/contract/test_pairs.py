"""A pair of worlds for the proof of non-interference differs in what is hidden, and in nothing else that the oracle knows of."""

import pytest

from tests.callers import CHEN, LEO, MAYA, RUTH, WIDE_CALLERS, Caller
from tests.contract.pairs import Agreement, Hidden, LeftOut, Mutation, Retold, hidden, part_2, twins, view
from tests.wider import wide
from tests.world import T0, by_id

WORLD = wide().resources


@pytest.mark.parametrize("caller", WIDE_CALLERS.values(), ids=lambda caller: caller.name)
def test_a_pair_of_worlds_differs_only_in_what_is_hidden(caller: Caller):
    some = hidden(caller, WORLD, T0)[::97]
    tried: list[Mutation] = [Hidden(what, key) for what, key in zip(("remove", "change", "twin", "label") * 2, some, strict=False)]
    one, other, made = twins(caller, WORLD, tried, T0)
    assert view(caller, other, T0) == view(caller, one, T0)
    assert part_2(by_id(other)) == part_2(by_id(one))
    assert (other != one) == bool(made)


@pytest.mark.parametrize(
    ("caller", "mutation"),
    [
        (CHEN, Hidden("label", ("Condition", "cond-p2-oud"))),
        (CHEN, Agreement("deny", "Patient/p2", "Organization/org-harbor")),
        (CHEN, Retold(("CarePlan", "cp-p2"), ("Condition", "cond-p2-oud"))),
        (CHEN, Retold(("DocumentReference", "d-p2-dep"), ("DocumentReference", "d-p2-own"))),
        (CHEN, Retold(("Encounter", "e-pointing-oud"), ("Condition", "cond-pointing-oud"))),
        (MAYA, LeftOut(("Patient", "eve"))),
    ],
    ids=str,
)
def test_references_labels_numbers_and_consents_that_are_hidden_make_a_pair(caller: Caller, mutation: Mutation):
    one, other, made = twins(caller, WORLD, [mutation], T0)
    assert made == [mutation]
    assert by_id(one) != by_id(other)


@pytest.mark.parametrize(
    ("caller", "mutation"),
    [
        (CHEN, Hidden("remove", ("Consent", "c-with-dissent-dissent"))),  # it would open a client
        (CHEN, Hidden("label", ("Condition", "cond-pointing-dep"))),  # the session for it would have the label, and be seen with it
        (MAYA, Hidden("remove", ("Condition", "cond-dan-coc"))),  # it changes the Part 2 status
        (LEO, Agreement("deny", "Patient/p2", "Organization/org-harbor")),  # the care team sees it
        (CHEN, Agreement("deny", "Patient/p2", "Organization/org-riverbend")),
        (LEO, Retold(("CarePlan", "cp-p2"), ("Condition", "cond-p2-oud"))),
        (CHEN, Retold(("Encounter", "e-p2-dep"), ("Condition", "cond-p2-oud"))),  # labels travel
        (RUTH, LeftOut(("Patient", "eve"))),
    ],
    ids=str,
)
def test_what_the_caller_would_see_is_not_made(caller: Caller, mutation: Mutation):
    assert twins(caller, WORLD, [mutation], T0) == (WORLD, WORLD, [])


def test_a_thing_told_anew_is_told_in_both_worlds():
    one, other, _ = twins(CHEN, WORLD, [Retold(("CarePlan", "cp-p2"), ("Condition", "cond-p2-oud"))], T0)
    told = [by_id(world)["CarePlan", "cp-p2"] for world in (one, other)]
    assert [each["language"] for each in told] == ["fr", "fr"]
    assert len(told[1]["addresses"]) == len(told[0]["addresses"]) + 1
