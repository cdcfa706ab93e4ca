"""FHIR instants and HTTP dates from microseconds since the epoch, UTC (https://hl7.org/fhir/R4/datatypes.html#instant)."""
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import gmtime
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def instant(stamp: int) -> str:
    """The FHIR instant of a stamp, to the microsecond."""
    return (EPOCH + timedelta(microseconds=stamp)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(stamp: int, zone: ZoneInfo) -> datetime:
    """The moment of a stamp, in the zone."""
    return (EPOCH + timedelta(microseconds=stamp)).astimezone(zone)


def stamp_of(moment: datetime) -> int:
    """The stamp of a moment, whose zone is known."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def http_date(stamp: int) -> str:
    """The HTTP date of a stamp (RFC 9110, 5.6.7): whole seconds."""
    year, month, day, hour, minute, second, weekday, _, _ = gmtime(stamp // SECOND)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def from_http_date(text: str) -> int | None:
    """The stamp of an HTTP date; None where it is none."""
    try:
        said = parsedate_to_datetime(text)
    except ValueError:
        return None
    return stamp_of(said) if said.tzinfo else None
