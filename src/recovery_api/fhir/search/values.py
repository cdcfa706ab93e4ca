"""What one value of a query asks of one index row, by the words of R4's search page (https://hl7.org/fhir/R4/search.html).

Each reader gives alternatives: tuples of tests that one row must pass together. A malformed value raises ValueError with a
sentence.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias
from zoneinfo import ZoneInfo

from recovery_api.fhir.search.dates import implicit_range
from recovery_api.fhir.search.decimals import Precise, as_float, read_number
from recovery_api.fhir.search.escapes import split, unescaped
from recovery_api.fhir.search.expression import Comparison, RowColumn, Test
from recovery_api.fhir.search.references import read_canonical, read_reference
from recovery_api.fhir.search.text import bounded, normalised
from recovery_api.fhir.search.units import CANONICAL, UCUM, canonical

Tests: TypeAlias = tuple[Test, ...]
Alternatives: TypeAlias = list[Tests]

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[\d+\-.])")
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


@dataclass(frozen=True, slots=True)
class Frame:
    """What values are read against."""

    base_url: str
    zone: ZoneInfo
    clock: Callable[[], int]
    """Microseconds since the epoch, UTC: what `ap` measures its gap from."""


def prefixed(text: str) -> tuple[str, str]:
    """The prefix, "eq" where there is none, and the rest."""
    found = _PREFIX.match(text)
    return (found[1], text[2:]) if found else ("eq", text)


def token(text: str, *, implied_system: bool = False) -> Alternatives:
    """`code`, `system|code`, `|code` (no system) or `system|`; `implied_system`: the element is a code, whose system is not written."""
    parts = split(text, "|")
    if len(parts) > 2 or not any(parts):
        raise ValueError(f"'{text}' is not a token: write code, system|code, |code or system|")
    *system, code = (bounded(unescaped(part)) for part in parts)
    tests = [Test("system", "=", system[0])] if system and not (implied_system and not system[0]) else []
    if code:
        tests.append(Test("value", "=", code))
    return [tuple(tests)]


def of_type(text: str) -> Alternatives:
    """`system|code|value`: an identifier by its type."""
    parts = [unescaped(part) for part in split(text, "|")]
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise ValueError(f"'{text}' is not system|code|value")
    columns: tuple[RowColumn, ...] = ("system", "value", "value2")
    return [tuple(Test(column, "=", bounded(part)) for column, part in zip(columns, parts, strict=True) if part or column != "system")]


def string(text: str, modifier: str = "") -> Alternatives:
    """The start of a text without case and accents; `contains`: any part; `exact`: the very text."""
    said = unescaped(text)
    if modifier == "exact":
        return [(Test("value2", "=", bounded(said)),)]
    if not (folded := normalised(said)):
        raise ValueError("a text of white space only can't be searched")
    return [(Test("value", "contains" if modifier == "contains" else "prefix", folded),)]


def uri(text: str, modifier: str = "") -> Alternatives:
    """The very URI; `below`: it and what its path contains; `above`: it and the paths that contain it."""
    url, version = read_canonical(unescaped(text))
    exact: Tests = (Test("value", "=", bounded(url)), *([Test("value2", "=", version)] if version else []))
    if not modifier or url.startswith("urn:"):
        return [exact]
    if modifier == "below":
        stem = url if url.endswith("/") else url + "/"
        return [exact, (Test("value", "prefix", stem),)]
    found = [exact]
    scheme, separator, rest = url.partition("://")
    segments = rest.rstrip("/").split("/")
    if len(segments) > 32:
        raise ValueError("the URI has more than 32 segments")
    for length in range(len(segments), 0, -1):
        above = scheme + separator + "/".join(segments[:length])
        found += [(Test("value", "=", bounded(above + end)),) for end in ("", "/") if above + end != url]
    return found


def reference(text: str, frame: Frame, types: tuple[str, ...], *, modifier_type: str = "") -> Alternatives:
    """`id`, `Type/id`, an absolute URL, or a canonical with its version; an id alone may be of any of the types."""
    said = unescaped(text)
    url, version = read_canonical(said)
    found = read_reference(url, frame.base_url)
    if found.type:
        if modifier_type and modifier_type != found.type:
            raise ValueError(f"'{text}' is not a {modifier_type}")
        return [(Test("system", "=", found.type), Test("value", "=", found.id))]
    if ":" in url or "/" in url:
        return [(Test("system", "=", ""), Test("value", "=", bounded(url)), *([Test("value2", "=", version)] if version else []))]
    if modifier_type or len(types) == 1:
        return [(Test("system", "=", modifier_type or types[0]), Test("value", "=", url))]
    return [(Test("system", "!=", ""), Test("value", "=", url))]


def moment(text: str, frame: Frame) -> tuple[str, int, int]:
    """The prefix of a date, and from when until when it is (microseconds): with `ap`, wider by a tenth of the gap to now.

    A plus that nobody wrote as %2B in the address has come as a space.
    """
    prefix, written = prefixed(text)
    low, high = implicit_range(unescaped(written).replace(" ", "+"), frame.zone)
    if prefix == "ap":
        now = frame.clock()
        margin = max(low - now, now - high, 0) // 10
        low, high = low - margin, high + margin
    return prefix, low, high


def date(text: str, frame: Frame) -> Alternatives:
    """A date with its prefix, against the ranges of the rows."""
    prefix, low, high = moment(text, frame)
    return _compared(_DATES[prefix], low / 1e6, high / 1e6)


_Template: TypeAlias = tuple[tuple[tuple[RowColumn, Comparison, bool], ...], ...]
"""Alternatives of tests (column, comparison, whether with the high end of what is asked)."""

_DATES: Mapping[str, _Template] = {
    "eq": ((("low", ">=", False), ("high", "<=", True)),),
    "ne": ((("low", "<", False),), (("high", ">", True),)),
    "gt": ((("high", ">", True),),),
    "lt": ((("low", "<", False),),),
    "ge": ((("high", ">", True),), (("low", ">=", False),)),
    "le": ((("low", "<", False),), (("high", "<=", True),)),
    "sa": ((("low", ">=", True),),),
    "eb": ((("high", "<=", False),),),
    "ap": ((("low", "<", True), ("high", ">", False)),),
}
"""`ge` and `le` also take what `eq` takes: what starts within (ends within) and does not reach beyond is met by one of the two."""

_EQUAL: _Template = ((("low", ">=", False), ("high", "<", True)),)
_NOT_EQUAL: _Template = ((("low", "<", False),), (("high", ">=", True),))
_NEAR: _Template = ((("low", "<=", True), ("high", ">=", False)),)
_NUMBERS: Mapping[str, _Template] = {
    "gt": ((("high", ">", False),),),
    "lt": ((("low", "<", False),),),
    "ge": ((("high", ">=", False),),),
    "le": ((("low", "<=", False),),),
    "sa": ((("low", ">", False),),),
    "eb": ((("high", "<", False),),),
}


def _compared(template: _Template, low: float, high: float) -> Alternatives:
    return [tuple(Test(column, comparison, high if upper else low) for column, comparison, upper in tests) for tests in template]


def number(text: str) -> Alternatives:
    """A number with its prefix: eq and ne within the precision of its digits, the others exactly, ap within 10 %."""
    prefix, written = prefixed(text)
    return _amount(prefix, read_number(unescaped(written)), as_float)


def _amount(prefix: str, asked: Precise, scaled: Callable[[Decimal], float]) -> Alternatives:
    value, half = asked
    if prefix in _NUMBERS:
        exact = scaled(value)
        return _compared(_NUMBERS[prefix], exact, exact)
    if prefix == "ap":
        half = max(half, abs(value) / 10)
    template = {"eq": _EQUAL, "ne": _NOT_EQUAL, "ap": _NEAR}[prefix]
    return _compared(template, scaled(value - half), scaled(value + half))


def quantity(text: str) -> Alternatives:
    """`number`, `number|system|code` (in any commensurable UCUM unit) or `number||code` (a code or a unit's text)."""
    parts = split(text, "|")
    if len(parts) not in (1, 3):
        raise ValueError(f"'{text}' is not a quantity: write number, number|system|code or number||code")
    prefix, written = prefixed(parts[0])
    asked = read_number(unescaped(written))
    system, code = (unescaped(part) for part in parts[1:]) if len(parts) == 3 else ("", "")
    known = canonical(code) if system == UCUM else None
    if known is not None:
        unit: Tests = (Test("system2", "=", CANONICAL), Test("value2", "=", known.unit))
        return [unit + tests for tests in _amount(prefix, asked, known.of)]
    unit = (Test("system2", "=", bounded(system)) if system else Test("system2", "!=", CANONICAL),)
    if code:
        unit = (*unit, Test("value2", "=", bounded(code)))
    return [unit + tests for tests in _amount(prefix, asked, as_float)]
