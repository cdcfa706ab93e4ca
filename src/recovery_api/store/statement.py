"""Statements: built by SQLAlchemy Core, compiled once to the driver's own text and order of values."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import BindParameter, ClauseElement, ColumnElement, Select, bindparam, column, func, literal, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import ARRAY, Text, TypeEngine

from recovery_api.fhir.search.expression import Bind, Value

T = TypeVar("T")

Dialect: TypeAlias = Literal["postgresql", "sqlite"]
SqlValue: TypeAlias = str | int | float | bytes | bool | Sequence[str | None] | Sequence[int] | Sequence[float | None] | None

_DIALECTS = {"postgresql": postgresql.asyncpg.dialect(), "sqlite": sqlite.dialect(paramstyle="pyformat")}


class Statement(NamedTuple):
    """SQL text of one dialect, and the names of its values in the driver's order."""

    text: str
    order: tuple[str, ...]
    constants: Mapping[str, SqlValue] = MappingProxyType({})
    """Values that the clause brought along."""

    def values(self, named: Mapping[str, SqlValue]) -> list[SqlValue]:
        """The named values in the driver's order."""
        if self.constants:
            named = {**self.constants, **named}
        return [named[name] for name in self.order]


class _Places(dict[str, str]):
    """SQLite's numbered places for values, by their names: what is asked for in many places is bound once."""

    def __missing__(self, name: str) -> str:
        return self.setdefault(name, f"?{len(self) + 1}")


def compiled(clause: ClauseElement, dialect: Dialect) -> Statement:
    """The clause as text for the driver; literals stand in the text, binds stay open by their names."""
    done = clause.compile(dialect=_DIALECTS[dialect], compile_kwargs={"render_postcompile": True})
    assert isinstance(done, SQLCompiler)
    text, places = str(done), _Places()
    if dialect == "sqlite":
        text %= places
    order = tuple(places or done.positiontup or ())
    given = {name: value for name, value in done.params.items() if name in order and value is not None}
    return Statement(text, order, MappingProxyType(given))


def bind(name: str, type_: TypeEngine[T]) -> BindParameter[T]:
    """A value that stays open until the statement runs."""
    return bindparam(name, type_=type_, required=False)


def text(value: str) -> ColumnElement[str]:
    """A value that stands in the text of the statement."""
    quoted = value.replace("'", "''")
    return literal_column(f"'{quoted}'", Text)


def one_of(column: ColumnElement[Any], values: Sequence[str] | Sequence[int]) -> ColumnElement[bool]:
    """The column is one of values that stand in the text of the statement."""
    literals = [text(value) if isinstance(value, str) else literal_column(str(value), column.type) for value in values]
    return column == literals[0] if len(literals) == 1 else column.in_(literals)


def sql_value(value: Value, type_: TypeEngine[Any]) -> ColumnElement[Any]:
    """A value of an expression: open until the statement runs, or standing in its text."""
    return bind(value.name, type_) if isinstance(value, Bind) else literal(value, type_, literal_execute=True)


def in_list(element: ColumnElement[str], name: str, dialect: Dialect) -> ColumnElement[bool]:
    """The element is one of a list of texts, bound as one value (`text_list`)."""
    if dialect == "postgresql":
        return element == func.any(bind(name, ARRAY(Text())))
    return element.in_(listed(name))


def listed(name: str) -> Select[str]:
    """The values of a JSON list that is bound under the name (SQLite)."""
    return select(column("value", Text)).select_from(func.json_each(bind(name, Text())))


def text_list(values: Sequence[str], dialect: Dialect) -> SqlValue:
    """The value to bind for `in_list`."""
    return list(values) if dialect == "postgresql" else json.dumps(list(values))
