"""Functions on single values: conversion, strings, mathematics (http://hl7.org/fhirpath/N1/#functions 5.5 to 5.7)."""
import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import TypeAlias, cast

from recovery_api.fhir.fhirpath.errors import FhirPathError
from recovery_api.fhir.fhirpath.nodes import EMPTY, Node, Nodes, boolean
from recovery_api.fhir.fhirpath.operators import number, single
from recovery_api.fhir.json import Json, JsonObject

Function: TypeAlias = Callable[..., Nodes]

_BOOLEANS = {"true": True, "t": True, "yes": True, "y": True, "1": True, "1.0": True,
             "false": False, "f": False, "no": False, "n": False, "0": False, "0.0": False}  # fmt: skip
_CONVERSIONS = {
    "toString": "string", "toInteger": "integer", "toDecimal": "decimal", "toBoolean": "boolean", "toDate": "date",
    "toDateTime": "dateTime", "toTime": "time", "toQuantity": "Quantity",
}  # fmt: skip
_SHAPES = {
    "toDate": re.compile(r"(\d{4}(-\d\d(-\d\d)?)?)(T.*)?"),
    "toDateTime": re.compile(r"(\d{4}(-\d\d(-\d\d(T\d\d.*)?)?)?)"),
    "toTime": re.compile(r"T?(\d\d(:\d\d(:\d\d(\.\d+)?)?)?)"),
    "toQuantity": re.compile(r"((?:\+|-)?\d+(?:\.\d+)?)\s*(?:'([^']+)'|([a-z]+))?"),
}


