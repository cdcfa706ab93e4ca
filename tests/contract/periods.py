"""What FHIR's dates and Periods mean in the agency's zone: a date stands for all of it, an instant for itself (world.md, Decision 12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

EVER, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def edges(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """The first moment that a FHIR dateTime means, and the first moment after it; the two are one for an instant."""
    if "T" in text:
        moment = datetime.fromisoformat(text)
        return moment, moment
    year, month, day = ([int(part) for part in text.split("-")] + [0, 0])[:3]
    first = datetime(year, month or 1, day or 1, tzinfo=zone)
    if day:
        after = datetime.combine(first.date() + timedelta(days=1), first.time(), tzinfo=zone)
    elif month:
        after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone)
    else:
        after = datetime(year + 1, 1, 1, tzinfo=zone)
    return first, after


@dataclass(frozen=True)
class Span:
    """From `first` until `after`, which does not belong to it; the two are one for an instant."""

    first: datetime
    after: datetime

    def holds(self, moment: datetime) -> bool:
        return self.first <= moment < self.after

    def inside(self, other: "Span") -> bool:
        """Whether all of it lies in the other."""
        return other.first <= self.first < other.after and self.after <= other.after

    def overlaps(self, other: "Span") -> bool:
        """Whether any of it lies in the other."""
        return other.holds(self.first) or self.holds(other.first)


def span(value: str | Mapping[str, Any] | None, zone: tzinfo) -> Span:
    """What a dateTime or a Period covers; a side that is not told is open."""
    if isinstance(value, str):
        return Span(*edges(value, zone))
    period = value or {}
    first = edges(period["start"], zone)[0] if "start" in period else EVER
    return Span(first, edges(period["end"], zone)[1] if "end" in period else NEVER)
