"""Spark gives the same rows as DuckDB, by the same views. Needs Java, and .venv/.spark (`make test` installs both)."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pytest

from recovery_api.analytics.engines import teach_duckdb, teach_spark
from recovery_api.analytics.views import shipped
from recovery_api.fhir.json import dump
from tests.analytics.told import KEY, expected, ordered, world


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = import_module("pyspark.sql").SparkSession.builder.master("local[1]")
    spark = spark.config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
    opened = spark.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
    yield opened
    opened.stop()


def test_spark_and_duckdb_give_the_same_rows_of_bulk_data(session: Any, tmp_path: Path) -> None:
    resources, lines = world(), tmp_path / "all.ndjson"
    lines.write_bytes(b"".join(dump(each) + b"\n" for each in resources))
    told = expected(resources)
    assert min(len(rows) for rows in told.values()) >= 2
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    for name, view in shipped().items():
        teach_spark(session, view, KEY)
        teach_duckdb(duck, view, KEY)
        on_many = [_utc(row.asDict()) for row in session.sql(f"SELECT inline({name}(value)) FROM text.`{lines}`").collect()]
        found = duck.execute(f"SELECT unnest({name}(json), recursive := true) FROM read_ndjson_objects('{lines}')")
        names = [column[0] for column in found.description or ()]
        on_one = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        assert ordered(on_many) == ordered(on_one) == told[name], name


def _utc(row: dict[str, Any]) -> dict[str, Any]:
    """Spark gives moments without a zone, in this process's own."""
    return {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in row.items()}
