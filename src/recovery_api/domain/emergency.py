"""Emergency access, and when somebody must have reviewed it (domain.md 3.5)."""
from datetime import datetime, time, timedelta

END_OF_BUSINESS = time(17)
SATURDAY = 5


def review_due(moment: datetime) -> datetime:
    """The end of the first business day after a moment: Monday to Friday, at 17:00 in the moment's own zone."""
    day = moment.date() + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return datetime.combine(day, END_OF_BUSINESS, moment.tzinfo)
