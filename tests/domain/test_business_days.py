"""By when an escalation must be answered."""
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from recovery_api.domain.escalations import acknowledge_by

CLOSED = frozenset({date(2026, 11, 26), date(2026, 11, 27)})


@pytest.mark.parametrize(
    ("priority", "moment", "by"),
    [
        ("stat", "2026-11-10T12:00", "2026-11-10T12:15"),
        ("urgent", "2026-11-10T23:30", "2026-11-11T00:30"),
        ("asap", "2026-11-14T12:00", "2026-11-14T16:00"),
        ("routine", "2026-11-10T12:00", "2026-11-11T17:00"),
        ("routine", "2026-11-13T18:00", "2026-11-16T17:00"),
        ("routine", "2026-11-25T09:00", "2026-11-30T17:00"),
    ],
)
def test_it_is_by_its_priority_and_by_the_days_on_which_the_agency_works(priority: str, moment: str, by: str) -> None:
    here = ZoneInfo("America/New_York")
    at, until = (datetime.fromisoformat(each).replace(tzinfo=here) for each in (moment, by))
    assert acknowledge_by(priority, at, CLOSED) == until
