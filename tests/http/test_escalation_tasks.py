"""What may become of an escalation: its life cycle, who may, and its deadline."""
import asyncio
from pathlib import Path
from typing import Any

import pytest

from recovery_api.domain.codes import ref
from recovery_api.domain.escalations import ACTIONS, ESCALATION
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.care.unacknowledged import reassign_due
from tests.api import Api, serving
from tests.callers import MAYA, RUTH
from tests.databases import Databases
from tests.http.escalating import ACTION, ends, escalations, lead, status, written
from tests.http.resources import local, observation


def escalation(id: str, state: str, client: str = "ana") -> JsonObject:
    """An escalation in a state, as it may have been loaded."""
    return {
        "resourceType": "Task",
        "id": id,
        "status": state,
        "intent": "order",
        "priority": "urgent",
        "code": local("task-code", "escalation"),
        "for": ref(f"Patient/{client}"),
        "authoredOn": "2026-11-10T12:00:00Z",
        "requester": ref("Practitioner/ruth"),
        "owner": ref("Practitioner/ruth"),
        "restriction": {"period": {"end": "2026-11-20T12:00:00Z"}},
    }


STATES = sorted(definitions().code_values("http://hl7.org/fhir/ValueSet/task-status") or ())


@pytest.mark.parametrize("before", sorted(ESCALATION.moves))
async def test_an_escalation_makes_no_move_that_is_not_in_the_table(shared: Api, before: str) -> None:
    ruth, path = shared.as_(RUTH), f"Task/esc-{before}"
    await shared.load([escalation(f"esc-{before}", before)])
    assert len(STATES) == 12
    for after in STATES:
        if after in ESCALATION.moves[before] or after == before:
            continue
        told = [{"op": "add", "path": "/output", "value": [ACTION]}, {"op": "add", "path": "/statusReason", "value": {"text": "So it is."}}]
        refused = await ruth.patch(path, [*status(after), *told])
        assert (refused.status, refused.keys) == (409, {"escalation-move"}), after
        assert (await ruth.get(path)).json["meta"]["versionId"] == "1"


@pytest.mark.parametrize("start", [state for state in STATES if state not in ESCALATION.starts])
async def test_an_escalation_begins_as_requested(shared: Api, start: str) -> None:
    begun = escalation("", start) | {"output": [ACTION], "statusReason": {"text": "So it is."}}
    del begun["id"]
    refused = await shared.as_(RUTH).post("Task", begun)
    assert (refused.status, refused.keys) == (422, {"escalation-start"})


async def test_an_escalation_that_is_made_by_hand_has_the_deadline_of_its_priority(api: Api) -> None:
    by_hand = {name: value for name, value in escalation("", "requested").items() if name not in {"id", "restriction", "priority"}}
    id = await written(api, by_hand, RUTH)
    made = (await api.as_(RUTH).get(f"Task/{id}")).json
    assert (made["priority"], ends(made)) == ("routine", "2026-11-11T17:00:00.000000Z")


@pytest.mark.parametrize("action", ACTIONS)
async def test_it_is_completed_with_one_of_the_actions(shared: Api, action: str) -> None:
    ruth, path = shared.as_(RUTH), f"Task/esc-done-{action}"
    await shared.load([escalation(f"esc-done-{action}", "in-progress")])
    for wrong in (
        {"type": local("escalation-output", "action"), "valueCodeableConcept": local("escalation-action", "nothing")},
        {"type": local("escalation-output", "other"), "valueCodeableConcept": local("escalation-action", action)},
        {"type": local("escalation-output", "action"), "valueString": action},
    ):
        refused = await ruth.patch(path, [*status("completed"), {"op": "add", "path": "/output", "value": [wrong]}])
        assert (refused.status, refused.keys) == (422, {"escalation-output"})
    done = {"type": local("escalation-output", "action"), "valueCodeableConcept": local("escalation-action", action)}
    assert (await ruth.patch(path, [*status("completed"), {"op": "add", "path": "/output", "value": [done]}])).status == 200


@pytest.mark.parametrize(("before", "after"), [("requested", "cancelled"), ("accepted", "cancelled"), ("in-progress", "failed")])
async def test_giving_it_up_needs_a_reason(shared: Api, before: str, after: str) -> None:
    ruth, path = shared.as_(RUTH), f"Task/esc-{before}-{after}"
    await shared.load([escalation(f"esc-{before}-{after}", before)])
    refused = await ruth.patch(path, status(after))
    assert (refused.status, refused.keys, refused.places) == (422, {"escalation-reason"}, {"Task.statusReason"})
    reason = {"op": "add", "path": "/statusReason", "value": {"text": "Raised in error."}}
    assert (await ruth.patch(path, [*status(after), reason])).status == 200


