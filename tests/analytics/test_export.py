"""`recovery-api export --parquet`: what an operator gets, what stands in the audit log, and what is refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from recovery_api.analytics.views import shipped
from tests.analytics.told import SECRET, expected, ordered, world
from tests.api import serving
from tests.callers import SAM
from tests.databases import Databases
from tests.program import Program


@pytest.fixture(scope="module")
async def url(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    made = databases.clone(migrated_template)
    async with serving(made, tmp_path_factory.mktemp("told"), world()):
        pass
    yield made
    databases.drop(made)


def rows(file: Path) -> list[dict[str, Any]]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    found = connection.execute(f"SELECT * FROM '{file}'")
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def program(folder: Path, url: str) -> Program:
    (folder / "key").write_bytes(SECRET)
    return Program(folder, url)


def test_the_tables_hold_what_the_views_say_and_nothing_else(url: str, tmp_path: Path) -> None:
    told = expected(world())
    said = program(tmp_path, url).run("export", "--parquet", "tables", "--key", "key")
    assert said.stdout.splitlines() == [f"{name}: {len(found)} rows in tables/{name}.parquet" for name, found in told.items()], said.stderr
    made = sorted((tmp_path / "tables").iterdir())
    assert [(file.name, file.stat().st_mode & 0o777) for file in made] == [(f"{name}.parquet", 0o600) for name in sorted(shipped())]
    assert {file.stem: ordered(rows(file)) for file in made} == told
    values = {value for file in made for row in rows(file) for value in row.values() if isinstance(value, str)}
    ids = {each["id"] for each in world()}
    assert not {value for value in values if value in ids or value.partition("/")[2] in ids}


async def test_an_export_is_recorded_before_anything_is_read(url: str, tmp_path: Path) -> None:
    assert program(tmp_path, url).run("export", "--parquet", "tables", "--view", "outcomes", "--view", "sessions").returncode == 0
    assert sorted(file.name for file in (tmp_path / "tables").iterdir()) == ["outcomes.parquet", "sessions.parquet"]
    with_the_key = {row["client"] for row in expected(world())["sessions"]}
    assert not with_the_key & {row["client"] for row in rows(tmp_path / "tables" / "sessions.parquet")}
    async with serving(url, tmp_path / "var") as api:
        found = await api.as_(SAM).get("AuditEvent", type="http://dicom.nema.org/resources/ontology/DCM|110106", _sort="-date", _count=2)
    assert [each["entity"][0]["what"]["type"] for each in found.matches] == ["Observation", "Encounter"]
    for event in found.matches:
        assert (event["action"], event["outcome"]) == ("R", "0")
        assert [entity["name"] for entity in event["entity"] if "name" in entity] == ["export --parquet: outcomes, sessions"]
        assert [agent["who"]["identifier"]["value"].partition(":")[0] for agent in event["agent"] if agent["requestor"]] == ["operator"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--parquet", "tables", "--view", "unknown"), "cadence, outcomes, sessions, triggers"),
        (("--parquet", "tables", "--key", "short"), "16 bytes"),
        (("--parquet", "tables", "--key", "missing"), "missing"),
        (("--parquet", "short"), "short"),
        ((), "--parquet"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    (tmp_path / "short").write_bytes(b"short")
    said = Program(tmp_path).run("export", *arguments)
    assert (said.returncode > 0, said.stdout, said.stderr.count("\n"), told in said.stderr) == (True, "", 1, True), said.stderr
    assert not (tmp_path / "tables" / "sessions.parquet").exists()


def test_a_run_that_fails_leaves_the_old_tables(url: str, tmp_path: Path) -> None:
    """Here: a folder stands where the table would."""
    (tmp_path / "tables" / "sessions.parquet").mkdir(parents=True)
    said = program(tmp_path, url).run("export", "--parquet", "tables", "--view", "sessions")
    assert (said.returncode, said.stderr.count("\n")) == (1, 1), said.stderr
    assert [each.name for each in (tmp_path / "tables").iterdir()] == ["sessions.parquet"]