def text(value: Json) -> str:
    """A value as FHIRPath writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        quantity = cast(JsonObject, value)
        return f"{quantity.get('value')} '{quantity.get('code') or quantity.get('unit') or '1'}'"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _quantity(value: Json) -> Json:
    found = _SHAPES["toQuantity"].fullmatch(text(value))
    return {"value": Decimal(found[1]), "unit": found[2] or found[3] or "1"} if found else None


def _convert(name: str, value: Json) -> Json:
    """The value in another type, or None."""
    match name:
        case "toString":
            return text(value)
        case "toBoolean":
            return value if isinstance(value, bool) else _BOOLEANS.get(text(value).lower())
        case "toInteger":
            return int(value) if isinstance(value, bool | int) or re.fullmatch(r"[+-]?\d+", text(value)) else None
        case "toDecimal":
            try:
                return Decimal(text(int(value) if isinstance(value, bool) else value))
            except InvalidOperation:
                return None
        case "toQuantity":
            return cast(JsonObject, value) if isinstance(value, dict) else _quantity(value)
        case _:
            found = _SHAPES[name].fullmatch(text(value))
            return found[1] if found else None


def _conversion(name: str) -> Function:
    type_ = _CONVERSIONS[name]

    def converted(nodes: Nodes) -> Nodes:
        node = single(nodes)
        value = None if node is None or node.value is None else _convert(name, node.value)
        return EMPTY if value is None else [Node(type_, value)]

    return converted


def _convertible(name: str) -> Function:
    convert = _conversion(name)

    def convertible(nodes: Nodes) -> Nodes:
        return boolean(bool(convert(nodes))) if nodes else EMPTY

    return convertible


def _of_text(compute: Callable[..., Json], type_: str = "string") -> Function:
    """A function of a text and other values; empty where one of them is."""

    def computed(nodes: Nodes, *arguments: Nodes) -> Nodes:
        node = single(nodes)
        others = [single(argument) for argument in arguments]
        if node is None or node.value is None or any(other is None for other in others):
            return EMPTY
        if not isinstance(node.value, str):
            raise FhirPathError(f"A {node.type} is no text.")
        answer = compute(node.value, *(other.value for other in others if other))
        if isinstance(answer, list):
            return [Node(type_, each) for each in cast(list[Json], answer)]
        return EMPTY if answer is None else [Node(type_, answer)]

    return computed


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise FhirPathError(f"'{pattern}' is not a regular expression: {error}.") from error


def _substring(value: str, start: int, length: int | None = None) -> str | None:
    return None if not 0 <= start < len(value) else value[start:] if length is None else value[start : start + max(length, 0)]


def _of_number(compute: Callable[..., Decimal | int | None]) -> Function:
    """A function of a number and other numbers; empty where one of them is, or where there is no answer."""

    def computed(nodes: Nodes, *arguments: Nodes) -> Nodes:
        given = [single(each) for each in (nodes, *arguments)]
        if any(each is None or each.value is None for each in given):
            return EMPTY
        values = [each.value for each in given if each]
        if isinstance(values[0], dict):
            amount = cast(JsonObject, values[0]).get("value")
            return EMPTY if amount is None else [Node("Quantity", {**values[0], "value": compute(amount, *values[1:])})]
        if not all(isinstance(value, int | Decimal) for value in values):
            raise FhirPathError("A number is needed.")
        try:
            answer = compute(*values)
        except (ArithmeticError, ValueError):
            return EMPTY
        return EMPTY if answer is None else number(answer)

    return computed


def _matches(value: str, pattern: str) -> bool:
    return _pattern(pattern).search(value) is not None


def _matches_full(value: str, pattern: str) -> bool:
    return _pattern(pattern).fullmatch(value) is not None


def _replace_matches(value: str, pattern: str, by: str) -> str:
    return _pattern(pattern).sub(by, value)


def _abs(value: Decimal) -> Decimal:
    return abs(value)


def _sqrt(value: Decimal) -> Decimal:
    return Decimal(value).sqrt()


def _exp(value: Decimal) -> Decimal:
    return Decimal(value).exp()


def _ln(value: Decimal) -> Decimal:
    return Decimal(value).ln()


def _log(value: Decimal, base: Decimal) -> Decimal:
    return _ln(value) / _ln(base)


def _power(value: Decimal, exponent: Decimal) -> Decimal:
    return value**exponent


def _round(value: Decimal, digits: int = 0) -> Decimal:
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _join(nodes: Nodes, separator: Nodes | None = None) -> Nodes:
    if not nodes:
        return EMPTY
    between = single(separator) if separator else None
    return [Node("string", (between.value if between else "").join(str(node.value) for node in nodes if node.value is not None))]


def _sum(nodes: Nodes) -> Nodes:
    if not all(isinstance(node.value, int | Decimal) for node in nodes):
        raise FhirPathError("Numbers are needed for a sum.")
    return number(sum(node.value for node in nodes)) if nodes else [Node("integer", 0)]


# name: (function, fewest arguments, most arguments, type of the answer)
VALUES: dict[str, tuple[Function, int, int, str]] = {
    **{name: (_conversion(name), 0, 0, type_) for name, type_ in _CONVERSIONS.items()},
    **{f"convertsT{name[1:]}": (_convertible(name), 0, 0, "boolean") for name in _CONVERSIONS},
    "startsWith": (_of_text(str.startswith, "boolean"), 1, 1, "boolean"),
    "endsWith": (_of_text(str.endswith, "boolean"), 1, 1, "boolean"),
    "contains": (_of_text(str.__contains__, "boolean"), 1, 1, "boolean"),
    "matches": (_of_text(_matches, "boolean"), 1, 1, "boolean"),
    "matchesFull": (_of_text(_matches_full, "boolean"), 1, 1, "boolean"),
    "replaceMatches": (_of_text(_replace_matches), 2, 2, "string"),
    "replace": (_of_text(str.replace), 2, 2, "string"),
    "indexOf": (_of_text(str.find, "integer"), 1, 1, "integer"),
    "lastIndexOf": (_of_text(str.rfind, "integer"), 1, 1, "integer"),
    "substring": (_of_text(_substring), 1, 2, "string"),
    "upper": (_of_text(str.upper), 0, 0, "string"),
    "lower": (_of_text(str.lower), 0, 0, "string"),
    "trim": (_of_text(str.strip), 0, 0, "string"),
    "length": (_of_text(len, "integer"), 0, 0, "integer"),
    "toChars": (_of_text(list), 0, 0, "string"),
    "split": (_of_text(str.split), 1, 1, "string"),
    "join": (_join, 0, 1, "string"),
    "abs": (_of_number(_abs), 0, 0, "decimal"),
    "ceiling": (_of_number(math.ceil), 0, 0, "integer"),
    "floor": (_of_number(math.floor), 0, 0, "integer"),
    "truncate": (_of_number(int), 0, 0, "integer"),
    "round": (_of_number(_round), 0, 1, "decimal"),
    "sqrt": (_of_number(_sqrt), 0, 0, "decimal"),
    "exp": (_of_number(_exp), 0, 0, "decimal"),
    "ln": (_of_number(_ln), 0, 0, "decimal"),
    "log": (_of_number(_log), 1, 1, "decimal"),
    "power": (_of_number(_power), 1, 1, "decimal"),
    "sum": (_sum, 0, 0, "decimal"),
}
