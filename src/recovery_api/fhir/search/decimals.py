"""Numbers as search compares them (https://hl7.org/fhir/R4/search.html#number)."""

import re
from decimal import Decimal
from typing import NamedTuple

_LARGEST = 1.7e308
_FORM = re.compile(r"[+-]?\d{1,60}(?:\.\d{1,60})?(?:[eE][+-]?\d{1,3})?", re.ASCII)


class Precise(NamedTuple):
    """A number of a query: the exact value, and half the width of the range that its digits stand for."""

    value: Decimal
    half: Decimal


def as_float(value: Decimal | float) -> float:
    """The nearest float; what is beyond them becomes the largest."""
    try:
        number = float(value)
    except OverflowError:
        number = _LARGEST if value > 0 else -_LARGEST
    return max(-_LARGEST, min(number, _LARGEST))


def read_number(text: str) -> Precise:
    """A number with the precision of its digits: 100 is 100 ± 0.5, 5.40e-3 is 0.00540 ± 0.000005.

    By R4's own table 1e2 is [95, 105): a single digit before an exponent counts as two significant ones. Raises ValueError.
    """
    if not _FORM.fullmatch(text):
        raise ValueError(f"'{text}' is not a number")
    value = Decimal(text)
    parts = value.as_tuple()
    exponent = int(parts.exponent)
    if "e" in text.lower() and len(parts.digits) == 1:
        exponent -= 1
    return Precise(value, Decimal(5).scaleb(exponent - 1))
