"""The meaning of an expression, in memory: what the store's SQL must equal.

Covers what queries are lowered to; the nodes of policy have their meaning in the store and in the tests' own oracle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Protocol

from recovery_api.fhir.search.expression import (
    And,
    Bind,
    Chain,
    Comparison,
    Expression,
    Has,
    IndexRow,
    Not,
    Or,
    Own,
    Row,
    Test,
    param_number,
)
from recovery_api.fhir.search.parameters import ParameterTable, SearchParameter


@dataclass(frozen=True)
class View:
    """A resource as search sees it: its index rows and its own columns."""

    type: str
    id: str
    rows: Sequence[IndexRow]
    client: str = ""
    last_updated: int = 0
    kind: str = ""
    released: bool = False
    creator: str = ""
    labels: int = 0
    by_number: Mapping[int, list[IndexRow]] = field(init=False)

    def __post_init__(self) -> None:
        by_number: dict[int, list[IndexRow]] = {}
        for row in self.rows:
            by_number.setdefault(row.param, []).append(row)
        object.__setattr__(self, "by_number", by_number)


class World(Protocol):
    """All resources that the caller may read, for Chain and Has."""

    @property
    def table(self) -> ParameterTable:
        """The search parameters."""
        ...

    def get(self, type_: str, id_: str) -> View | None:
        """The resource of the type and id."""
        ...

    def of(self, type_: str) -> Iterable[View]:
        """All resources of the type."""
        ...

    def shows(self, type_: str, id_: str) -> bool:
        """Whether a reference to the resource may be followed: to one that can't be, no reference is seen."""
        ...


class Resources:
    """A World of given resources."""

    def __init__(self, table: ParameterTable, views: Iterable[View], *, shows_all: bool = False) -> None:
        """`shows_all`: what can't be followed has been dropped already."""
        self._table = table
        self._views = {(view.type, view.id): view for view in views}
        self._shows_all = shows_all

    @property
    def table(self) -> ParameterTable:
        return self._table

    def get(self, type_: str, id_: str) -> View | None:
        return self._views.get((type_, id_))

    def of(self, type_: str) -> Iterable[View]:
        return [view for view in self._views.values() if view.type == type_]

    def shows(self, type_: str, id_: str) -> bool:
        return self._shows_all or (type_, id_) in self._views


def _extends(column: str, value: str) -> bool:
    return value.startswith(column)


def _lacks(column: int, value: int) -> bool:
    return not column & value


_COMPARE: Mapping[Comparison, Any] = {
    "=": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "prefix": str.startswith,
    "contains": str.__contains__,
    "extends": _extends,
    "lacks": _lacks,
}


def match(expression: Expression, view: View, world: World) -> bool:
    """Whether the expression holds of the resource. Raises TypeError for a node or a value that only policy knows."""
    match expression:
        case And(parts):
            return all(match(part, view, world) for part in parts)
        case Or(parts):
            return any(match(part, view, world) for part in parts)
        case Not(part):
            return not match(part, view, world)
        case Row(param, tests):
            return any(all(_passes(test, row) for test in tests) for row in _rows(param, view, world))
        case Own(column, comparison, value):
            return _COMPARE[comparison](getattr(view, column), _closed(value))
        case Chain(param, targets):
            wanted = dict(targets)
            return any(
                type_ in wanted and (target := world.get(type_, id_)) is not None and match(wanted[type_], target, world)
                for type_, id_ in _aims(param, view, world)
            )
        case Has(type_, param, where):
            return any((view.type, view.id) in _aims(param, source, world) and match(where, source, world) for source in world.of(type_))
        case _:
            raise TypeError(f"{type(expression).__name__} has no meaning without relations")


def _rows(param: str, view: View, world: World) -> list[IndexRow]:
    """The index rows of the parameter that the caller's copy of the resource has."""
    name, _, modifier = param.partition(":")
    parameter = world.table.named(name)
    rows, aim = view.by_number.get(param_number(param), []), parameter.aim(modifier)
    if not aim:
        return rows
    named = [(row, (row.system, row.value) if aim == "value" else (row.system2, row.value2)) for row in rows]
    client = ("Patient", view.client)
    kept = {client} if parameter.names_client else set[tuple[str, str]]()
    return [row for row, (type_, id_) in named if not type_ or (type_, id_) in kept or world.shows(type_, id_ or "")]


def _passes(test: Test, row: IndexRow) -> bool:
    column = getattr(row, test.column)
    return column is not None and _COMPARE[test.comparison](column, _closed(test.value))


def _closed(value: object) -> object:
    if isinstance(value, Bind):
        raise TypeError(f"the value {value.name} is still open")
    return value


def _aims(param: str, view: View, world: World) -> list[tuple[str, str]]:
    """The (type, id) pairs that a reference parameter of the resource points at."""
    found = [(row.system, row.value) for row in view.by_number.get(param_number(param), ()) if row.system and row.value]
    if world.table.named(param).column == "client" and view.client:
        found.append(("Patient", view.client))
    return found


_KEYS: Mapping[str, str] = {"string": "value", "token": "value", "reference": "value", "uri": "value"}


def sort_value(parameter: SearchParameter, view: View, world: World, *, descending: bool = False) -> str | float | int | None:
    """What `_sort` goes by: the smallest value (descending: the largest) of the parameter's rows; None, which comes last, without."""
    if parameter.column == "id":
        return view.id
    if parameter.column == "last_updated":
        return view.last_updated
    column = _KEYS.get(parameter.kind, "low")
    found = [getattr(row, column) for row in _rows(parameter.rows[0], view, world)]
    if parameter.column == "client" and view.client:
        found.append(view.client)
    kept = [value for value in found if value is not None]
    return (max if descending else min)(kept, default=None)
