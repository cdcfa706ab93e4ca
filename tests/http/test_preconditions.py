"""If-Match on every write, and who may delete what (https://hl7.org/fhir/R4/http.html#concurrency)."""
import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, Response
from tests.callers import CHEN, KIM, LEO, MAYA, OMAR, RUTH
from tests.http.resources import note, observation

PATCH = [{"op": "replace", "path": "/valueInteger", "value": 1}]


async def write(client: Client, method: str, resource: JsonObject, if_match: str) -> Response:
    body = {"PUT": resource, "PATCH": PATCH, "DELETE": None}[method]
    return await client.request(method, f"Observation/{resource['id']}", body, headers={"if-match": if_match})


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("if_match", "status"),
    [('W/"1"', 412), ('W/"3"', 412), ('W/"x"', 412), ("2", 400), ("W/2", 400), ("*", 400), ('W/"1", W/"2"', 400), ("", 400), ('W/""', 400)],
)
async def test_a_stale_if_match_is_refused_and_a_malformed_one_is_an_error(shared: Api, method: str, if_match: str, status: int) -> None:
    """L14."""
    maya = shared.as_(MAYA)
    made = (await maya.post("Observation", observation())).json
    current = (await maya.put(f"Observation/{made['id']}", made | {"valueInteger": 4})).json
    answer = await write(maya, method, current, if_match)
    assert (answer.status, answer.issue[0]) == (status, "error")
    assert (await maya.get(f"Observation/{made['id']}")).json == current


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_matching_if_match_lets_the_write_through(shared: Api, method: str) -> None:
    maya = shared.as_(MAYA)
    made = (await maya.post("Observation", observation())).json
    assert (await write(maya, method, made, 'W/"1"')).status == (204 if method == "DELETE" else 200)


async def test_the_precondition_is_judged_before_the_body(shared: Api) -> None:
    maya = shared.as_(MAYA)
    made = (await maya.post("Observation", observation())).json
    answer = await maya.put(f"Observation/{made['id']}", b"{", headers={"if-match": 'W/"9"'})
    assert answer.status == 412


# Delete ------------------------------------------------------------------------------------------------------------------


async def test_an_author_deletes_their_own_observation_and_draft(shared: Api) -> None:
    maya = shared.as_(MAYA)
    for resource in (observation(), note()):
        made = await maya.post(resource["resourceType"], resource)
        path = f"{resource['resourceType']}/{made.json['id']}"
        assert (await shared.as_(RUTH).delete(path)).status == 403
        assert (await shared.as_(LEO).delete(path)).status == 404
        answer = await maya.delete(path)
        assert (answer.status, answer.body) == (204, b"")
        assert (await maya.get(path)).status == 410
        assert (await maya.delete(path)).status == 404
        assert path.partition("/")[2] not in (await maya.get(resource["resourceType"])).ids


@pytest.mark.parametrize(
    ("caller", "path", "status"),
    [
        (MAYA, "DocumentReference/d-ana-1", 403),
        (MAYA, "Encounter/e-ana-1", 403),
        (MAYA, "Patient/ana", 403),
        (RUTH, "CareTeam/ct-ana", 403),
        (RUTH, "Observation/o-ana-mood", 403),
        (CHEN, "Observation/o-ana-mood", 403),
        (MAYA, "Observation/o-ana-pref", 403),
        (OMAR, "Observation/o-ana-mood", 404),
        (KIM, "CareTeam/ct-ana", 403),
        (KIM, "Organization/absent", 404),
    ],
)
async def test_nobody_else_deletes(shared: Api, caller: object, path: str, status: int) -> None:
    answer = await shared.as_(caller).delete(path)  # type: ignore[arg-type]
    assert answer.status == status, answer.body


async def test_an_operator_deletes_from_the_directory(api: Api) -> None:
    kim = api.as_(KIM)
    assert (await kim.delete("Organization/org-harbor")).status == 204
    assert (await kim.get("Organization/org-harbor")).status == 410


async def test_what_something_signed_refers_to_is_not_deleted(api: Api) -> None:
    maya = api.as_(MAYA)
    made = (await maya.post("Observation", observation())).json
    signed = (await api.as_(RUTH).get("DocumentReference/d-ana-1")).json
    related = signed | {"id": "d-related", "context": signed["context"] | {"related": [{"reference": f"Observation/{made['id']}"}]}}
    await api.load([related])
    answer = await maya.delete(f"Observation/{made['id']}")
    assert (answer.status, answer.keys) == (409, {"signed-refers"})
