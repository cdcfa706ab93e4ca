"""PATCH by JSON Patch and FHIRPath Patch (https://hl7.org/fhir/R4/http.html#patch)."""

from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, Response
from tests.callers import LEO, MAYA
from tests.http.resources import observation, session


async def patched(client: Client, body: Any, **more: Any) -> Response:
    """The answer to a patch of a new Observation."""
    made = (await client.post("Observation", observation(note=[{"text": "first"}, {"text": "second"}]))).json
    return await client.patch(f"Observation/{made['id']}", body, **more)


def fhirpath(*operations: dict[str, JsonObject]) -> JsonObject:
    """A FHIRPath Patch: each operation's parts by name, with their value[x]."""
    said = [{"name": "operation", "part": [{"name": name, **value} for name, value in each.items()]} for each in operations]
    return {"resourceType": "Parameters", "parameter": said}


async def test_a_json_patch_changes_what_it_names(shared: Api) -> None:
    answer = await patched(
        shared.as_(MAYA),
        [
            {"op": "test", "path": "/note/0/text", "value": "first"},
            {"op": "remove", "path": "/note/1"},
            {"op": "replace", "path": "/valueInteger", "value": 7},
            {"op": "add", "path": "/note/-", "value": {"text": "third"}},
        ],
    )
    assert (answer.status, answer.headers["etag"]) == (200, 'W/"2"')
    assert (answer.json["valueInteger"], answer.json["note"]) == (7, [{"text": "first"}, {"text": "third"}])


async def test_a_fhirpath_patch_changes_what_it_names(shared: Api) -> None:
    path = "valueString"
    answer = await patched(
        shared.as_(MAYA),
        fhirpath(
            {"type": {"valueCode": "replace"}, "path": {path: "Observation.value"}, "value": {"valueInteger": 7}},
            {"type": {"valueCode": "delete"}, "path": {path: "Observation.note[0]"}},
        ),
    )
    assert answer.status == 200, answer.body
    assert (answer.json["valueInteger"], answer.json["note"]) == (7, [{"text": "second"}])


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ([{"op": "test", "path": "/valueInteger", "value": 99}], 422),
        ([{"op": "remove", "path": "/bodySite"}], 422),
        ([{"op": "leap", "path": "/status"}], 400),
        ([{"op": "replace", "path": "status", "value": "final"}], 400),
        ([{"op": "replace", "path": "/status"}], 400),
        (["no operation"], 400),
        (b"{}", 400),
        (b"[", 400),
        (b"", 400),
        ([{"op": "replace", "path": "/status", "value": "no-such"}], 400),
        ([{"op": "remove", "path": "/status"}], 400),
        ([{"op": "replace", "path": "/id", "value": "other"}], 400),
        ([{"op": "replace", "path": "/resourceType", "value": "Patient"}], 400),
        ([{"op": "add", "path": "/dataAbsentReason", "value": {"text": "unknown"}}], 422),
        ([{"op": "replace", "path": "/subject/reference", "value": "Patient/ben"}], 422),
    ],
)
async def test_a_patch_that_does_not_fit_is_refused(shared: Api, patch: Any, status: int) -> None:
    """L18: a `test` that fails, a patch that is malformed."""
    answer = await patched(shared.as_(MAYA), patch, headers={"content-type": "application/json-patch+json"})
    assert answer.status == status, answer.body
    assert answer.json["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "body", [{"resourceType": "Observation"}, fhirpath({"type": {"valueCode": "leap"}}), {"resourceType": "Parameters"}]
)
async def test_a_malformed_fhirpath_patch_is_refused(shared: Api, body: JsonObject) -> None:
    assert (await patched(shared.as_(MAYA), body)).status == 400


@pytest.mark.parametrize(
    "kind", ["application/fhir+xml", "text/plain", "application/merge-patch+json", "application/x-www-form-urlencoded"]
)
async def test_another_kind_of_patch_is_not_taken(shared: Api, kind: str) -> None:
    """L18: the media type."""
    assert (await patched(shared.as_(MAYA), b"{}", headers={"content-type": kind})).status == 415


async def test_a_patch_of_what_is_absent_or_hidden_finds_nothing(shared: Api) -> None:
    operations = [{"op": "replace", "path": "/valueInteger", "value": 1}]
    absent, hidden = [await shared.as_(MAYA).patch(f"Observation/{id}", operations) for id in ("absent", "o-ben-mood")]
    assert (absent.status, absent.body) == (404, hidden.body)


async def test_a_patch_of_a_companions_view_keeps_what_was_left_out_of_it(shared: Api) -> None:
    """A companion's patch names the elements of her view; the Encounter's other content stays."""
    maya = shared.as_(MAYA)
    made = (await maya.post("Encounter", session())).json
    answer = await maya.patch(f"Encounter/{made['id']}", [{"op": "replace", "path": "/status", "value": "arrived"}])
    own = {name: answer.json[name] for name in ("meta", "statusHistory")}
    assert answer.json == made | {"status": "arrived"} | own
    assert (await shared.as_(LEO).get(f"Encounter/{made['id']}")).status == 404
