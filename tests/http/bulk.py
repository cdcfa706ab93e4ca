"""An export as an EHR backend asks for it: kicked off, done by a worker, read to the last line."""
from dataclasses import dataclass
from typing import Any

from recovery_api.fhir.json import JsonObject, parse
from recovery_api.workers import jobs
from tests.api import Api, Body, Client, Response

ASYNC = {"prefer": "respond-async"}


@dataclass(frozen=True)
class Exported:
    """What came of an export: its status address, the manifest, and the lines of the files by their type."""

    status: str
    answer: Response
    files: dict[str, list[JsonObject]]
    outcomes: list[JsonObject]

    @property
    def manifest(self) -> JsonObject:
        return self.answer.json

    def ids(self, type: str) -> set[str]:
        return {one["id"] for one in self.files.get(type, ())}


async def kicked_off(client: Client, path: str, body: Body | None = None, **params: Any) -> str:
    """The address of the job's status."""
    answer = await client.request("GET" if body is None else "POST", path, body, headers=ASYNC, **params)
    assert answer.status == 202, answer.body
    return answer.headers["content-location"]


async def worked(api: Api) -> None:
    """A worker does all that waits."""
    while await jobs.run_next(api.running.server):
        pass


async def exported(api: Api, client: Client, path: str, body: Body | None = None, **params: Any) -> Exported:
    status = await kicked_off(client, path, body, **params)
    await worked(api)
    answer = await client.get(status, headers={"accept": "application/json"})
    assert answer.status == 200, answer.body
    files: dict[str, list[JsonObject]] = {}
    for one in answer.json["output"]:
        found = await lines(client, one["url"])
        assert len(found) == one["count"] > 0
        assert {each["resourceType"] for each in found} == {one["type"]}
        files.setdefault(one["type"], []).extend(found)
    outcomes = [each for one in answer.json["error"] for each in await lines(client, one["url"])]
    return Exported(status, answer, files, outcomes)


async def lines(client: Client, url: str) -> list[JsonObject]:
    answer = await client.get(url, headers={"accept": "application/fhir+ndjson"})
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("application/fhir+ndjson")
    return [parse(line) for line in answer.body.splitlines()]


def parameters(*values: tuple[str, str, Any]) -> JsonObject:
    """A Parameters body: (name, member, value)."""
    return {"resourceType": "Parameters", "parameter": [{"name": name, member: value} for name, member, value in values]}


def wanted(*urls: str, type: str = "Observation") -> JsonObject:
    """What `$import` is asked to bring in: NDJSON of one type from these addresses."""
    parts = [[{"name": "type", "valueCode": type}, {"name": "url", "valueUri": url}] for url in urls]
    return {"resourceType": "Parameters", "parameter": [{"name": "input", "part": each} for each in parts]}
