"""Rows of resources, as a ViewDefinition asks for them (SQL on FHIR 2.0, https://sql-on-fhir.org/ig): FHIRPath to columns.

Columns hold one value each (the specification's tabular profile). `repeat` and `collection` are not supported, and are refused.
"""
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import product
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias, cast

from recovery_api.fhir.fhirpath import Env, FhirPathError, Node, Path, Scope
from recovery_api.fhir.fhirpath import compile as fhirpath
from recovery_api.fhir.json import Json, JsonObject, load
from recovery_api.fhir.paths import objects_at

Value: TypeAlias = str | bool | int | float | date | datetime | None
Row: TypeAlias = dict[str, Value]
Key: TypeAlias = Callable[[str], str]
"""What stands for "Type/id" in the rows: getResourceKey() and getReferenceKey() give it."""

ANSI: Final = "ansi/type"
"""The tag by which a column says its SQL type (https://sql-on-fhir.org/ig, type hinting); else its FHIR type does."""

TEXT, BOOLEAN, INTEGER, NUMBER, DATE, MOMENT = (
    "CHARACTER VARYING", "BOOLEAN", "INTEGER", "DOUBLE PRECISION", "DATE", "TIMESTAMP WITH TIME ZONE",
)  # fmt: skip

_USUAL: Mapping[str, str] = MappingProxyType(
    {"boolean": BOOLEAN, "decimal": NUMBER, **dict.fromkeys(("integer", "positiveInt", "unsignedInt"), INTEGER)}
)
_NAME: Final = re.compile("[A-Za-z][A-Za-z0-9_]*")
_SELECTS: Final = frozenset({"column", "forEach", "forEachOrNull", "select", "unionAll"})
_COLUMN: Final = frozenset({"collection", "description", "name", "path", "tag", "type"})


class ViewError(ValueError):
    """A ViewDefinition that can't be run, or a resource that it does not fit; the message is a sentence."""


class Column(NamedTuple):
    """A column's name, and its SQL type in the words of ANSI."""

    name: str
    type: str


class _Part(NamedTuple):
    """A part of a view: its columns, and the rows that an element gives."""

    columns: tuple[Column, ...]
    rows: Callable[[Scope, Node], Iterable[Row]]


class View:
    """A ViewDefinition, compiled. Raises ViewError where it is none that can be run."""

    def __init__(self, definition: JsonObject) -> None:
        self.definition = definition
        self.name: str = definition["name"]
        self.resource: str = definition["resource"]
        self._constants = {one["name"]: _constant(one) for one in definition.get("constant", ())}
        self._where = [_compiled(one["path"], self.resource) for one in definition.get("where", ())]
        self._part = _crossed([_selection(one, self.resource) for one in definition["select"]])
        self.columns = self._part.columns
        names = [column.name for column in self.columns]
        if len(names) != len(set(names)) or not all(_NAME.fullmatch(name) for name in (self.name, *names)):
            raise ViewError(f"The view {self.name} has two columns of one name, or a name that SQL does not take.")

    def rows(self, resource: JsonObject, key: Key = str) -> list[Row]:
        """The rows of a resource, none where it is of another type or `where` does not hold. Raises ViewError."""
        if resource.get("resourceType") != self.resource:
            return []
        node = Node(self.resource, resource)
        scope = Scope(Env(variables=self._constants, key=key), node)
        try:
            if not all(_holds(scope, path, node) for path in self._where):
                return []
            return list(self._part.rows(scope, node))
        except FhirPathError as error:
            said = f"{self.resource}/{resource.get('id')}"
            raise ViewError(f"The view {self.name} does not fit {key(said)}: {error}") from error

    def rows_of(self, text: str, key: Key = str) -> list[Row]:
        """The rows of a resource in its JSON text."""
        return self.rows(load(text.encode()), key)

    def paths(self) -> Iterator[str]:
        """All the FHIRPath in it."""
        return _paths(self.definition)

    def __reduce__(self) -> tuple[type["View"], tuple[JsonObject]]:
        """A view travels to other processes as what it was made from."""
        return View, (self.definition,)


def _paths(said: JsonObject) -> Iterator[str]:
    yield from (said[name] for name in ("path", "forEach", "forEachOrNull") if name in said)
    for name in ("where", "column", "select", "unionAll"):
        for each in objects_at(said, name):
            yield from _paths(each)


def _constant(said: JsonObject) -> Json:
    return next(value for name, value in said.items() if name.startswith("value"))


def _compiled(expression: str, type: str) -> Path:
    try:
        return fhirpath(expression, type)
    except FhirPathError as error:
        raise ViewError(f"'{expression}' can't be asked of {type}: {error}") from error


