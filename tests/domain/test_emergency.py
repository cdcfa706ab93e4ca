"""When an emergency access must have been reviewed."""
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from recovery_api.domain.emergency import review_due

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        ("2026-11-10T12:00", "2026-11-11T17:00"),
        ("2026-11-10T23:59", "2026-11-11T17:00"),
        ("2026-11-12T00:00", "2026-11-13T17:00"),
        ("2026-11-13T09:00", "2026-11-16T17:00"),
        ("2026-11-14T09:00", "2026-11-16T17:00"),
        ("2026-11-15T09:00", "2026-11-16T17:00"),
        ("2026-10-30T12:00", "2026-11-02T17:00"),
    ],
)
def test_it_is_the_end_of_the_next_business_day_where_the_agency_is(moment: str, due: str) -> None:
    opened = datetime.fromisoformat(moment).replace(tzinfo=NEW_YORK)
    assert review_due(opened) == datetime.fromisoformat(due).replace(tzinfo=NEW_YORK)


def test_the_hour_is_local_on_both_sides_of_a_change_of_clocks() -> None:
    assert review_due(datetime(2026, 10, 30, 12, tzinfo=NEW_YORK)).isoformat() == "2026-11-02T17:00:00-05:00"
