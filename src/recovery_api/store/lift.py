"""Takes the values out of an expression, so that expressions of one shape share one compiled statement.

`lifted` gives the shape as a flat tuple (cheap to hash) and the values in order; `hollow` gives the same expression with the
values replaced by `Bind("v0")`, `Bind("v1")` …, in the same order. A prefix takes two places: its value, and the first text
after all that start with it. The type that a reference names stays in the expression.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.search.expression import (
    And,
    Bind,
    Chain,
    ClientOf,
    Comparison,
    Consented,
    DeniedInPerson,
    Expression,
    Has,
    Not,
    Or,
    Own,
    OwnBasis,
    Party,
    PartyIn,
    Row,
    Value,
    Via,
)

Shape: TypeAlias = tuple[object, ...]
_LAST_BEFORE_SURROGATES, _LAST = "\ud7ff", "\U0010ffff"


def after_prefix(text: str) -> str:
    """The first text, by code points, after all texts that start with this one (which is not empty)."""
    start = text.rstrip(_LAST)
    if not start:
        return _LAST * (len(text) + 1)
    last = "\ue000" if start[-1] == _LAST_BEFORE_SURROGATES else chr(ord(start[-1]) + 1)
    return start[:-1] + last


def lifted(expression: Expression) -> tuple[Shape, list[Any]]:
    """(shape, values) of the expression."""
    shape: list[object] = []
    values: list[Any] = []
    _LIFT[type(expression)](expression, shape, values)
    return tuple(shape), values


def _value(comparison: Comparison, value: Value, shape: list[object], values: list[Any]) -> None:
    if type(value) is Bind:
        shape.append(value)
        return
    values.append(value)
    if comparison == "prefix":
        shape.append(value == "")
        values.append(after_prefix(value) if value else "")  # type: ignore[arg-type]


def _lift_parts(node: And | Or, shape: list[object], values: list[Any]) -> None:
    shape.append(type(node))
    shape.append(len(node.parts))
    for part in node.parts:
        _LIFT[type(part)](part, shape, values)


def _lift_not(node: Not, shape: list[object], values: list[Any]) -> None:
    shape.append(Not)
    _LIFT[type(node.part)](node.part, shape, values)


def _lift_row(node: Row, shape: list[object], values: list[Any]) -> None:
    shape.append(node.param)
    shape.append(len(node.tests))
    for column, comparison, value in node.tests:
        shape.append(column)
        shape.append(comparison)
        if _stays(column, comparison, value):
            shape.append(value)
        else:
            _value(comparison, value, shape, values)


def _stays(column: str, comparison: Comparison, value: Value) -> bool:
    """A type that a reference names is part of the shape: which rule its target must meet depends on it."""
    return column == "system" and comparison == "=" and value in definitions().resource_types


def _lift_own(node: Own, shape: list[object], values: list[Any]) -> None:
    shape += (Own, node.column, node.comparison)
    _value(node.comparison, node.value, shape, values)


def _lift_chain(node: Chain, shape: list[object], values: list[Any]) -> None:
    shape += (Chain, node.param, len(node.targets))
    for target, where in node.targets:
        shape.append(target)
        _LIFT[type(where)](where, shape, values)


def _lift_has(node: Has, shape: list[object], values: list[Any]) -> None:
    shape += (Has, node.type, node.param)
    _LIFT[type(node.where)](node.where, shape, values)


def _lift_policy(node: Expression, shape: list[object], _values: list[Any]) -> None:
    shape.append(node)


_LIFT: dict[type, Callable[[Any, list[object], list[Any]], None]] = {
    And: _lift_parts,
    Or: _lift_parts,
    Not: _lift_not,
    Row: _lift_row,
    Own: _lift_own,
    Chain: _lift_chain,
    Has: _lift_has,
    **dict.fromkeys((ClientOf, Party, PartyIn, Via, Consented, DeniedInPerson, OwnBasis), _lift_policy),
}


def hollow(expression: Expression) -> Expression:
    """The expression with numbered binds for its values."""
    place = 0

    def bind(comparison: Comparison, value: Value) -> Value:
        nonlocal place
        if isinstance(value, Bind):
            return value
        name = f"v{place}"
        if comparison == "prefix" and not value:
            place += 2
            return ""
        place += 2 if comparison == "prefix" else 1
        return Bind(name)

    def walk(node: Expression) -> Expression:
        match node:
            case And(parts):
                return And(tuple(map(walk, parts)))
            case Or(parts):
                return Or(tuple(map(walk, parts)))
            case Not(part):
                return Not(walk(part))
            case Row(param, tests):
                return Row(param, tuple(test if _stays(*test) else test._replace(value=bind(*test[1:])) for test in tests))
            case Own(column, comparison, value):
                return Own(column, comparison, bind(comparison, value))
            case Chain(param, targets):
                return Chain(param, tuple((target, walk(where)) for target, where in targets))
            case Has(type, param, where):
                return Has(type, param, walk(where))
            case _:
                return node

    return walk(expression)


def next_place(name: str) -> str:
    """The name of the place after this one: where the end of a prefix stands."""
    return f"v{int(name[1:]) + 1}"
