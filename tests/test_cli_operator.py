"""What an operator does with a server: migrate it, serve it, examine it, index it anew."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from recovery_api.fhir.shipped import published
from recovery_api.store import migrate, readiness
from tests.conftest import DatabaseMaker
from tests.program import Program, free_port, rows


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def get(port: int, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, timeout=60)


def test_the_revision_that_a_server_needs_is_the_newest_migration() -> None:
    assert migrate.latest() == readiness.REVISION


def test_migrate_says_what_it_did_and_goes_back_only_when_told_to(program: Program) -> None:
    count = sum(1 for _ in published())
    moved, said = program.run("migrate").stdout.splitlines()
    assert moved == f"Migrated from base (empty) to {readiness.REVISION}."
    assert said == f"{count} definitions were published; 0 were there already."
    stayed, said = program.run("migrate").stdout.splitlines()
    assert stayed == f"The database is at revision {readiness.REVISION} already."
    assert said == f"0 definitions were published; {count} were there already."
    refused = program.run("migrate", "--revision", "base")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert "--back" in refused.stderr
    assert "base (empty)" in program.run("migrate", "--revision", "base", "--back").stdout
    unknown = program.run("migrate", "--revision", "none")
    assert (unknown.returncode, unknown.stdout, unknown.stderr.count("\n")) == (1, "", 1)


def test_migrate_makes_the_database_that_the_url_names(tmp_path: Path, blank_database: DatabaseMaker) -> None:
    program = Program(tmp_path, blank_database())
    assert program.run("migrate").returncode == 0
    assert rows(program.database_url or "", "SELECT version_num FROM alembic_version") == [(readiness.REVISION,)]


@pytest.mark.parametrize("command", ["serve", "doctor", "reindex"])
def test_a_database_that_is_not_ready_is_one_line(program: Program, command: str) -> None:
    for made in (False, True):
        if made:
            (program.folder / "var").mkdir(exist_ok=True)
            with closing(sqlite3.connect(program.folder / "var" / "recovery.db")) as connection:
                connection.execute("CREATE TABLE other (id)")
        said = program.run(command)
        assert said.returncode == 1
        assert "recovery-api migrate" in (said.stdout if command == "doctor" else said.stderr)
        assert command == "doctor" or said.stderr.count("\n") == 1


def test_a_database_of_a_newer_program_is_not_served(program: Program) -> None:
    program.run("migrate")
    with closing(sqlite3.connect(program.folder / "var" / "recovery.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    said = program.run("serve")
    assert (said.returncode, "9999" in said.stderr) == (1, True)


@pytest.mark.parametrize("url", ["postgresql+asyncpg://u:secret@127.0.0.1:1/none", "sqlite:////proc/none.db"])
def test_a_database_that_cannot_be_reached_is_one_line_without_secrets(tmp_path: Path, url: str) -> None:
    for command in ("serve", "migrate", "reindex"):
        said = Program(tmp_path, url).run(command)
        assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1), said.stderr
        assert "secret" not in said.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_answers_and_ends_when_it_is_told_to(program: Program, workers: str) -> None:
    program.run("migrate")
    port = free_port()
    with program.serving("serve", "--workers", workers, port=port):
        assert get(port, "/health/live").json() == {"status": "ok"}
        ready = get(port, "/health/ready").json()
        assert ready == {"status": "ok", "database": "ok", "migrations": "ok", "keys": "ok", "backlog": "0"}
        assert get(port, "/fhir/metadata").json()["resourceType"] == "CapabilityStatement"
        assert get(port, "/fhir/Patient", authorization="Bearer secret-token").status_code == 401
        assert get(port, "/nowhere").status_code == 404
    said = (program.folder / f"serving-{port}.log").read_text()
    assert "secret-token" not in said
    lines = [json.loads(line) for line in said.splitlines()]
    assert {(line["method"], line["route"], line["status"]) for line in lines if line["logger"] == "access"} >= {
        ("GET", "/fhir/metadata", 200),
        ("GET", "/fhir", 401),
        ("GET", "", 404),
    }


def test_ctrl_c_ends_a_server_too(program: Program) -> None:
    program.run("migrate")
    port = free_port()
    with program.serving("serve", port=port) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_a_request_keeps_its_id_and_is_counted(program: Program) -> None:
    program.run("migrate")
    port = free_port()
    with program.serving("serve", port=port):
        assert get(port, "/fhir/metadata", **{"x-request-id": "r-7"}).headers["x-request-id"] == "r-7"
        assert "x-request-id" not in get(port, "/fhir/metadata", **{"x-request-id": "a b"}).headers
        metrics = get(port, "/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert 'recovery_requests_total{interaction="capabilities",status="200"} 2.0' in metrics.text
    said = (program.folder / f"serving-{port}.log").read_text()
    assert '"request":"r-7"' in said


def test_a_port_that_is_taken_is_one_line(program: Program) -> None:
    program.run("migrate")
    port = free_port()
    with program.serving("serve", port=port):
        for command in ("serve", "demo"):
            said = program.run(command, "--port", str(port))
            assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1)
            assert str(port) in said.stderr


def test_an_unknown_setting_stops_every_command(tmp_path: Path) -> None:
    program = Program(tmp_path, settings={"PUBLIK_URL": "x"})
    for command in (("serve",), ("migrate",), ("demo",), ("reindex",), ("doctor",), ("load", ".")):
        said = program.run(*command)
        assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1)
        assert "RECOVERY_PUBLIC_URL" in said.stderr


def test_doctor_says_how_everything_is(program: Program) -> None:
    program.run("migrate")
    said = program.run("doctor")
    assert (said.returncode, said.stderr) == (0, "")
    assert [line.split()[:2] for line in said.stdout.splitlines()] == [
        ["ok", name] for name in ("settings", "database", "migrations", "keys", "definitions", "backlog", "types")
    ]


def test_reindex_makes_the_same_rows_anew(tmp_path: Path, database_url: str) -> None:
    program = Program(tmp_path, database_url)
    (tmp_path / "in.ndjson").write_text(
        '{"resourceType":"Patient","id":"jo","name":[{"family":"Lee"}]}\n{"resourceType":"Organization","id":"o","name":"Lee"}\n'
    )
    program.run("load", "in.ndjson")
    query = "SELECT param, type, id, client, value FROM search_index ORDER BY param, id, value"
    before = rows(database_url, query)
    assert len(before) > 3
    assert program.run("reindex").stdout == "2 resources indexed.\n"
    assert program.run("reindex", "--type", "Patient").stdout == "1 resources indexed.\n"
    assert rows(database_url, query) == before
    said = program.run("reindex", "--type", "Spaceship")
    assert (said.returncode, "Spaceship" in said.stderr) == (1, True)


def test_every_command_has_help(program: Program) -> None:
    for command in ("demo", "serve", "migrate", "load", "token", "reindex", "openapi", "doctor"):
        said = program.run(command, "--help")
        assert (said.returncode, said.stderr) == (0, "")
        assert "Usage: recovery-api" in said.stdout
