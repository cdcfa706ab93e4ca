"""The audit log of real processes: through a restart and a crash, examined by `recovery-api audit verify`."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from recovery_api.policy.audit import decoded
from recovery_api.store import migrate
from tests.conftest import DatabaseMaker
from tests.postgresql import apart_from_any_loop
from tests.program import PATIENCE, Program, free_port, rows, wait_for_answer

WHOLE = "The audit log is whole: "


@pytest.fixture
def program(tmp_path: Path, empty_database: DatabaseMaker) -> Program:
    return Program(tmp_path, empty_database())


@pytest.fixture
def token(program: Program) -> str:
    asked = program.run("token", "--role", "admin", "--fhir-user", "Practitioner/kim", "--organization", "org-cir")
    return asked.stdout.strip()


def numbers(said: str) -> tuple[int, int, int]:
    """Records, chains and anchors, as `audit verify` says them."""
    words = said.removeprefix(WHOLE).replace(",", "").split()
    return int(words[0]), int(words[3]), int(words[6])


def organization(number: int) -> dict[str, object]:
    return {"resourceType": "Organization", "name": f"Number {number}"}


async def ask_until_it_dies(port: int, token: str, answered: list[str]) -> None:
    """Reads and writes, eight at a time; the request ids of those that were answered."""
    limits = httpx.Limits(max_connections=8)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/fhir", limits=limits, timeout=PATIENCE) as http:

        async def one(worker: int) -> None:
            for number in range(10_000):
                name = f"r-{worker}-{number}"
                headers = {"authorization": f"Bearer {token}", "x-request-id": name, "content-type": "application/fhir+json"}
                try:
                    if number % 3 == 0:
                        answer = await http.post("/Organization", json=organization(number), headers=headers)
                    else:
                        answer = await http.get("/Organization/none", headers=headers)
                except httpx.TransportError:
                    return
                assert answer.status_code in {201, 404}, answer.text
                answered.append(name)

        await asyncio.gather(*(one(worker) for worker in range(8)))


def test_every_answer_of_a_server_that_was_killed_has_its_record(program: Program, token: str) -> None:
    port, log = free_port(), program.folder / "killed.log"
    process = program.start("serve", "--port", str(port), log=log)
    wait_for_answer(process, port, log)
    answered: list[str] = []

    async def load_and_kill() -> None:
        asking = asyncio.create_task(ask_until_it_dies(port, token, answered))
        while len(answered) < 200:  # noqa: ASYNC110 - the load is the clock
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        await asking

    apart_from_any_loop(lambda: asyncio.run(load_and_kill()))
    assert process.wait(PATIENCE) == -signal.SIGKILL
    verified = program.run("audit", "verify")
    assert (verified.returncode, verified.stdout.startswith(WHOLE)) == (0, True), verified.stdout
    recorded = {decoded(bytes(body)).request for (body,) in rows(program.database_url or "", "SELECT body FROM audit_record")}
    assert len(answered) >= 200
    assert set(answered) <= recorded
    with program.serving("serve", port=port):
        assert httpx.get(f"http://127.0.0.1:{port}/fhir/Organization/none", timeout=PATIENCE).status_code == 401
    verified = program.run("audit", "verify")
    assert verified.returncode == 0
    assert numbers(verified.stdout)[1:] == (2, 3)  # the killed server's chain has no end


def test_verify_says_a_line_for_each_break_and_ends_with_one(program: Program, token: str) -> None:
    port = free_port()
    headers = {"authorization": f"Bearer {token}"}
    for _ in range(2):
        with program.serving("serve", port=port):
            for _ in range(3):
                httpx.get(f"http://127.0.0.1:{port}/fhir/Organization/none", headers=headers, timeout=PATIENCE)
    verified = program.run("audit", "verify")
    assert (verified.returncode, numbers(verified.stdout)) == (0, (6, 2, 4))
    url = program.database_url or ""
    _change(url, "DELETE FROM audit_record WHERE id = (SELECT min(id) FROM audit_record)")
    _change(url, "UPDATE audit_record SET stamp = stamp + 1 WHERE id = (SELECT max(id) FROM audit_record)")
    verified = program.run("audit", "verify")
    assert verified.returncode == 1
    *breaks, last = verified.stdout.splitlines()
    assert sorted(line.rpartition(" ")[2] for line in breaks) == ["changed.", "missing."]
    assert last.startswith("The audit log is broken in 2 places: ")


def test_a_worker_makes_audit_events_beside_a_server_that_does_not(program: Program, token: str) -> None:
    port = free_port()
    served = Program(program.folder, program.database_url, {"EMBEDDED_WORKER": "false"})
    with served.serving("serve", port=port):
        headers = {"authorization": f"Bearer {token}"}
        answer = httpx.get(f"http://127.0.0.1:{port}/fhir/Organization/none", headers=headers, timeout=PATIENCE)
        assert answer.status_code == 404
        made = "SELECT count(*) FROM resource WHERE type = 'AuditEvent'"
        assert rows(program.database_url or "", made) == [(0,)]
        log = program.folder / "worker.log"
        worker = served.start("worker", log=log)
        apart_from_any_loop(lambda: asyncio.run(_until(lambda: rows(program.database_url or "", made) == [(1,)])))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE) == 0, log.read_text()


async def _until(true: object) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(true):  # type: ignore[arg-type] # noqa: ASYNC110 - another process works
            await asyncio.sleep(0.05)


def _change(url: str, sql: str) -> None:
    """Change the log as somebody might who may do everything with the database."""

    def change(connection: object) -> None:
        from sqlalchemy import Connection, text

        assert isinstance(connection, Connection)
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit_record DISABLE TRIGGER ALL"))
        else:
            for change in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS audit_record_stays_{change}"))
        connection.execute(text(sql))

    apart_from_any_loop(lambda: migrate.with_connection(url, change))
