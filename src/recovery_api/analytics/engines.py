"""A view as a function of SQL: in DuckDB on one machine, in Spark on many. It takes a resource's JSON text and gives a list of rows.

SELECT unnest(triggers(json), recursive := true) FROM read_ndjson_objects('Observation.ndjson')   -- DuckDB
SELECT inline(triggers(value)) FROM text.`Observation.ndjson`                                     -- Spark
"""
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from recovery_api.fhir.view_definition import BOOLEAN, DATE, INTEGER, MOMENT, NUMBER, TEXT, Key, Row, View

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

IN_DUCKDB: Mapping[str, str] = MappingProxyType(
    {TEXT: "VARCHAR", BOOLEAN: "BOOLEAN", INTEGER: "INTEGER", NUMBER: "DOUBLE", DATE: "DATE", MOMENT: "TIMESTAMPTZ"}
)
IN_SPARK: Mapping[str, str] = MappingProxyType(
    {TEXT: "STRING", BOOLEAN: "BOOLEAN", INTEGER: "INT", NUMBER: "DOUBLE", DATE: "DATE", MOMENT: "TIMESTAMP"}
)


class Functions(Protocol):
    """Where a Spark session keeps its functions (pyspark.sql.UDFRegistration)."""

    def register(self, name: str, f: Callable[..., Any], returnType: str) -> Any: ...  # noqa: N803 (Spark's word)


class Session(Protocol):
    """A Spark session (pyspark.sql.SparkSession), as far as it is needed here."""

    @property
    def udf(self) -> Functions: ...


def columns_in_duckdb(view: View) -> str:
    """The columns of a view, as DuckDB defines a table or a STRUCT."""
    return ", ".join(f'"{column.name}" {IN_DUCKDB[column.type]}' for column in view.columns)


def teach_duckdb(connection: "DuckDBPyConnection", view: View, key: Key) -> None:
    """Let the connection run the view: as a function of its name."""

    def rows(text: str) -> list[Row]:
        return view.rows_of(text, key)

    told = f"STRUCT({columns_in_duckdb(view)})[]"
    connection.create_function(view.name, rows, ["varchar"], told)  # pyright: ignore[reportUnknownMemberType] (numpy's part of it is)


def teach_spark(session: Session, view: View, key: Key) -> None:
    """Let the session run the view: as a function of its name. Each of its machines needs this package."""
    columns = ", ".join(f"`{column.name}`: {IN_SPARK[column.type]}" for column in view.columns)
    session.udf.register(view.name, _Rows(view, key), f"ARRAY<STRUCT<{columns}>>")


class _Rows:
    """Rows as Spark takes them: tuples, in the order of the columns."""

    def __init__(self, view: View, key: Key) -> None:
        self._view, self._key = view, key

    def __call__(self, text: str) -> list[tuple[Any, ...]]:
        return [tuple(row[column.name] for column in self._view.columns) for row in self._view.rows_of(text, self._key)]
