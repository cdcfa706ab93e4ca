"""read, vread, HEAD and their conditions (https://hl7.org/fhir/R4/http.html#read)."""

from datetime import timedelta

import pytest

from recovery_api.demo.timeline import T0
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client
from tests.callers import LEO, MAYA, RUTH
from tests.http.resources import observation

LOADED_AT = "Tue, 10 Nov 2026 12:00:00 GMT"


async def created(client: Client, resource: JsonObject) -> str:
    """Type/id of a new resource."""
    answer = await client.post(resource["resourceType"], resource)
    assert answer.status == 201, answer.body
    return f"{resource['resourceType']}/{answer.json['id']}"


async def test_a_read_says_the_version_and_the_time_in_its_headers_and_in_meta(shared: Api) -> None:
    answer = await shared.as_(MAYA).get("Encounter/e-ana-1")
    assert answer.status == 200
    assert answer.json["meta"]["versionId"] == "1"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["last-modified"] == LOADED_AT
    assert answer.headers["content-type"] == "application/fhir+json;charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "Authorization" in answer.headers["vary"]


async def test_a_version_is_read_by_its_number_and_stays_as_it_was(shared: Api) -> None:
    maya = shared.as_(MAYA)
    reference = await created(maya, observation())
    first = (await maya.get(reference)).json
    assert (await maya.put(reference, first | {"valueInteger": 6})).status == 200
    assert (await maya.get(f"{reference}/_history/1")).json == first
    second = await maya.get(f"{reference}/_history/2")
    assert (second.json["valueInteger"], second.headers["etag"]) == (6, 'W/"2"')
    assert second.body == (await maya.get(reference)).body


async def test_what_was_deleted_is_gone_and_what_never_was_is_not_found(shared: Api) -> None:
    """L12."""
    maya = shared.as_(MAYA)
    reference = await created(maya, observation())
    assert (await maya.delete(reference)).status == 204
    for path, status in {
        reference: 410,
        f"{reference}/_history/2": 410,
        f"{reference}/_history/1": 200,
        f"{reference}/_history/3": 404,
        f"{reference}/_history/x": 404,
        "Observation/never-there": 404,
        "Observation/never-there/_history/1": 404,
    }.items():
        answer = await maya.get(path)
        assert answer.status == status, path
        assert status == 200 or answer.json["resourceType"] == "OperationOutcome"
    assert (await shared.as_(LEO).get(reference)).status == 404
    assert (await shared.as_(LEO).get(f"{reference}/_history/2")).status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-none-match": 'W/"1"'}, 304),
        ({"if-none-match": '"1"'}, 304),
        ({"if-none-match": 'W/"7", W/"1"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": 'W/"2"'}, 200),
        ({"if-modified-since": LOADED_AT}, 304),
        ({"if-modified-since": "Tue, 10 Nov 2026 11:59:59 GMT"}, 200),
        ({"if-modified-since": "no date"}, 200),
        ({"if-none-match": 'W/"2"', "if-modified-since": LOADED_AT}, 200),
    ],
)
async def test_a_conditional_read_sends_the_body_only_when_it_is_new(shared: Api, headers: dict[str, str], status: int) -> None:
    """L15."""
    for path in ("Patient/ana", "Patient/ana/_history/1"):
        answer = await shared.as_(RUTH).get(path, headers=headers)
        assert answer.status == status
        assert bool(answer.body) == (status == 200)
        assert answer.headers["etag"] == 'W/"1"'


async def test_a_copy_that_can_look_different_at_the_same_version_is_always_sent(shared: Api) -> None:
    for headers in ({"if-none-match": 'W/"1"'}, {"if-modified-since": LOADED_AT}):
        pointing = await shared.as_(MAYA).get("Encounter/e-ana-1", headers=headers)
        part = await shared.as_(MAYA).get("Patient/ana", headers=headers)
        assert (pointing.status, part.status) == (200, 200)
        assert pointing.json["reasonReference"]
        assert "identifier" not in part.json


async def test_a_condition_tells_nothing_about_what_is_hidden(shared: Api) -> None:
    for headers in ({"if-none-match": 'W/"1"'}, {"if-none-match": "*"}, {"if-modified-since": LOADED_AT}):
        assert (await shared.as_(LEO).get("Encounter/e-ana-1", headers=headers)).status == 404


async def test_head_says_what_get_says_without_a_body(shared: Api) -> None:
    """L23: HEAD."""
    ruth = shared.as_(RUTH)
    for path in ("Patient/ana", "Patient/ana/_history/1", "Encounter?patient=ana", "Patient/none", "metadata", "Patient/ana/_history"):
        plain = {"accept-encoding": "identity"}
        got, head = await ruth.get(path, headers=plain), await ruth.request("HEAD", path, headers=plain)
        assert head.status == got.status
        assert head.body == b""
        said = set(got.headers) - {"x-request-id", "date"}
        assert {name: head.headers[name] for name in said} == {name: got.headers[name] for name in said}


async def test_last_modified_is_the_second_and_last_updated_the_microsecond_of_the_write(api: Api) -> None:
    api.clock.set(T0 + timedelta(hours=1, microseconds=250_001))
    maya = api.as_(MAYA)
    answer = await maya.get(await created(maya, observation()))
    assert answer.headers["last-modified"] == "Tue, 10 Nov 2026 13:00:00 GMT"
    assert answer.json["meta"]["lastUpdated"] == "2026-11-10T13:00:00.250001Z"


@pytest.mark.parametrize(
    "path", ["Observation/a b", "Observation/" + "x" * 65, "Observation/a%00b", "Observation/ünicode", "Observation/'--"]
)
async def test_an_id_that_can_be_none_is_not_found(shared: Api, path: str) -> None:
    answer = await shared.as_(MAYA).get(path)
    assert (answer.status, answer.issue) == (404, ("error", "not-found"))


@pytest.mark.parametrize("path", ["Nothing", "Nothing/1", "patient/ana", "Patient/ana/Nothing", "Patient/ana/_history/1/2", "_nothing"])
async def test_an_unknown_type_or_path_is_not_found(shared: Api, path: str) -> None:
    """L19: unknown types."""
    assert (await shared.as_(MAYA).get(path)).status == 404