async def test_its_owner_acknowledges_it_and_whoever_takes_it_over(office: Api) -> None:
    await written(office, observation("urge-self-harm", 8))
    [task] = await escalations(office)
    path = f"Task/{task['id']}"
    ruth, maya = office.as_(RUTH), office.as_(MAYA)
    given = {"op": "replace", "path": "/owner/reference", "value": "Practitioner/omar"}
    refused = await ruth.patch(path, [*status("accepted"), given])
    assert (refused.status, refused.keys) == (403, {"acknowledged-by-owner"})
    assert (await maya.patch(path, status("accepted"))).status == 404
    assert (await ruth.patch(path, [given])).status == 200
    assert (await ruth.patch(path, status("accepted"))).status == 403
    taken = {"op": "replace", "path": "/owner/reference", "value": "Practitioner/ruth"}
    assert (await ruth.patch(path, [*status("accepted"), taken])).status == 200


async def test_a_companion_reads_an_escalation_that_she_requested_and_does_not_write_it(shared: Api) -> None:
    await shared.load([escalation("esc-maya", "requested") | {"requester": ref("Practitioner/maya")}])
    maya = shared.as_(MAYA)
    assert (await maya.get("Task/esc-maya")).status == 200
    refused = await maya.patch("Task/esc-maya", status("accepted"))
    assert (refused.status, refused.keys) == (403, {"own-task"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("priority", "routine"),
        ("restriction", {"period": {"end": "2027-01-01T00:00:00Z"}}),
        ("reasonReference", ref("Observation/o-ana-mood")),
        ("code", local("task-code", "case-discussion")),
        ("authoredOn", "2026-11-11T12:00:00Z"),
    ],
)
async def test_what_it_is_about_and_by_when_stays_as_the_server_said(shared: Api, name: str, value: Any) -> None:
    await shared.load([escalation(f"esc-fixed-{name}", "requested")])
    refused = await shared.as_(RUTH).patch(f"Task/esc-fixed-{name}", [{"op": "add", "path": f"/{name}", "value": value}])
    assert (refused.status, refused.keys, refused.places) == (422, {"escalation-fixed"}, {f"Task.{name}"})


# Deadlines --------------------------------------------------------------------------------------------------------------


async def test_it_goes_up_rung_by_rung_and_comes_back_no_more(office: Api) -> None:
    await written(office, observation("urge-self-harm", 8))
    [task] = await escalations(office)
    owners = [task["owner"]["reference"]]
    for _ in range(3):
        office.clock.move(seconds=3600)
        assert await reassign_due(office.running.server) == 1
        assert await reassign_due(office.running.server) == 0
        owners.append((await office.as_(RUTH).get(f"Task/{task['id']}")).json["owner"]["reference"])
    assert owners == ["Practitioner/ruth", "Practitioner/omar", "Practitioner/iris", "Practitioner/iris"]


async def test_two_workers_at_once_and_one_after_a_restart_pass_it_on_once(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, lead().resources) as one, serving(url, tmp_path) as other:
        for client, by in (("ana", MAYA), ("cora", MAYA), ("eve", MAYA)):
            await written(one, observation("urge-self-harm", 8, client), by)
        for each in (one, other):
            each.clock.move(seconds=3600)
        passed = await asyncio.gather(*(reassign_due(each.running.server) for each in (one, other, one, other)))
        assert sum(passed) == 3
        [task] = await escalations(one)
        assert (task["meta"]["versionId"], task["owner"]) == ("2", ref("Practitioner/omar"))
        assert len((await one.as_(RUTH).get("Provenance", target=f"Task/{task['id']}")).matches) == 1
    async with serving(url, tmp_path) as restarted:
        restarted.clock.move(seconds=3600)
        assert await reassign_due(restarted.running.server) == 0
        restarted.clock.move(seconds=7 * 3600)
        assert await reassign_due(restarted.running.server) == 3
        assert (await restarted.as_(RUTH).get(f"Task/{task['id']}")).json["meta"]["versionId"] == "3"
    databases.drop(url)
