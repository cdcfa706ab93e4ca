"""Jobs with real processes: a worker that is killed in the middle loses nothing, and nothing is there twice. And an object store."""
import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from recovery_api.fhir.json import JsonObject, dump
from recovery_api.store.file_store import file_store
from recovery_api.store.files import FileStore
from tests.api import serving
from tests.callers import KIM, SYS_RIVERBEND
from tests.databases import Databases
from tests.http.bulk import ASYNC, exported, kicked_off, lines, wanted
from tests.http.resources import observation
from tests.program import Program, free_port, rows

MANY = 5_000


def many() -> list[JsonObject]:
    return [observation(client=("ana", "ben", "cora")[number % 3]) | {"id": f"many-{number:05}"} for number in range(MANY)]


def started(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=folder, env=environment)


async def half_written(files: FileStore) -> None:
    async with files.writing("job/2") as write:
        await write(b"half")
        raise KeyError


@pytest.mark.slow
async def test_a_killed_workers_export_goes_on_in_another(databases: Databases, world_template: str, tmp_path: Path) -> None:
    """G25. Two workers of their own, of whom the first is killed within a file; files are small, so that some were made before."""
    url = databases.clone(world_template)
    small = "from recovery_api.interactions.bulk import export; export.MOST_RESOURCES = 500; export.CLIENTS = 1; "
    command = (sys.executable, "-c", f"{small}from recovery_api.cli import main; import sys; sys.argv = ['recovery-api', 'worker']; main()")
    async with serving(url, tmp_path / "var", many(), EMBEDDED_WORKER="false") as api:
        api.clock.now = time.time_ns() // 1_000
        environment = Program(tmp_path, url).environment
        ehr = api.as_(SYS_RIVERBEND)
        status = await kicked_off(ehr, "Group/riverbend/$export", _type="Observation,Patient,Practitioner")
        first = started(command, tmp_path, environment)
        deadline = time.monotonic() + 60
        while not rows(url, "SELECT number FROM job_file WHERE type = 'Observation'") and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.wait()
        [(outcome, made)] = rows(url, "SELECT outcome, (SELECT count(*) FROM job_file) FROM job")
        assert outcome == ""
        assert made > 0
        second = started(command, tmp_path, environment)
        try:
            answer = await ehr.get(status)
            while answer.status == 202 and time.monotonic() < deadline + 60:
                await asyncio.sleep(0.2)
                api.clock.now = time.time_ns() // 1_000
                answer = await ehr.get(status)
        finally:
            second.send_signal(signal.SIGTERM)
            assert second.wait(30) == 0
        assert answer.status == 200, answer.body
        found = Counter([each["id"] for one in answer.json["output"] for each in await lines(ehr, one["url"]) if "many" in each["id"]])
        assert found == Counter({one["id"]: 1 for one in many()})
        audited = rows(url, "SELECT count(*) FROM audit_record")
        assert audited[0][0] > 0
    databases.drop(url)


@pytest.mark.slow
async def test_a_killed_workers_import_goes_on_in_another(databases: Databases, world_template: str, tmp_path: Path) -> None:
    """The first worker is killed within the only file, when a part of it is stored already."""
    url, folder = databases.clone(world_template), tmp_path / "in"
    folder.mkdir()
    (folder / "many.ndjson").write_bytes(b"\n".join(map(dump, many())))
    command = (str(Path(sys.executable).with_name("recovery-api")), "worker")
    stored = "SELECT count(*), max(version) FROM resource WHERE id LIKE 'many-%'"
    async with serving(url, tmp_path / "var", EMBEDDED_WORKER="false", IMPORT_FOLDER=str(folder)) as api:
        api.clock.now = time.time_ns() // 1_000
        environment = Program(tmp_path, url).environment | {"RECOVERY_IMPORT_FOLDER": str(folder)}
        kim = api.as_(KIM)
        begun = await kim.post("$import", wanted("many.ndjson"), headers=ASYNC)
        first = started(command, tmp_path, environment)
        deadline = time.monotonic() + 60
        while not rows(url, stored)[0][0] and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert 0 < rows(url, stored)[0][0] < MANY
        second = started(command, tmp_path, environment)
        try:
            answer = await kim.get(begun.headers["content-location"])
            while answer.status == 202 and time.monotonic() < deadline + 60:
                await asyncio.sleep(0.2)
                api.clock.now = time.time_ns() // 1_000
                answer = await kim.get(begun.headers["content-location"])
        finally:
            second.send_signal(signal.SIGTERM)
            assert second.wait(30) == 0
        assert answer.status == 200, answer.body
        assert [one["count"] for one in answer.json["output"]] == [MANY]
        assert answer.json["error"] == []
        assert rows(url, stored) == [(MANY, 1)]
    databases.drop(url)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of an S3 server of this test's own."""
    port = free_port()
    moto = Path(sys.executable).with_name("moto_server")
    process = subprocess.Popen([moto, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    there = {"ENDPOINT_URL": f"http://127.0.0.1:{port}", "ALLOW_HTTP": "true", "REGION": "us-east-1"}
    for name, value in (there | {"ACCESS_KEY_ID": "somebody", "SECRET_ACCESS_KEY": "a secret"}).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as http:
            for _ in range(200):
                try:
                    http.put(f"http://127.0.0.1:{port}/exports").raise_for_status()
                    break
                except httpx.ConnectError:
                    time.sleep(0.05)
        yield "s3://exports/some/place"
    finally:
        process.terminate()
        process.wait()


async def test_files_may_be_in_an_object_store(databases: Databases, world_template: str, tmp_path: Path, bucket: str) -> None:
    url = databases.clone(world_template)
    async with serving(url, tmp_path, EXPORT_STORE=bucket) as api:
        ehr = api.as_(SYS_RIVERBEND)
        found = await exported(api, ehr, "Group/riverbend/$export", _type="Patient,Observation")
        assert found.ids("Patient") == {"ana", "ben", "cora"}
        gone = found.manifest["output"][0]["url"]
        assert (await ehr.delete(found.status)).status == 202
        assert (await ehr.get(gone)).status == 404
    databases.drop(url)


async def test_a_file_in_an_object_store_is_whole_or_not_there(bucket: str) -> None:
    files = file_store(bucket)
    async with files.writing("job/1") as write:
        await write(b"a" * 10)
        await write(os.urandom(20 << 20))
    assert sum([len(chunk) async for chunk in files.reading("job/1")]) == 10 + (20 << 20)
    with pytest.raises(KeyError):
        await half_written(files)
    await files.remove("job")
    for name in ("job/1", "job/2"):
        with pytest.raises(FileNotFoundError):
            [chunk async for chunk in files.reading(name)]
