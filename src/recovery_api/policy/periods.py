"""Periods as intervals of microseconds since the epoch, the end exclusive."""
from collections.abc import Mapping
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from recovery_api.fhir.search.dates import implicit_range
from recovery_api.store.records import ALWAYS, NEVER

Interval: TypeAlias = tuple[int, int]


def interval(period: Mapping[str, Any] | None, zone: ZoneInfo) -> Interval:
    """From and until when a Period is: an instant end is exclusive, an end on a date includes that day (world.md, D12)."""
    if not period:
        return ALWAYS, NEVER
    starts = implicit_range(period["start"], zone).low if "start" in period else ALWAYS
    if "end" not in period:
        return starts, NEVER
    ends = implicit_range(period["end"], zone)
    return starts, ends.low if "T" in period["end"] else ends.high


def within(*intervals: Interval) -> Interval:
    """The time that all of them share; it ends before it starts where there is none."""
    return max(starts for starts, _ in intervals), min(ends for _, ends in intervals)
