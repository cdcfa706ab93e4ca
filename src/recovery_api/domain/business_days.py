"""When the agency works: Monday to Friday until 17:00, save on holidays (domain.md 2.4)."""
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta

END_OF_BUSINESS = time(17)
SATURDAY = 5


def end_of_next(moment: datetime, holidays: AbstractSet[date] = frozenset()) -> datetime:
    """The end of the first business day after the day of a moment, in the moment's own zone."""
    day = moment.date() + timedelta(days=1)
    while day.weekday() >= SATURDAY or day in holidays:
        day += timedelta(days=1)
    return datetime.combine(day, END_OF_BUSINESS, moment.tzinfo)
