"""What one element says about one parameter: its index rows, by the conventions of `expression`.

An emitter takes the JSON value of an element and a list that it adds rows to. Which types each kind of parameter reads, and how:
https://hl7.org/fhir/R4/search.html#ptypes.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias, cast
from zoneinfo import ZoneInfo

from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.search.dates import Range, implicit_range
from recovery_api.fhir.search.decimals import as_float
from recovery_api.fhir.search.expression import FOREVER, IndexRow, param_number
from recovery_api.fhir.search.references import Reference, read_canonical, read_reference
from recovery_api.fhir.search.text import bounded, normalised
from recovery_api.fhir.search.units import CANONICAL, CURRENCIES, UCUM, canonical

Emit: TypeAlias = Callable[[Any, list[IndexRow]], None]
Systems: TypeAlias = str | Mapping[str, str]

RowValues: TypeAlias = tuple[int | float | str | None, ...]
"""The columns of an IndexRow, in order."""
_row = cast(Callable[[RowValues], IndexRow], partial(tuple.__new__, IndexRow))  # pyright: ignore[reportUnknownMemberType] - half the time of IndexRow(...)


def token(name: str, leaf_type: str, systems: Systems = "") -> Emit:
    """Token rows of a leaf of the type; `systems`: those that a `code` is of."""
    plain = param_number(name)
    match leaf_type:
        case "CodeableConcept":
            return _concept(plain, param_number(name + ":text"))
        case "Coding":
            return _coding(plain, param_number(name + ":text"))
        case "Identifier":
            return _identifier(plain, param_number(name + ":of-type"), param_number(name + ":text"))
        case "ContactPoint":
            return lambda point, rows: _token(plain, "", point.get("value"), rows)
        case "boolean":
            return lambda value, rows: _token(plain, "", "true" if value else "false", rows)
        case "code":
            return partial(_coded, plain, systems)
        case _:
            return lambda value, rows: _token(plain, "", value, rows)


def _coded(plain: int, systems: Systems, code: str, rows: list[IndexRow]) -> None:
    _token(plain, systems if isinstance(systems, str) else systems.get(code, ""), code, rows)


def _token(param: int, system: str, value: str | None, rows: list[IndexRow]) -> None:
    if value:
        rows.append(_row((param, system, bounded(value), None, None, None, None)))


def _coding(plain: int, text: int) -> Emit:
    def emit(coding: JsonObject, rows: list[IndexRow]) -> None:
        code, system, display = coding.get("code", ""), coding.get("system", ""), coding.get("display")
        rows.append(_row((plain, bounded(system), bounded(code), None, None, None, None)))
        if display:
            rows.append(_row((text, None, normalised(display), None, None, None, None)))

    return emit


def _concept(plain: int, text: int) -> Emit:
    coding = _coding(plain, text)

    def emit(concept: JsonObject, rows: list[IndexRow]) -> None:
        codings = concept.get("coding")
        if codings:
            for one in codings:
                coding(one, rows)
        else:
            rows.append(_row((plain, "", "", None, None, None, None)))
        said = concept.get("text")
        if said:
            rows.append(_row((text, None, normalised(said), None, None, None, None)))

    return emit


def _identifier(plain: int, of_type: int, text: int) -> Emit:
    def emit(identifier: JsonObject, rows: list[IndexRow]) -> None:
        value = bounded(identifier.get("value", ""))
        rows.append(_row((plain, bounded(identifier.get("system", "")), value, None, None, None, None)))
        kind = identifier.get("type")
        if kind:
            rows.extend(
                _row((of_type, bounded(coding.get("system", "")), bounded(coding.get("code", "")), None, value, None, None))
                for coding in kind.get("coding", ())
            )
            if kind.get("text"):
                rows.append(_row((text, None, normalised(kind["text"]), None, None, None, None)))

    return emit


_NAME_PARTS = ("prefix", "given", "family", "suffix")
_ADDRESS_PARTS = ("line", "city", "district", "state", "postalCode", "country")


def string(name: str, leaf_type: str) -> Emit:
    """String rows of a leaf of the type: every part of a name or an address, and the whole of it."""
    param = param_number(name)

    def text(value: str, rows: list[IndexRow]) -> None:
        rows.append(_row((param, None, normalised(value), None, bounded(value), None, None)))

    def parts(members: tuple[str, ...], value: JsonObject, rows: list[IndexRow]) -> None:
        found = [part for member in members for part in _listed(value.get(member)) if part]
        for part in found:
            text(part, rows)
        if len(found) > 1:
            text(" ".join(found), rows)
        if value.get("text"):
            text(value["text"], rows)

    match leaf_type:
        case "HumanName":
            return partial(parts, _NAME_PARTS)
        case "Address":
            return partial(parts, _ADDRESS_PARTS)
        case _:
            return text


def _listed(value: Json) -> list[Json]:
    if value is None:
        return []
    return cast(list[Json], value) if isinstance(value, list) else [value]


def uri(name: str, leaf_type: str) -> Emit:
    """Uri rows; the version of a canonical stands apart, as value2."""
    param = param_number(name)

    def emit(value: str, rows: list[IndexRow]) -> None:
        rows.append(_row((param, None, bounded(value), None, None, None, None)))

    def emit_canonical(value: str, rows: list[IndexRow]) -> None:
        url, version = read_canonical(value)
        rows.append(_row((param, None, bounded(url), None, version, None, None)))

    return emit_canonical if leaf_type == "canonical" else emit


def reference(name: str, leaf_type: str, target: str, base_url: str, *, skip_patients: bool) -> Emit:
    """Reference rows, only to `target` where one is named; `skip_patients`: a Patient's id stands in the client column."""
    param, by_identifier = param_number(name), param_number(name + ":identifier")

    def emit(value: JsonObject, rows: list[IndexRow]) -> None:
        literal = value.get("reference")
        found = read_reference(literal, base_url) if literal else Reference("", "")
        identifier = value.get("identifier")
        if target and (found.type or value.get("type", "")) != target:
            return
        if not (skip_patients and found.type == "Patient"):
            rows.append(_row((param, found.type, bounded(found.id), None, None, None, None)))
        if identifier and identifier.get("value"):
            beside = (found.type, bounded(found.id)) if found.type else (None, None)
            rows.append(_row((by_identifier, bounded(identifier.get("system", "")), bounded(identifier["value"]), *beside, None, None)))

    def emit_canonical(value: str, rows: list[IndexRow]) -> None:
        found = read_reference(value.partition("|")[0], base_url)
        url, version = read_canonical(value)
        place = (found.type, found.id) if found.type else ("", bounded(url))
        rows.append(_row((param, *place, None, version, None, None)))

    return emit if leaf_type == "Reference" else emit_canonical


