"""Dates and times as ranges of microseconds since the epoch, low inclusive and high exclusive.

A partial date covers all of its year, month or day, a time its whole second or fraction (https://hl7.org/fhir/R4/search.html#date).
"""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from recovery_api.fhir.instants import DAY, MINUTE, SECOND

_FORM = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,12}))?)?(Z|[+-](?:0\d|1[0-4]):[0-5]\d)?)?)?)?", re.ASCII
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST = date(9999, 12, 31).toordinal()


class Range(NamedTuple):
    """Microseconds since the epoch: `low` inclusive, `high` exclusive."""

    low: int
    high: int


@lru_cache(maxsize=4096)
def implicit_range(text: str, zone: ZoneInfo) -> Range:
    """What a FHIR date, dateTime, instant or date parameter covers; one without an offset is of the zone.

    Raises ValueError where the text is no such date.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is not a date (YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss±hh:mm)")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        if hour is None:
            first = date(int(year), int(month or 1), int(day or 1)).toordinal()
            return Range(_midnight(first, zone), _midnight(_after(first, month is None, day is None), zone))
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59))  # noqa: DTZ001 - local time
        shift = _shift(offset, moment, zone)
    except ValueError:
        raise ValueError(f"'{text}' is not a date of the calendar") from None
    low = (moment.toordinal() - _EPOCH_DAY) * DAY + (moment.hour * 3600 + moment.minute * 60 + moment.second) * SECOND - shift
    if second is None:
        return Range(low, low + MINUTE)
    if fraction is None:
        return Range(low, low + SECOND)
    width = 10 ** max(6 - len(fraction), 0)
    low += int(fraction[:6].ljust(6, "0"))
    return Range(low, low + width)


def _after(first: int, whole_year: bool, whole_month: bool) -> int:
    """The ordinal of the day after the year, month or day that starts on `first`."""
    start = date.fromordinal(first)
    if whole_year or (whole_month and start.month == 12):
        return _LAST + 1 if start.year == 9999 else date(start.year + 1, 1, 1).toordinal()
    return date(start.year, start.month + 1, 1).toordinal() if whole_month else first + 1


def _midnight(ordinal: int, zone: ZoneInfo) -> int:
    shift = _shift(None, datetime.fromordinal(min(ordinal, _LAST)), zone)
    return (ordinal - _EPOCH_DAY) * DAY - shift


def _shift(offset: str | None, moment: datetime, zone: ZoneInfo) -> int:
    """How far local time is ahead of UTC, in microseconds."""
    if offset == "Z":
        return 0
    if offset is not None:
        minutes = int(offset[1:3]) * 60 + int(offset[4:])
        return (-minutes if offset[0] == "-" else minutes) * MINUTE
    ahead = moment.replace(tzinfo=zone).utcoffset() or timedelta()
    return (ahead.days * 86_400 + ahead.seconds) * SECOND
