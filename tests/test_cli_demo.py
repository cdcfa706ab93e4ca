"""`recovery-api demo`: the world is made once, sign-ins every time, and nobody's own database is touched."""

import json
import re
from pathlib import Path

import httpx

from tests.conftest import DatabaseMaker
from tests.program import Program, free_port, rows


def sign_ins(program: Program) -> dict[str, str]:
    lines = (program.folder / "var" / "demo" / "tokens.env").read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def asked(program: Program, token: str, path: str) -> httpx.Response:
    given = sign_ins(program)
    return httpx.get(f"{given['FHIR']}/{path}", headers={"authorization": f"Bearer {given[token]}"}, timeout=60)


def test_a_demo_is_made_once_and_reset_when_asked_to(tmp_path: Path, blank_database: DatabaseMaker) -> None:
    program, port = Program(tmp_path, blank_database()), free_port()
    url = program.database_url or ""
    with program.serving("demo", port=port):
        first = sign_ins(program)
        assert first["FHIR"] == f"http://127.0.0.1:{port}/fhir"
        assert asked(program, "TOKEN_MAYA", "Patient?_summary=count").json()["total"] == 6
        assert asked(program, "TOKEN_LEO", "Patient?_summary=count").json()["total"] == 2
        assert asked(program, "TOKEN_APP_ANA", "Patient/ana").status_code == 200
        subject = {"reference": "Patient/ana"}
        extra = {"resourceType": "Observation", "id": "extra", "status": "final", "code": {"text": "x"}, "subject": subject}
        (tmp_path / "more.json").write_text(json.dumps(extra))
        assert program.run("load", "more.json").returncode == 0
    world = "FROM resource WHERE type <> 'AuditEvent'"
    there = rows(url, f"SELECT type, id, version {world} ORDER BY type, id")
    with program.serving("demo", port=port):
        assert rows(url, f"SELECT type, id, version {world} ORDER BY type, id") == there
        assert sign_ins(program)["TOKEN_MAYA"] != first["TOKEN_MAYA"]
        assert asked(program, "TOKEN_RUTH", "Observation/extra").status_code == 200
    with program.serving("demo", "--reset", port=port):
        assert asked(program, "TOKEN_RUTH", "Observation/extra").status_code == 404
    assert rows(url, f"SELECT count(*) {world}") == [(len(there) - 1,)]
    assert rows(url, "SELECT count(*) FROM history") == [(0,)]


def test_a_database_that_is_somebodys_own_is_left_alone(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.run("migrate")
    (tmp_path / "in.ndjson").write_text('{"resourceType":"Patient","id":"jo"}\n')
    program.run("load", "in.ndjson")
    for arguments in ((), ("--reset",)):
        said = program.run("demo", "--port", "0", *arguments)
        assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1), said.stderr
    assert rows(f"sqlite:///{tmp_path}/var/recovery.db", "SELECT id FROM resource WHERE type = 'Patient'") == [("jo",)]


def test_make_gives_the_port_to_the_demo() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    assert re.search(r"^demo:.*\n\t@\$\(BIN\)/recovery-api demo \$\(PORT_OPTION\)", makefile, re.MULTILINE)
