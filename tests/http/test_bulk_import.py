"""$import: an operator brings files in, by the rules of `recovery-api load`."""
import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from recovery_api.fhir.json import JsonObject, dump
from recovery_api.workers import jobs
from tests.api import Api, serving
from tests.callers import KIM, MAYA, RUTH, SYS_RIVERBEND
from tests.databases import Databases
from tests.http.bulk import ASYNC, lines, wanted, worked
from tests.http.resources import observation
from tests.program import free_port

GOOD = [observation(value=number % 10) | {"id": f"brought-{number}"} for number in range(5)]
BAD: JsonObject = {"resourceType": "Observation", "id": "bad", "status": "final"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("brought")
    (folder / "in").mkdir()
    (folder / "in" / "observations.ndjson").write_bytes(b"\n".join(map(dump, [*GOOD, BAD])))
    (folder / "secret.ndjson").write_bytes(dump(GOOD[0] | {"id": "secret"}))
    (folder / "in" / "link.ndjson").symlink_to(folder / "secret.ndjson")
    return folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def elsewhere(files: Path) -> Iterator[str]:
    """A server on loopback that the operator allows."""
    port = free_port()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(files)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
async def taking(
    databases: Databases, world_template: str, tmp_path_factory: pytest.TempPathFactory, files: Path, elsewhere: str
) -> AsyncIterator[Api]:
    url = databases.clone(world_template)
    folder = tmp_path_factory.mktemp("taking")
    async with serving(url, folder, IMPORT_FOLDER=str(files / "in"), ALLOWED_PRIVATE_ENDPOINTS=elsewhere) as server:
        yield server
    databases.drop(url)


async def test_files_are_brought_in_and_what_was_not_is_told(taking: Api, elsewhere: str) -> None:
    kim = taking.as_(KIM)
    sources = ("observations.ndjson", f"{elsewhere}/in/observations.ndjson", f"{elsewhere}/none.ndjson")
    begun = await kim.post("$import", wanted(*sources), headers=ASYNC)
    assert begun.status == 202, begun.body
    status = begun.headers["content-location"]
    assert (await kim.get(status)).status == 202
    await jobs.run_next(taking.running.server)
    assert (await kim.get(status)).headers["x-progress"] == "1 of 3 files"
    await worked(taking)
    done = await kim.get(status)
    assert done.status == 200
    assert [(one["inputUrl"], one["count"]) for one in done.json["output"]] == [(sources[0], 5), (sources[1], 5), (sources[2], 0)]
    assert [one["count"] for one in done.json["error"]] == [1, 1, 1]
    [said] = await lines(kim, done.json["error"][0]["url"])
    assert "Line 6, Observation/bad" in said["issue"][0]["diagnostics"]
    ruth = taking.as_(RUTH)
    for one in GOOD:
        found = await ruth.get(f"Observation/{one['id']}")
        assert (found.status, found.json["meta"]["versionId"]) == (200, "1")  # brought in twice, written once
        assert "security" in found.json["meta"]
    assert (await taking.as_(SYS_RIVERBEND).get(status)).status == 404


@pytest.mark.parametrize(
    "url",
    [
        "../secret.ndjson", "link.ndjson", "none.ndjson", "file:///etc/passwd", "http://127.0.0.1:1/x.ndjson",
        "https://10.0.0.1/x.ndjson", "s3://x/y.ndjson",
    ],
)
async def test_nothing_is_taken_from_elsewhere(taking: Api, url: str) -> None:
    answer = await taking.as_(KIM).post("$import", wanted(url), headers=ASYNC)
    assert answer.status == 400
    assert "passwd" not in answer.body.decode()


async def test_who_may_and_how(taking: Api) -> None:
    body = wanted("observations.ndjson")
    for caller in (MAYA, RUTH, SYS_RIVERBEND):
        assert (await taking.as_(caller).post("$import", body, headers=ASYNC)).status == 403
    kim = taking.as_(KIM)
    assert (await kim.get("$import", headers=ASYNC)).status == 405
    assert (await kim.post("$import", body)).status == 400
    assert (await kim.post("$import", {"resourceType": "Parameters"}, headers=ASYNC)).status == 400
    assert (await kim.post("$import", wanted("observations.ndjson", type="Banana"), headers=ASYNC)).status == 400