def date(name: str, leaf_type: str, zone: ZoneInfo) -> Emit:
    """Date rows: one for a date, a Period, and the outer limits of a Timing."""
    param = param_number(name)

    def add(low: float, high: float, rows: list[IndexRow]) -> None:
        rows.append(_row((param, None, None, None, None, low, high)))

    def instant(value: str, rows: list[IndexRow]) -> None:
        found = implicit_range(value, zone)
        add(found.low / 1e6, found.high / 1e6, rows)

    def period(value: JsonObject, rows: list[IndexRow]) -> None:
        start, end = value.get("start"), value.get("end")
        if start or end:
            low = implicit_range(start, zone).low / 1e6 if start else -FOREVER
            add(low, implicit_range(end, zone).high / 1e6 if end else FOREVER, rows)

    def timing(value: JsonObject, rows: list[IndexRow]) -> None:
        events: list[Range] = [implicit_range(event, zone) for event in value.get("event", ()) if event]
        bounds: list[IndexRow] = []
        period(value.get("repeat", {}).get("boundsPeriod", {}), bounds)
        lows = [event.low / 1e6 for event in events] + [row.low for row in bounds if row.low is not None]
        highs = [event.high / 1e6 for event in events] + [row.high for row in bounds if row.high is not None]
        if lows:
            add(min(lows), max(highs), rows)

    return {"Period": period, "Timing": timing}.get(leaf_type, instant)


def number(name: str, leaf_type: str) -> Emit:
    """Number rows."""
    param = param_number(name)

    def amount(value: int | Decimal, rows: list[IndexRow]) -> None:
        rows.append(_row((param, None, None, None, None, as_float(value), as_float(value))))

    def span(value: JsonObject, rows: list[IndexRow]) -> None:
        low, high = value.get("low", {}).get("value"), value.get("high", {}).get("value")
        if low is not None or high is not None:
            ends = (-FOREVER if low is None else as_float(low), FOREVER if high is None else as_float(high))
            rows.append(_row((param, None, None, None, None, *ends)))

    return span if leaf_type == "Range" else amount


_COMPARED: Mapping[str, Callable[[Decimal | int], tuple[float | Decimal | int, float | Decimal | int]]] = {
    "<": lambda value: (-FOREVER, value),
    "<=": lambda value: (-FOREVER, value),
    ">": lambda value: (value, FOREVER),
    ">=": lambda value: (value, FOREVER),
}
"""A Quantity with a comparator is the whole range that it stands for."""


def quantity(name: str, leaf_type: str) -> Emit:
    """Quantity rows: as written, in canonical UCUM units, and by the unit's text where that differs from its code."""
    param = param_number(name)

    def add(low: float | Decimal, high: float | Decimal, of: JsonObject, rows: list[IndexRow]) -> None:
        system, code, unit = of.get("system", ""), of.get("code", ""), of.get("unit")
        rows.append(_row((param, None, None, bounded(system), bounded(code), as_float(low), as_float(high))))
        if system == UCUM and code:
            known = canonical(code)
            if known is not None:
                ends = (end if isinstance(end, float) else known.of(end) for end in (low, high))
                rows.append(_row((param, None, None, CANONICAL, known.unit, *ends)))
        if unit and unit != code:
            rows.append(_row((param, None, None, "", bounded(unit), as_float(low), as_float(high))))

    def amount(value: JsonObject, rows: list[IndexRow]) -> None:
        figure = value.get("value")
        if figure is not None:
            compared = _COMPARED.get(value.get("comparator", ""))
            add(*(compared(figure) if compared else (figure, figure)), value, rows)

    def span(value: JsonObject, rows: list[IndexRow]) -> None:
        low, high = value.get("low", {}), value.get("high", {})
        ends = (low.get("value", -FOREVER), high.get("value", FOREVER))
        if ends != (-FOREVER, FOREVER):
            add(*ends, high if "value" in high else low, rows)

    def money(value: JsonObject, rows: list[IndexRow]) -> None:
        if value.get("value") is not None:
            add(value["value"], value["value"], {"system": CURRENCIES, "code": value.get("currency", "")}, rows)

    return {"Range": span, "Money": money}.get(leaf_type, amount)
