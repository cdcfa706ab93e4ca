"""`recovery-api load` as a process: ended anywhere and run again, beside a server, and what it says."""

import json
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from recovery_api.demo.people import REALISTIC_PATIENTS
from recovery_api.demo.world import bundle
from tests.conftest import DatabaseMaker
from tests.program import Program, free_port, rows

STAMPED = re.compile(rb'"(lastUpdated|start)":"2[^"]*"')
TEAM = ("--care-team", "companion=maya,case-manager=ruth")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    path = tmp_path / "world.json"
    path.write_text(json.dumps(bundle()))
    return path


def contents(url: str) -> dict[str, Counter[tuple[Any, ...]]]:
    """All that the database holds, save for the times at which it was written and the care teams began."""
    made = rows(url, "SELECT id FROM resource WHERE type IN ('CareTeam', 'EpisodeOfCare')")
    engaged = {id_ for [id_] in made}
    found = {
        "resource": rows(url, "SELECT type, id, version, method, client, kind, released, creator, body FROM resource"),
        "history": rows(url, "SELECT type, id, version FROM history"),
        "party": rows(url, "SELECT * FROM party"),
        "relation": rows(url, "SELECT source_type, source_id, kind, holder, client, organization, qualifier, ends FROM relation"),
        "search_index": rows(url, "SELECT param, type, id, client, system, value, system2, value2, low, high FROM search_index"),
        "outbox": rows(url, "SELECT type, id FROM outbox"),
        "claim": rows(url, "SELECT * FROM claim"),
    }
    found["resource"] = [(*row[:-1], STAMPED.sub(b"", bytes(row[-1]))) for row in found["resource"]]
    found["search_index"] = [row if row[2] not in engaged else row[:8] for row in found["search_index"]]
    return {table: Counter(rows_) for table, rows_ in found.items()}


def kill_at(process: "subprocess.Popen[bytes]", url: str, count: int, delay: float) -> None:
    """End it by SIGKILL some time after so many resources are there; it must not have ended by itself."""
    while rows(url, "SELECT count(*) FROM resource")[0][0] < count:
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_load_that_was_killed_three_times_ends_like_one_that_was_not(tmp_path: Path, world: Path, empty_database: DatabaseMaker) -> None:
    arguments = ("load", str(world), str(REALISTIC_PATIENTS), *TEAM)
    killed, whole = Program(tmp_path, empty_database()), Program(tmp_path, empty_database())
    assert whole.run(*arguments).returncode == 0
    for number, (count, delay) in enumerate(((1, 0.0), (2_000, 0.1), (3_000, 0.3))):
        assert killed.database_url
        process = killed.start(*arguments, log=tmp_path / f"{number}.log")
        kill_at(process, killed.database_url, count, delay)
    last = killed.run(*arguments)
    assert last.returncode == 0, last.stderr
    assert re.search(r"[1-9]\d* created, 0 updated, [\d,]+ unchanged, 0 rejected", last.stderr)
    one, other = contents(killed.database_url or ""), contents(whole.database_url or "")
    assert {table: (one[table] - other[table], other[table] - one[table]) for table in one} == dict.fromkeys(one, (Counter(), Counter()))
    again = killed.run(*arguments)
    assert "0 created, 0 updated" in again.stderr


def test_a_load_beside_a_running_server_is_seen_at_once(tmp_path: Path, world: Path, database_url: str) -> None:
    port = free_port()
    program = Program(tmp_path, database_url, {"PUBLIC_URL": f"http://127.0.0.1:{port}"})
    with program.serving("serve", port=port):
        assert program.run("load", str(world)).returncode == 0
        token = program.run("token", "--role", "companion", "--fhir-user", "Practitioner/maya").stdout.strip()
        found = httpx.get(f"http://127.0.0.1:{port}/fhir/Patient?_summary=count", headers={"authorization": f"Bearer {token}"})
    assert found.json()["total"] == 3


def test_what_was_rejected_is_said_and_written_and_the_exit_code_tells(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.run("migrate")
    path = tmp_path / "in.ndjson"
    path.write_text('{"resourceType":"Patient","id":"jo"}\n{"resourceType":"Patient","id":"bo","gender":"x"}\n')
    said = program.run("load", str(path))
    assert (said.returncode, said.stdout) == (1, "")
    assert "1 created, 0 updated, 0 unchanged, 1 rejected." in said.stderr
    assert "in.ndjson:2" in said.stderr
    rejects = tmp_path / "var" / "load-rejects.ndjson"
    assert rejects.stat().st_mode & 0o777 == 0o600
    [reject] = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert (reject["line"], reject["resource"], reject["issue"][0]["expression"]) == (2, "Patient/bo", ["Patient.gender"])
    path.write_text('{"resourceType":"Patient","id":"bo","gender":"male"}\n')
    said = program.run("load", str(path), "--rejects", str(tmp_path / "none.ndjson"))
    assert (said.returncode, (tmp_path / "none.ndjson").exists()) == (0, False)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), "PATH"),
        (("nothing.ndjson",), "nothing.ndjson"),
        (("notes.txt",), "notes.txt"),
        ((".",), "recovery-api migrate"),
        ((".", "--care-team", "maya"), "--care-team"),
        ((".", "--care-team", "friend=maya"), "--care-team"),
        ((".", "--care-team", "companion=maya,companion=leo"), "--care-team"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path: Path, arguments: tuple[str, ...], names: str) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "in.ndjson").touch()
    said = Program(tmp_path).run("load", *arguments)
    assert (said.returncode in {1, 2}, said.stdout, said.stderr.count("\n")) == (True, "", 1)
    assert said.stderr.startswith("recovery-api: ")
    assert names in said.stderr


def test_a_care_team_of_nobody_is_one_line(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.run("migrate")
    (tmp_path / "in.ndjson").write_text('{"resourceType":"Patient","id":"jo"}\n')
    said = program.run("load", "in.ndjson", "--care-team", "companion=nobody")
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert "Practitioner/nobody" in said.stderr


def test_a_file_that_is_not_what_its_name_says_is_one_line(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.run("migrate")
    (tmp_path / "in.ndjson.gz").write_text("plain")
    said = program.run("load", "in.ndjson.gz")
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert "in.ndjson.gz" in said.stderr
