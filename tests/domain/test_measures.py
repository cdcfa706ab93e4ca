"""Rates of promises, as a table (domain.md 7)."""
import pytest

from recovery_api.domain.measures import Promise, Rate, groups, hours, rate
from recovery_api.fhir.shipped import shipped
from recovery_api.operations.evaluate_measure import PROMISES

NOW = 100


@pytest.mark.parametrize(
    ("promise", "expected"),
    [
        (Promise(10, 20, 19), Rate(1, 1)),
        (Promise(10, 20, 20), Rate(1, 1)),
        (Promise(10, 20, 21), Rate(0, 1)),
        (Promise(10, 20, None), Rate(0, 1)),
        (Promise(10, NOW, None), Rate(0, 1)),
        (Promise(10, NOW + 1, None), Rate(0, 0)),
        (Promise(10, NOW + 1, 30), Rate(1, 1)),
        (Promise(9, 20, 19), Rate(0, 0)),
        (Promise(50, 60, 59), Rate(0, 0)),
        (Promise(49, 60, 59), Rate(1, 1)),
    ],
)
def test_what_was_promised_in_the_period_counts_when_its_time_has_come_or_it_is_kept(promise: Promise, expected: Rate) -> None:
    assert rate([promise], (10, 50), NOW) == expected


def test_every_group_of_every_measure_is_computed() -> None:
    found = {group: hours(measure, group) // 3_600_000_000 for measure in shipped("Measure") for group in groups(measure)}
    assert found == {"check-in-in-time": 0, "contact-24h": 24, "submitted-24h": 24, "signed-48h": 48}
    assert sorted(found) == sorted(PROMISES)