def _holds(scope: Scope, path: Path, node: Node) -> bool:
    found = path.nodes(scope, [node])
    return len(found) == 1 and found[0].value is True


def _selection(said: JsonObject, type: str) -> _Part:
    if unknown := said.keys() - _SELECTS:
        raise ViewError(f"A select holds what is not supported: {min(unknown)}")
    each, or_null = said.get("forEach"), said.get("forEachOrNull")
    expression = each or or_null
    path = _compiled(expression, type) if expression else None
    inner = type if path is None else _one_type(path)
    parts = [_columns([_column(one, inner) for one in said["column"]])] if "column" in said else []
    parts += [_selection(one, inner) for one in objects_at(said, "select")]
    if united := [_selection(one, inner) for one in objects_at(said, "unionAll")]:
        parts.append(_united(united))
    part = _crossed(parts)
    return part if path is None else _unnested(path, part, or_null=or_null is not None)


def _one_type(path: Path) -> str:
    if path.types is None or len(path.types) != 1:
        raise ViewError(f"'{path.expression}' does not give elements of one type.")
    return next(iter(path.types))


def _column(said: JsonObject, type: str) -> tuple[Column, Callable[[Scope, Node], Value]]:
    if unknown := {name for name in said if name not in _COLUMN or (name == "collection" and said[name])}:
        raise ViewError(f"The column {said.get('name')} holds what is not supported: {min(unknown)}")
    path = _compiled(said["path"], type)
    tagged = next((tag["value"] for tag in said.get("tag", ()) if tag["name"] == ANSI), None)
    column = Column(said["name"], tagged or _USUAL.get(said.get("type", "string"), TEXT))
    if column.type not in _VALUES:
        raise ViewError(f"The column {column.name} has a type that is not supported: {column.type}")
    take = _VALUES[column.type]

    def value(scope: Scope, node: Node) -> Value:
        found = [each.value for each in path.nodes(scope, [node]) if each.value is not None]
        if len(found) > 1:
            raise FhirPathError(f"the column {column.name} has {len(found)} values")
        return take(found[0]) if found else None

    return column, value


def _columns(columns: Sequence[tuple[Column, Callable[[Scope, Node], Value]]]) -> _Part:
    named = tuple((column.name, value) for column, value in columns)

    def rows(scope: Scope, node: Node) -> Iterator[Row]:
        yield {name: value(scope, node) for name, value in named}

    return _Part(tuple(column for column, _ in columns), rows)


def _crossed(parts: Sequence[_Part]) -> _Part:
    """Every row of each part beside every row of the others."""
    if len(parts) == 1:
        return parts[0]

    def rows(scope: Scope, node: Node) -> Iterator[Row]:
        for several in product(*(part.rows(scope, node) for part in parts)):
            yield {name: value for row in several for name, value in row.items()}

    return _Part(tuple(column for part in parts for column in part.columns), rows)


def _united(parts: Sequence[_Part]) -> _Part:
    """The rows of one part after those of another; all have the same columns."""
    if len({part.columns for part in parts}) != 1:
        raise ViewError("The parts of a unionAll have not the same columns.")

    def rows(scope: Scope, node: Node) -> Iterator[Row]:
        for part in parts:
            yield from part.rows(scope, node)

    return _Part(parts[0].columns, rows)


def _unnested(path: Path, part: _Part, *, or_null: bool) -> _Part:
    nothing: Row = {column.name: None for column in part.columns}

    def rows(scope: Scope, node: Node) -> Iterator[Row]:
        elements = path.nodes(scope, [node])
        for element in elements:
            yield from part.rows(scope, element)
        if not elements and or_null:
            yield dict(nothing)

    return _Part(part.columns, rows)


def _text(value: Json) -> str:
    if isinstance(value, dict | list):
        raise FhirPathError("a column holds an element that is no primitive")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _date(value: Json) -> date | None:
    """The day that a date or dateTime names; None where it is less exact."""
    said = str(value)[:10]
    return date.fromisoformat(said) if len(said) == 10 else None


def _moment(value: Json) -> datetime | None:
    """The moment, in UTC; None where the value has no time of day."""
    return datetime.fromisoformat(str(value)).astimezone(UTC) if "T" in str(value) else None


_VALUES: Mapping[str, Callable[[Json], Value]] = MappingProxyType(
    {
        TEXT: _text,
        BOOLEAN: lambda value: cast("bool", value),
        INTEGER: int,
        NUMBER: float,
        DATE: _date,
        MOMENT: _moment,
    }
)
