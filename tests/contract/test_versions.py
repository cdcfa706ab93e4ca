"""Which versions the oracle shows of what has changed."""

import pytest

from tests.callers import CHEN, LEO, app
from tests.changing import changing
from tests.contract.versions import visible_versions
from tests.wider import wide
from tests.world import T0, by_id

STORY = wide()
CHANGED = changing(STORY)
WORLD = by_id(STORY.resources)
TO_CHEN = {
    "Observation/o-raised-old": [1, 3],  # the second version was a craving, which is denied
    "Observation/o-raised-mood": [],  # it is a craving now, and so it always was
    "Observation/o-raised-craving": [3],
    "Observation/o-raised-vio": [],  # HIV was raised later
    "Observation/o-raised-sex": [],  # what was once raised stays raised
    "Encounter/e-raised-dep": [1, 3],  # a session that runs stays inside
    "DocumentReference/d-raised-dep": [1, 4],  # unsigned, it had all that the episode is about
    "DocumentReference/d-raised-oud": [2],  # narrowed to substance use, then to something else
}


def test_everything_that_changes_is_told():
    assert TO_CHEN.keys() == CHANGED.keys()


@pytest.mark.parametrize("target", CHANGED)
def test_an_external_reader_sees_versions_that_are_released_by_their_own_and_the_current_labels(target: str):
    assert visible_versions(CHEN, WORLD, CHANGED[target], T0) == TO_CHEN[target]


@pytest.mark.parametrize("target", CHANGED)
def test_a_companion_sees_every_version(target: str):
    assert visible_versions(LEO, WORLD, CHANGED[target], T0) == list(range(1, len(CHANGED[target]) + 1))


def test_a_client_sees_what_was_final():
    assert visible_versions(app("raised"), WORLD, CHANGED["Observation/o-raised-craving"], T0) == [1, 3]
    assert visible_versions(app("raised"), WORLD, CHANGED["DocumentReference/d-raised-dep"], T0) == [1, 2, 4]
