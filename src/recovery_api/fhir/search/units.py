"""Quantities in canonical UCUM units, exactly (https://ucum.org/ucum): 1 g/L and 100 mg/dL are both 1000 g.m-3.

Unit atoms come from `definitions/compiled/units.json`, compiled from the official ucum-essence.xml. Temperatures have their
offset; other special units (pH, dB), and counts that are only annotated ({score}), have no canonical form and compare by code.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

import msgspec

from recovery_api.fhir.search.decimals import as_float

UCUM = "http://unitsofmeasure.org"
CURRENCIES = "urn:iso:std:iso:4217"
CANONICAL = "="
"""The unit system of index rows in canonical units."""
_LONGEST = 100
_FAR = 200
"""Decimal exponents beyond which exactness is given up."""
_PART = re.compile(r"\{[^{}]*\}|[./()]|(?:\[[^\[\]]*\]|10[*^]|[^\[\]{}()./0-9+\-*])+|[+-]?\d+|\*")
_ANNOTATION = re.compile(r"\{[^{}]*\}")
_TEMPERATURES: Mapping[str, tuple[Fraction, Fraction]] = {
    "Cel": (Fraction(1), Fraction("273.15")),
    "[degF]": (Fraction(5, 9), Fraction("459.67") * 5 / 9),
}


class _Atoms(msgspec.Struct, frozen=True):
    prefixes: dict[str, str]
    metric: dict[str, str]
    """Unit → "value unit"; '' for a base or arbitrary unit, a dimension of its own."""
    fixed: dict[str, str]
    """The same, of units that take no prefix."""


class _Size(NamedTuple):
    factor: Fraction
    dimensions: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Canonical:
    """How amounts of a unit become amounts of its canonical `unit`, a product of base units such as "g.m-3"."""

    unit: str
    factor: Fraction
    offset: Fraction = Fraction(0)

    def of(self, value: Decimal | int) -> float:
        """The value in canonical units, exactly rounded."""
        if isinstance(value, Decimal) and abs(value.adjusted()) > _FAR:
            return as_float(as_float(value) * float(self.factor) + float(self.offset))
        above, below = value.as_integer_ratio()
        factor, offset = self.factor, self.offset
        above = above * factor.numerator
        below = below * factor.denominator
        if offset:
            above, below = above * offset.denominator + offset.numerator * below, below * offset.denominator
        try:
            return above / below
        except OverflowError:
            return as_float(above // below)


def canonical(code: str) -> Canonical | None:
    """The canonical form of a UCUM unit; None for what is no such unit, or has none."""
    return None if len(code) > _LONGEST or _ANNOTATION.fullmatch(code) else _canonical(code)


@lru_cache(maxsize=4096)
def _canonical(code: str) -> Canonical | None:
    if code in _TEMPERATURES:
        return Canonical("K", *_TEMPERATURES[code])
    try:
        size = _Reader(code).whole()
    except (ValueError, ZeroDivisionError):
        return None
    return Canonical(".".join(f"{unit}{power if power != 1 else ''}" for unit, power in size.dimensions) or "1", size.factor)


class _Reader:
    """Reads one unit term: components joined by '.' and '/', each an atom, a number or a term in parentheses."""

    def __init__(self, code: str) -> None:
        self._parts = _PART.findall(code)
        if "".join(self._parts) != code or not self._parts:
            raise ValueError(code)
        self._place = 0

    def whole(self) -> _Size:
        size = self._term()
        if self._place != len(self._parts):
            raise ValueError(self._parts)
        return size

    def _peek(self) -> str:
        return self._parts[self._place] if self._place < len(self._parts) else ""

    def _next(self) -> str:
        part = self._peek()
        self._place += 1
        return part

    def _term(self) -> _Size:
        size = _ONE if self._peek() == "/" else self._component()
        while self._peek() in (".", "/"):
            power = 1 if self._next() == "." else -1
            size = _product(size, self._component(), power)
        return size

    def _component(self) -> _Size:
        part = self._next()
        if part == "(":
            size = self._term()
            if self._next() != ")":
                raise ValueError(part)
        elif part.startswith("{"):
            return _ONE
        elif part.isdecimal():
            size = _Size(Fraction(part), ())
        else:
            size = _atom(part)
            if re.fullmatch(r"[+-]?\d+", self._peek()):
                size = _product(_ONE, size, _exponent(self._next()))
        if self._peek().startswith("{"):
            self._next()
        return size


def _exponent(text: str) -> int:
    if len(text) > 3:
        raise ValueError(text)
    return int(text)


@cache
def _atoms() -> _Atoms:
    text = files("recovery_api").joinpath("definitions/compiled/units.json").read_bytes()
    return msgspec.json.decode(text, type=_Atoms)


@lru_cache(maxsize=1024)
def _atom(code: str) -> _Size:
    atoms = _atoms()
    known = atoms.metric.get(code, atoms.fixed.get(code))
    if known is not None:
        return _defined(code, known)
    for length in (2, 1):
        prefix, unit = code[:length], code[length:]
        if prefix in atoms.prefixes and unit in atoms.metric:
            return _product(_Size(Fraction(atoms.prefixes[prefix]), ()), _defined(unit, atoms.metric[unit]), 1)
    raise ValueError(code)


def _defined(code: str, definition: str) -> _Size:
    if not definition:
        return _Size(Fraction(1), ((code, 1),))
    value, _, unit = definition.partition(" ")
    return _product(_Size(Fraction(value), ()), _Reader(unit).whole(), 1)


def _product(left: _Size, right: _Size, power: int) -> _Size:
    powers = Counter(dict(left.dimensions))
    for unit, exponent in right.dimensions:
        powers[unit] += exponent * power
    return _Size(left.factor * right.factor**power, tuple(sorted((unit, total) for unit, total in powers.items() if total)))


_ONE = _Size(Fraction(1), ())
