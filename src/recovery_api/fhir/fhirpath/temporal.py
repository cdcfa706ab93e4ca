"""Dates, times and instants of any precision: comparing them and moving them by a span (FHIRPath sections 6.1, 6.2 and 6.6.7)."""
import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from recovery_api.fhir.fhirpath.errors import FhirPathError

TYPES = frozenset({"date", "dateTime", "instant", "time"})

_MOMENT = re.compile(
    r"(?:(\d{4})(?:-(\d\d)(?:-(\d\d))?)?)?(?:(?:^|T)(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?(Z|[+-]\d\d:\d\d)?)?"
)
_MONTHS = {"year": 12, "a": 12, "month": 1, "mo": 1}
_SECONDS = {
    "week": 604800, "wk": 604800, "day": 86400, "d": 86400, "hour": 3600, "h": 3600, "minute": 60, "min": 60, "second": 1, "s": 1,
    "millisecond": Decimal("0.001"), "ms": Decimal("0.001"),
}  # fmt: skip
_WIDTHS = (4, 7, 10, 13, 16, 19)


class _Moment(NamedTuple):
    """The parts that are given: year, month, day, hour, minute, seconds with their fraction."""

    parts: tuple[int | Decimal | None, ...]
    zoned: bool


def _read(text: str) -> _Moment | None:
    found = _MOMENT.fullmatch(text)
    if not found or not text:
        return None
    year, month, day, hour, minute, second, zone = found.groups()
    parts = (*(int(part) if part else None for part in (year, month, day, hour, minute)), Decimal(second) if second else None)
    if not zone or not (year and month and day and hour and minute):
        return _Moment(parts, zoned=False)
    offset = timedelta() if zone == "Z" else timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])) * (-1 if zone[0] == "-" else 1)
    try:
        utc = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=UTC) - offset
    except (ValueError, OverflowError):
        return None
    return _Moment((utc.year, utc.month, utc.day, utc.hour, utc.minute, parts[5]), zoned=True)


def compare(first: str, second: str) -> int | None:
    """Less than, equal to or greater than zero as the first is before, at or after the second; None where their precision can't tell."""
    if first == second:
        return 0
    one, other = _read(first), _read(second)
    if one is None or other is None:
        return None
    for mine, theirs in zip(one.parts, other.parts, strict=True):
        if mine is None and theirs is None:
            continue
        if mine is None or theirs is None:
            return None
        if mine != theirs:
            return -1 if mine < theirs else 1
    return 0


def move(text: str, amount: Decimal, unit: str) -> str:
    """The moment that is `amount` units of time later, in the precision that the given one has. Raises FhirPathError."""
    found = _MOMENT.fullmatch(text)
    if not found:
        raise FhirPathError(f"'{text}' is not a date or time.")
    unit = unit.removesuffix("s") if len(unit) > len("ms") else unit
    year, month, day, hour, minute, second, zone = found.groups()
    try:
        whole_second = int(Decimal(second or 0))
        start = datetime(int(year or 2000), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), whole_second, tzinfo=UTC)
        if unit in _MONTHS:
            ordinal = start.year * 12 + start.month - 1 + int(amount) * _MONTHS[unit]
            target, month_ = ordinal // 12, ordinal % 12 + 1
            moved = start.replace(year=target, month=month_, day=min(start.day, monthrange(target, month_)[1]))
        else:
            moved = start + timedelta(seconds=float(amount * _SECONDS[unit]))
    except (KeyError, ValueError, OverflowError) as error:
        raise FhirPathError(f"'{text}' can't be moved by {amount} {unit}.") from error
    fraction = second[2:] if second and "." in second else ""
    given = len(text) - len(fraction) - len(zone or "")
    if year is None:
        return moved.isoformat()[11 : 11 + given] + fraction
    return moved.isoformat()[: max(width for width in _WIDTHS if width <= given)] + fraction + (zone or "")
