"""Every role sees, through every door, exactly what the oracle says."""

import pytest

from recovery_api.demo.world import fixture
from recovery_api.fhir.json import JsonObject
from tests.callers import CALLERS, CHEN, LEO, MAYA, OMAR, RUTH, Caller
from tests.contract.asking import JSON_PATCH, STATUS_PATCH, Request, ask, found, link, search
from tests.contract.differences import differences, scene
from tests.contract.direct import Direct
from tests.contract.doors import DIRECT, Door
from tests.world import T0, by_id

FIXTURE = by_id(fixture(T0))


@pytest.mark.parametrize("door", DIRECT, ids=lambda door: door.name)
async def test_one_by_one_every_caller_gets_what_the_oracle_says(door: Door, fixture_api: Direct):
    told = [line for caller in CALLERS.values() for line in await differences(scene(fixture_api, caller, FIXTURE), [door])]
    assert not told, "\n".join(told)


@pytest.mark.parametrize("caller", CALLERS.values(), ids=lambda caller: caller.name)
async def test_the_history_of_the_system_holds_what_the_caller_sees(caller: Caller, fixture_api: Direct):
    """The world tells of no AuditEvents, which each request adds to: the auditor's token leaves them out, and has them by themselves."""
    before = scene(fixture_api, caller, FIXTURE)
    answer = await ask(fixture_api.as_(caller, but="AuditEvent"), Request("GET", "_history?_count=1000"))
    assert answer.status == 200, answer.body
    assert set(found(answer.json, None)) == {each for each in before.visible if before.may(each.split("/")[0], "search")}
    audit = await ask(before.client, Request("GET", "AuditEvent/_history"))
    assert audit.status == (200 if caller.role == "auditor" else 403)


async def test_a_companion_finds_no_client_by_what_her_view_leaves_out(fixture_api: Direct):
    left_out = (search("Patient", identifier="CIR-4324"), search("Patient", link="Patient/eve-ls"))
    for request in (*left_out, search("EpisodeOfCare", **{"patient:Patient.identifier": "CIR-4324"})):
        assert found((await ask(fixture_api.as_(MAYA), request)).json) == []
        assert found((await ask(fixture_api.as_(RUTH), request)).json) in (["Patient/eve"], ["EpisodeOfCare/eoc-eve"])
    patient = (await ask(fixture_api.as_(MAYA), Request("GET", "Patient/eve"))).json
    assert not {"identifier", "link"} & set(patient)


@pytest.mark.parametrize("thief", [LEO, RUTH, OMAR, CHEN], ids=lambda caller: caller.name)
async def test_a_page_link_serves_only_the_caller_it_was_made_for(thief: Caller, fixture_api: Direct):
    first = await ask(fixture_api.as_(MAYA), search("Observation", _count=1))
    following = link(first.json, "next")
    assert following
    assert (await ask(fixture_api.as_(MAYA), Request("GET", following))).status == 200
    stolen = await ask(fixture_api.as_(thief), Request("GET", following))
    assert stolen.status in (400, 403, 404)


@pytest.mark.parametrize("caller", CALLERS.values(), ids=lambda caller: caller.name)
async def test_writing_to_what_is_hidden_answers_as_writing_to_what_is_absent(caller: Caller, fixture_api: Direct):
    before = scene(fixture_api, caller, FIXTURE)
    for kind in sorted({kind for kind, _ in before.world}):
        hidden = next((each for each in before.ids(kind) if f"{kind}/{each}" not in before.visible), None)
        if hidden is None:
            continue
        absent = "n" * len(hidden)
        for request in _writes(before.world[kind, hidden], hidden):
            there, nowhere = await ask(before.client, request), await ask(before.client, _renamed(request, hidden, absent))
            assert there.status == nowhere.status, request
            assert there.body.replace(hidden.encode(), absent.encode()) == nowhere.body, request
            assert there.status in (403, 404, 405), f"{request}: {there.status}"


def _writes(resource: JsonObject, id_: str) -> list[Request]:
    target = f"{resource['resourceType']}/{id_}"
    return [
        Request("PUT", target, resource | {"id": id_}),
        Request("PUT", target, resource | {"id": id_}, {"if-match": 'W/"1"'}),
        Request("PATCH", target, STATUS_PATCH, JSON_PATCH),
        Request("DELETE", target),
    ]


def _renamed(request: Request, old: str, new: str) -> Request:
    body = request.body | {"id": new} if isinstance(request.body, dict) else request.body
    return Request(request.method, request.path.replace(old, new), body, request.headers)
