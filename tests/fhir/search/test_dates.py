"""Dates and their prefixes, by R4's search page: https://hl7.org/fhir/R4/search.html#date."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.fhir.search.query import SearchContext
from tests.fhir.search.searching import BASE, CONTEXT, NOW, observation, search

DAY = 86_400_000_000
OSLO = ZoneInfo("Europe/Oslo")


def stamp(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2020", "2020-01-01", "2021-01-01"),
        ("2020-02", "2020-02-01", "2020-03-01"),
        ("2020-12", "2020-12-01", "2021-01-01"),
        ("2020-02-29", "2020-02-29", "2020-03-01"),
        ("2020-01-01T10:30Z", "2020-01-01T10:30", "2020-01-01T10:31"),
        ("2020-01-01T10:30:05Z", "2020-01-01T10:30:05", "2020-01-01T10:30:06"),
        ("2020-01-01T10:30:05", "2020-01-01T10:30:05", "2020-01-01T10:30:06"),
        ("2020-01-01T10:30:05-05:00", "2020-01-01T15:30:05", "2020-01-01T15:30:06"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59", "2017-01-01"),
    ],
)
def test_a_partial_date_covers_its_whole_implicit_range(text: str, low: str, high: str) -> None:
    assert implicit_range(text, ZoneInfo("UTC")) == (stamp(low), stamp(high))


def test_fractions_of_a_second_are_as_wide_as_their_last_digit() -> None:
    start = stamp("2020-01-01")
    assert implicit_range("2020-01-01T00:00:00.5Z", OSLO) == (start + 500_000, start + 600_000)
    assert implicit_range("2020-01-01T00:00:00.123456789Z", OSLO) == (start + 123_456, start + 123_457)


def test_a_date_without_time_is_a_day_of_the_zone() -> None:
    low, high = implicit_range("2024-03-31", OSLO)
    assert (low, high) == (stamp("2024-03-30T23:00"), stamp("2024-03-31T22:00"))
    assert implicit_range("9999", OSLO).high > implicit_range("9999-12-31T12:00:00Z", OSLO).high


@pytest.mark.parametrize(
    "text", ["", "20", "2020-13", "2020-02-30", "2020-1-1", "2020-01-01T10", "2020-01-01T25:00", "2020-01-01 10:00", "now"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date"):
        implicit_range(text, OSLO)


PERIOD = {"start": "2020-01-10", "end": "2020-01-20"}
OPEN = {"start": "2020-01-10"}
INSTANT = "2020-01-15T12:00:00Z"


@pytest.mark.parametrize(
    ("asked", "period", "open_period", "instant"),
    [
        ("2020-01", True, False, True),
        ("2020-01-15", False, False, True),
        ("ne2020-01-15", True, True, False),
        ("ne2020", False, True, False),
        ("gt2020-01-15", True, True, False),
        ("gt2020-01-20", False, True, False),
        ("lt2020-01-15", True, True, False),
        ("lt2020-01-10", False, False, False),
        ("ge2020-01-15", True, True, True),
        ("ge2020-01-20", False, True, False),
        ("ge2020-01-10", True, True, True),
        ("le2020-01-15", True, True, True),
        ("le2020-01-10", False, False, False),
        ("le2020-01-11", True, True, False),
        ("sa2020-01-09", True, True, True),
        ("sa2020-01-10", False, False, True),
        ("eb2020-01-21", True, False, True),
        ("eb2020-01-20", False, False, True),
        ("ap2020-01-15", True, True, True),
        ("ap2010", False, False, False),
    ],
)
def test_prefixes_compare_ranges(asked: str, period: bool, open_period: bool, instant: bool) -> None:
    resources = (
        observation("period", effectivePeriod=PERIOD),
        observation("open", effectivePeriod=OPEN),
        observation("instant", effectiveDateTime=INSTANT),
        observation("none"),
    )
    wanted = {name for name, holds in (("period", period), ("open", open_period), ("instant", instant)) if holds}
    assert search(f"Observation?date={asked}", *resources) == wanted


def test_a_timing_counts_by_its_outer_limits() -> None:
    timed = observation(effectiveTiming={"event": ["2013-01-31", "2013-03-24"]})
    bounded = observation("2", effectiveTiming={"repeat": {"boundsPeriod": {"start": "2013-02-01", "end": "2013-02-03"}}})
    assert search("Observation?date=sa2013-01-30&date=eb2013-03-25", timed, bounded) == {"1", "2"}
    assert search("Observation?date=2013-02", timed, bounded) == {"2"}


def test_near_is_a_tenth_of_the_gap_to_now() -> None:
    assert NOW == 1_790_000_000_000_000
    dated = observation(effectiveDateTime="2016-09-21T12:00:00Z")
    assert search("Observation?date=ap2017-08-01", dated) == {"1"}
    assert search("Observation?date=ap2018-01-01", dated) == set()


def test_last_updated_is_the_servers_own_stamp() -> None:
    stamped = observation(stamp=stamp("2020-01-15T12:00"))
    for asked, holds in {
        "2020-01-15": True,
        "gt2020-01-14": True,
        "gt2020-01-15": False,
        "lt2020-01-16": True,
        "lt2020-01-15": False,
        "ge2020-01-15": True,
        "le2020-01-15": True,
        "le2020-01-14": False,
        "ne2020-01-15": False,
        "ne2020-01-14": True,
        "sa2020-01-14": True,
        "eb2020-01-16": True,
        "ap2020": True,
    }.items():
        assert search(f"Observation?_lastUpdated={asked}", stamped) == ({"1"} if holds else set()), asked


def test_the_zone_holds_for_the_query_and_for_what_is_stored() -> None:
    context = SearchContext(CONTEXT.table, CONTEXT.terminology, BASE, OSLO, CONTEXT.clock)
    late = observation(effectiveDateTime="2020-06-01T23:00:00Z")
    day = observation("2", effectiveDateTime="2020-06-02")
    assert search("Observation?date=2020-06-02", late, day, context=context) == {"1", "2"}
    assert search("Observation?date=2020-06-01", late, context=context) == set()


def test_a_malformed_date_is_refused_by_the_parameters_name() -> None:
    with pytest.raises(BadRequest, match="'date': 'xx2020' is not a date"):
        search("Observation?date=xx2020")


moments = st.builds(
    lambda day, size: datetime.fromtimestamp(day * 86_400, UTC).isoformat()[:size], st.integers(-3000, 30000), st.sampled_from((4, 7, 10))
)


@given(moments, moments, moments, st.sampled_from(("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")))
def test_a_lowered_date_means_what_the_search_page_says(asked: str, start: str, end: str, prefix: str) -> None:
    zone = ZoneInfo("UTC")
    low, high = implicit_range(start, zone).low, implicit_range(end, zone).high
    if low >= high:
        return
    s_low, s_high = implicit_range(asked, zone)
    contained = s_low <= low and high <= s_high
    above, below = high > s_high, low < s_low
    wanted = {
        "eq": contained,
        "ne": not contained,
        "gt": above,
        "lt": below,
        "ge": above or contained,
        "le": below or contained,
        "sa": low >= s_high,
        "eb": high <= s_low,
    }[prefix]
    dated = observation(effectivePeriod={"start": start, "end": end})
    assert (search(f"Observation?date={prefix}{asked}", dated) == {"1"}) is wanted
