"""Notes through HTTP: scenarios 9 to 13 of domain.md 8, every illegal act, amendments, texts, and two who sign at once."""
import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from recovery_api.domain.codes import THO
from recovery_api.domain.notes import MOVES
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, Response, serving
from tests.callers import APP_ANA, CHEN, IRIS, KIM, MAYA, OMAR, RUTH, SYS_RIVERBEND
from tests.databases import Databases
from tests.http.recorded import labels, made, tasks_of, versions
from tests.http.resources import CANON, bundle, concept, note, observation, post
from tests.world import Story

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
DRAFT = "DocumentReference/d-ana-2"
SIGNED = "DocumentReference/d-ana-1"
ATTESTS = [{"name": "attestation", "valueString": "I have read this note and agree with it."}]
COMMENT = [{"name": "comment", "valueString": "Please say what helped."}]


def given(*parameters: JsonObject) -> JsonObject:
    return {"resourceType": "Parameters", "parameter": list(parameters)}


async def etag(client: Client, path: str) -> dict[str, str]:
    return {"if-match": (await client.get(path)).headers["etag"]}


async def submit(client: Client, path: str) -> Response:
    return await client.request("POST", f"{path}/$submit", headers=await etag(client, path))


async def cosign(client: Client, path: str, *more: JsonObject) -> Response:
    return await client.post(f"{path}/$cosign", given(*ATTESTS, *more), headers=await etag(client, path))


async def give_back(client: Client, path: str) -> Response:
    return await client.post(f"{path}/$return-note", given(*COMMENT), headers=await etag(client, path))


ACTS: dict[str, tuple[Callable[[Client, str], Awaitable[Response]], str]] = {
    "submitted": (submit, "maya"), "returned": (give_back, "ruth"), "final": (cosign, "ruth"),
}  # fmt: skip
WAYS = {"draft": (), "submitted": ("submitted",), "returned": ("submitted", "returned"), "final": ("submitted", "final")}


async def everything(api: Api, path: str) -> tuple[list[JsonObject], list[JsonObject], set[str]]:
    """The versions of a note, its Tasks, and the Provenance of it."""
    ruth = api.as_(RUTH)
    tasks = await ruth.get(f"Task?focus={path}")
    return await versions(ruth, path), tasks.matches, (await ruth.get(f"Provenance?target={path}")).ids


@pytest.fixture(scope="module")
async def covered(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The fixture world, where ruth delegates her supervision to iris, and wrote a note of ana's herself."""
    story = Story()
    story.case_manager("iris")
    story.delegate("ruth", "iris", {"start": story.day(1)})
    story.note("d-ruth", "ana", "ruth", story.instant(days=1), "Ana called.")
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path_factory.mktemp("covered"), story.resources) as server:
        yield server
    databases.drop(url)


async def test_what_a_companion_observed_in_a_session_stays_once_its_note_is_signed(api: Api) -> None:
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    here: dict[str, Any] = {"encounter": {"reference": "Encounter/e-ana-2"}}
    mood, typo, alone = [await made(maya, each) for each in (observation(**here), observation(**here), observation())]
    said = (await maya.get(mood)).json
    elsewhere = await maya.put(mood, said | {"encounter": {"reference": "Encounter/e-ana-1"}})
    assert (elsewhere.status, elsewhere.keys) == (409, {"session-signed"})
    assert (await maya.put(mood, said | {"valueInteger": 6})).status == 200
    assert (await maya.delete(typo)).status == 204
    assert (await submit(maya, DRAFT)).status == 200
    assert (await maya.put(mood, said | {"valueInteger": 7})).status == 200

    assert (await cosign(ruth, DRAFT)).status == 200
    worse: list[JsonObject] = [{"op": "replace", "path": "/valueInteger", "value": 8}]
    for answer in (await maya.put(mood, said), await maya.patch(mood, worse), await maya.delete(mood)):
        assert (answer.status, answer.keys, answer.places) == (409, {"session-signed"}, {"Observation.encounter"})
    assert (await maya.patch(mood, worse, headers={"if-match": 'W/"1"'})).status == 412
    assert [each["valueInteger"] for each in await versions(maya, mood)] == [7, 6, 5]
    assert (await ruth.patch(mood, worse)).status == 200
    assert (await maya.patch(alone, worse)).status == 200
    late: JsonObject = observation(**here)
    moved: list[JsonObject] = [{"op": "add", "path": "/encounter", "value": here["encounter"]}]
    sent = (maya.post("Observation", late), maya.post("", bundle("transaction", post(late))), maya.patch(alone, moved))
    for answer in [await each for each in sent]:
        assert (answer.status, answer.keys) == (409, {"session-signed"})
    survey = late | {"category": [concept(f"{THO}observation-category", "survey")]}
    more = (maya.post("Observation", survey), ruth.post("Observation", observation(by="ruth", **here)))
    assert [(await each).status for each in more] == [201, 201]


async def test_9_and_10_a_note_is_submitted_and_co_signed_and_then_read_outside(api: Api) -> None:
    maya, ruth, chen = api.as_(MAYA), api.as_(RUTH), api.as_(CHEN)
    answer = await submit(maya, DRAFT)
    assert answer.status == 200, answer.body
    [task] = (await ruth.get(f"{tasks_of('note-review')}&status=requested")).matches
    assert {part["name"]: part["resource"]["id"] for part in answer.json["parameter"] if part["name"] == "return"} == {"return": task["id"]}
    assert (task["owner"], task["requester"], task["focus"]) == tuple(
        {"reference": each} for each in ("Practitioner/ruth", "Practitioner/maya", DRAFT)
    )
    assert (task["authoredOn"][:16], task["restriction"]["period"]["end"][:16]) == ("2026-11-10T12:00", "2026-11-12T12:00")
    assert ((await chen.get("DocumentReference?patient=ana")).ids, (await maya.get(DRAFT)).headers["etag"]) == ({"d-ana-1"}, 'W/"1"')
    api.clock.move(seconds=3_600)
    signed = await cosign(ruth, DRAFT)
    assert (signed.status, signed.headers["etag"]) == (200, 'W/"2"')
    assert (signed.json["docStatus"], signed.json["authenticator"]) == ("final", {"reference": "Practitioner/ruth"})
    [provenance] = (await ruth.get(f"Provenance?target={DRAFT}")).matches
    assert provenance["target"] == [{"reference": f"{DRAFT}/_history/2"}]
    assert provenance["activity"]["coding"][0]["code"] == "LA"
    agents = {each["type"]["coding"][0]["code"]: each["who"]["reference"] for each in provenance["agent"]}
    assert agents == {"author": "Practitioner/maya", "verifier": "Practitioner/ruth"}
    author, verifier = provenance["signature"]
    assert [each["type"][0]["code"] for each in (author, verifier)] == ["1.2.840.10065.1.12.1.1", "1.2.840.10065.1.12.1.5"]
    assert (author["when"], verifier["when"][:16]) == (task["authoredOn"], "2026-11-10T13:00")
    assert base64.b64decode(verifier["data"]).decode() == ATTESTS[0]["valueString"]
    assert "reason" not in provenance
    done = (await maya.get(f"Task/{task['id']}")).json
    assert (done["status"], done["businessStatus"]["coding"][0]["code"]) == ("completed", "co-signed")
    assert done["executionPeriod"]["end"][:16] == "2026-11-10T13:00"
    assert (await chen.get("DocumentReference?patient=ana")).ids == {"d-ana-1", "d-ana-2"}
    for outside in (CHEN, SYS_RIVERBEND, APP_ANA):
        assert (await api.as_(outside).get(f"Provenance/{provenance['id']}")).status == 200
        assert (await api.as_(outside).get(f"Task/{task['id']}")).status in {403, 404}


async def test_11_who_read_another_version_does_not_sign(api: Api) -> None:
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    opened = await etag(ruth, DRAFT)
    assert (await maya.patch(DRAFT, [{"op": "add", "path": "/description", "value": "At the park"}])).status == 200
    before = await everything(api, DRAFT)
    answer = await ruth.post(f"{DRAFT}/$cosign", given(*ATTESTS), headers=opened)
    assert answer.status == 412
    for act, said in (("$cosign", given(*ATTESTS)), ("$return-note", given(*COMMENT))):
        assert (await ruth.post(f"{DRAFT}/{act}", said)).status == 428
        assert (await ruth.post(f"{DRAFT}/{act}", said, headers={"if-match": "none"})).status == 400
    assert (await maya.request("POST", f"{DRAFT}/$submit")).status == 428
    assert await everything(api, DRAFT) == before
    assert before[0][0]["docStatus"] == "preliminary"


async def test_12_nobody_signs_what_they_wrote(covered: Api) -> None:
    before = await everything(covered, "DocumentReference/d-ruth")
    answer = await cosign(covered.as_(RUTH), "DocumentReference/d-ruth")
    assert (answer.status, answer.keys) == (422, {"note-own"})
    answer = await submit(covered.as_(RUTH), "DocumentReference/d-ruth")
    assert (answer.status, answer.keys) == (422, {"note-supervisor"})
    assert await everything(covered, "DocumentReference/d-ruth") == before


async def test_13_who_supervised_yesterday_does_not_sign_today(api: Api) -> None:
    ruth, kim = api.as_(RUTH), api.as_(KIM)
    role = (await kim.get("PractitionerRole/maya")).json
    [link] = [each for each in role["extension"] if each["url"].endswith("supervised-by")]
    now = {"url": link["url"], "extension": [
        {"url": "supervisor", "valueReference": {"reference": "PractitionerRole/omar"}},
        {"url": "period", "valuePeriod": {"start": "2026-11-09T00:00:00Z"}},
    ]}  # fmt: skip
    for part in link["extension"]:
        if part["url"] == "period":
            part["valuePeriod"]["end"] = "2026-11-09T00:00:00Z"
    assert (await kim.put("PractitionerRole/maya", role | {"extension": [*role["extension"], now]})).status == 200
    answer = await cosign(ruth, DRAFT)
    assert (answer.status, answer.keys) == (403, {"note-supervisor"})
    assert (await submit(api.as_(MAYA), DRAFT)).json["parameter"][0]["resource"]["owner"] == {"reference": "Practitioner/omar"}
    assert (await give_back(ruth, DRAFT)).status == 403
    assert (await cosign(api.as_(OMAR), DRAFT)).status == 200


# The life cycle -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", MOVES)
async def test_every_act_that_is_not_in_the_table_is_refused_and_changes_nothing(shared: Api, state: str) -> None:
    people = {"maya": shared.as_(MAYA), "ruth": shared.as_(RUTH)}
    path = await made(people["maya"], note())
    for step in WAYS[state]:
        act, who = ACTS[step]
        assert (await act(people[who], path)).status == 200
    before = await everything(shared, path)
    for to, (act, who) in ACTS.items():
        if to not in MOVES[state]:
            answer = await act(people[who], path)
            assert (answer.status, answer.keys) == (409, {"note-move"}), (state, to)
            assert await everything(shared, path) == before
    for to in MOVES[state]:
        assert to in ACTS


async def test_a_note_can_not_be_written_while_it_is_read_over(shared: Api) -> None:
    maya, ruth = shared.as_(MAYA), shared.as_(RUTH)
    path = await made(maya, note())
    text = await made(maya, {"resourceType": "Binary", "contentType": "text/plain", "securityContext": {"reference": path}, "data": "QQ=="})
    content = [{"attachment": {"contentType": "text/plain", "url": text}}]
    assert (await maya.patch(path, [{"op": "replace", "path": "/content", "value": content}])).status == 200
    assert (await submit(maya, path)).status == 200
    before, words = await everything(shared, path), await versions(maya, text)
    said, binary = (await maya.get(path)).json, (await maya.get(text, headers={"accept": "application/fhir+json"})).json
    answers = [
        await maya.put(path, said | {"description": "Changed"}),
        await maya.patch(path, [{"op": "add", "path": "/description", "value": "Changed"}]),
        await maya.delete(path),
        await maya.put(text, binary | {"data": "Qg=="}),
    ]
    assert [(answer.status, answer.keys) for answer in answers] == [(409, {"note-in-review"})] * 4
    task = before[1][0]
    assert (await maya.put(f"Task/{task['id']}", task | {"status": "completed"})).keys == {"note-review"}
    later = task | {"restriction": {"period": {"end": "2027-01-01"}}}
    for wrong in (later, task | {"owner": {"reference": "Practitioner/leo"}}):
        answer = await maya.put(f"Task/{task['id']}", wrong)
        assert (answer.status, answer.keys) == (422, {"note-review"})
    assert (await ruth.post("Task", {name: value for name, value in task.items() if name not in {"id", "meta"}})).keys == {"note-review"}
    assert (await everything(shared, path), await versions(maya, text)) == (before, words)
    returned = await give_back(ruth, path)
    assert returned.json["businessStatus"]["coding"][0]["code"] == "returned"
    assert returned.json["note"][0]["text"] == COMMENT[0]["valueString"]
    assert (await maya.get(f"Task/{task['id']}")).json["businessStatus"] == returned.json["businessStatus"]
    changed = await maya.put(text, binary | {"data": "Qg=="})
    assert changed.status == 200, changed.body
    attachment = (await maya.get(path)).json["content"][0]["attachment"]
    assert (attachment["size"], attachment["hash"]) == (1, base64.b64encode(hashlib.sha1(b"B", usedforsecurity=False).digest()).decode())
    assert (await submit(maya, path)).status == 200


async def test_a_case_manager_takes_a_review_on_and_hands_it_over(shared: Api) -> None:
    maya, ruth = shared.as_(MAYA), shared.as_(RUTH)
    path = await made(maya, note())
    task = (await submit(maya, path)).json["parameter"][0]["resource"]
    taken = (await ruth.put(f"Task/{task['id']}", task | {"status": "accepted", "owner": {"reference": "Practitioner/omar"}})).json
    assert (taken["status"], taken["owner"]) == ("accepted", {"reference": "Practitioner/omar"})
    assert (await submit(maya, path)).keys == {"note-move"}
    assert (await cosign(ruth, path)).status == 200


async def test_with_a_new_text_the_note_is_another_version_so_nobody_signs_what_they_did_not_read(api: Api) -> None:
    maya, ruth = api.as_(MAYA), api.as_(RUTH)
    opened = await etag(ruth, DRAFT)
    binary = (await maya.get("Binary/b-ana-2", headers={"accept": "application/fhir+json"})).json
    words = base64.b64encode(b"Ana changed her mind.").decode()
    assert (await maya.put("Binary/b-ana-2", binary | {"data": words})).status == 200
    assert (await ruth.post(f"{DRAFT}/$cosign", given(*ATTESTS), headers=opened)).status == 412
    assert (await ruth.get(DRAFT)).json["content"][0]["attachment"]["size"] == 21


async def test_a_signed_note_and_its_text_stay_as_they_are(shared: Api) -> None:
    maya = shared.as_(MAYA)
    signed = (await maya.get(SIGNED)).json
    binary = (await maya.get("Binary/b-ana-1", headers={"accept": "application/fhir+json"})).json
    before = await everything(shared, SIGNED), await versions(maya, "Binary/b-ana-1")
    answers = [
        await maya.put(SIGNED, signed | {"description": "Better"}),
        await shared.as_(RUTH).put(SIGNED, signed | {"docStatus": "amended"}),
        await maya.put("Binary/b-ana-1", binary | {"data": "QQ=="}),
        await maya.delete(SIGNED),
    ]
    assert [(answer.status, answer.keys) for answer in answers] == [(403, {"own-draft"})] * 4
    assert (await everything(shared, SIGNED), await versions(maya, "Binary/b-ana-1")) == before


@pytest.mark.parametrize("final", [{"docStatus": "final"}, {"authenticator": {"reference": "Practitioner/ruth"}}, {"docStatus": "amended"}])
async def test_nothing_but_a_co_signature_makes_a_note_final(shared: Api, final: JsonObject) -> None:
    path = await made(shared.as_(MAYA), note())
    draft = (await shared.as_(MAYA).get(path)).json
    for caller in (MAYA, RUTH):
        client = shared.as_(caller)
        answers = [await client.post("DocumentReference", note(by=caller.name) | final), await client.put(path, draft | final)]
        answers.append(await client.patch(path, [{"op": "add", "path": f"/{name}", "value": value} for name, value in final.items()]))
        assert {(answer.status, *answer.keys) for answer in answers} == {(403, "own-draft")}
    assert (await shared.as_(MAYA).put(path, draft | {"status": "superseded"})).keys == {"note-superseded"}
    assert len(await versions(shared.as_(MAYA), path)) == 1


async def test_who_may_do_what(covered: Api) -> None:
    maya, ruth, omar = covered.as_(MAYA), covered.as_(RUTH), covered.as_(OMAR)
    path = await made(maya, note())
    assert (await submit(ruth, path)).keys == {"note-author"}
    for act in ("$cosign", "$return-note"):
        assert (await maya.post(f"{path}/{act}", given(*ATTESTS), headers={"if-match": 'W/"1"'})).status == 403
        assert (await omar.post(f"{path}/{act}", given(*ATTESTS), headers={"if-match": 'W/"1"'})).status == 404
    assert (await ruth.post(f"{path}/$cosign", given(), headers={"if-match": 'W/"1"'})).status == 400
    assert (await submit(maya, path)).json["parameter"][0]["resource"]["owner"] == {"reference": "Practitioner/ruth"}
    signed = await cosign(covered.as_(IRIS), path)
    assert (signed.status, signed.json["authenticator"]) == (200, {"reference": "Practitioner/iris"})


# Labels ---------------------------------------------------------------------------------------------------------------


async def test_the_signer_narrows_the_labels_and_the_signature_says_so(api: Api) -> None:
    ruth = api.as_(RUTH)
    assert {"SUD", "ETH", "PSY"} <= labels((await ruth.get(DRAFT)).json)
    wrong = await cosign(ruth, DRAFT, {"name": "securityLabel", "valueCoding": {"system": ACT, "code": "42CFRPart2"}})
    assert (wrong.status, wrong.keys) == (422, {"note-labels"})
    signed = await cosign(ruth, DRAFT, {"name": "securityLabel", "valueCoding": {"system": ACT, "code": "PSY"}})
    assert labels(signed.json) & {"SUD", "ETH", "PSY"} == {"PSY"}
    assert "42CFRPart2" in labels(signed.json)
    [provenance] = (await ruth.get(f"Provenance?target={DRAFT}")).matches
    assert provenance["reason"] == [{"coding": [{"system": f"{CANON}/CodeSystem/provenance-reason", "code": "label-narrowed"}]}]


async def test_what_the_author_raised_narrows_nothing(shared: Api) -> None:
    maya, ruth = shared.as_(MAYA), shared.as_(RUTH)
    path = await made(maya, note(securityLabel=[{"coding": [{"system": ACT, "code": "SDV"}]}]))
    signed = (await cosign(ruth, path)).json
    assert labels(signed) & {"SUD", "ETH", "PSY", "SDV"} == {"SUD", "ETH", "PSY", "SDV"}
    assert "securityLabel" not in signed


# Amendments -----------------------------------------------------------------------------------------------------------


def replacing(target: str, **more: JsonObject) -> JsonObject:
    return note(relatesTo=[{"code": "replaces", "target": {"reference": target}}]) | more


async def test_what_was_signed_stays_current_until_what_replaces_it_is_signed(api: Api) -> None:
    maya, ruth, chen = api.as_(MAYA), api.as_(RUTH), api.as_(CHEN)
    first, second = await made(maya, replacing(SIGNED)), await made(maya, replacing(SIGNED))
    assert (await submit(maya, first)).status == 200
    assert (await chen.get(SIGNED)).json["status"] == "current"
    assert (await chen.get(first)).status == 404
    assert (await cosign(ruth, first)).status == 200
    assert ((await chen.get(SIGNED)).json["status"], (await chen.get(first)).json["status"]) == ("superseded", "current")
    before = await everything(api, second)
    late = await cosign(ruth, second)
    assert (late.status, late.keys) == (409, {"note-replaces"})
    assert await everything(api, second) == before


@pytest.mark.parametrize("target", [DRAFT, "DocumentReference/form-ana", "DocumentReference/d-cora-1"])
async def test_only_a_signed_note_of_the_same_client_is_replaced(shared: Api, target: str) -> None:
    maya = shared.as_(MAYA)
    total = (await maya.get("DocumentReference?patient=ana&_total=accurate")).json["total"]
    answer = await maya.post("DocumentReference", replacing(target))
    assert (answer.status, answer.keys) == (422, {"note-replaces"})
    hidden, absent = [await maya.post("DocumentReference", replacing(f"DocumentReference/{id}")) for id in ("d-ben-1", "absent")]
    assert (hidden.status, hidden.keys, absent.keys) == (422, {"reference-exists"}, {"reference-exists"})
    assert (await maya.get("DocumentReference?patient=ana&_total=accurate")).json["total"] == total


async def test_a_draft_of_the_same_transaction_is_not_replaced_either(shared: Api) -> None:
    urn = "urn:uuid:00000000-0000-4000-8000-000000000009"
    answer = await shared.as_(MAYA).post("", bundle("transaction", post(replacing(urn)), post(note(), full_url=urn)))
    assert (answer.status, answer.keys) == (422, {"note-replaces"})


# Settings -------------------------------------------------------------------------------------------------------------


async def test_the_agency_sets_how_long_a_review_takes_and_how_long_a_companion_who_left_finishes_her_notes(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    story = Story()
    left = next(each for each in story.find("CareTeam/ct-ana")["participant"] if each["member"]["reference"] == "Practitioner/maya")
    left["period"]["end"] = story.instant(days=1)
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, story.resources, NOTE_REVIEW_HOURS="24", COMPANION_GRACE_DAYS="2") as api:
        maya, ruth = api.as_(MAYA), api.as_(RUTH)
        assert (await submit(maya, DRAFT)).status == 200
        [task] = (await ruth.get(f"{tasks_of('note-review')}&status=requested")).matches
        assert task["restriction"]["period"]["end"][:16] == "2026-11-11T12:00"
        assert (await give_back(ruth, DRAFT)).status == 200
        api.clock.move(seconds=86_400)
        maya, ruth = api.as_(MAYA), api.as_(RUTH)
        assert (await maya.request("POST", f"{DRAFT}/$submit", headers={"if-match": 'W/"1"'})).status == 404
        assert (await cosign(ruth, DRAFT)).status == 200
    databases.drop(url)


# At once --------------------------------------------------------------------------------------------------------------


async def test_of_two_who_sign_at_once_one_does(covered: Api) -> None:
    maya = covered.as_(MAYA)
    path = await made(maya, note())
    answers = await asyncio.gather(*(
        covered.as_(who).post(f"{path}/$cosign", given(*ATTESTS), headers={"if-match": 'W/"1"'}) for who in (RUTH, IRIS) for _ in range(3)
    ))  # fmt: skip
    assert sorted(answer.status for answer in answers) == [200] + [412] * 5
    notes, _, provenance = await everything(covered, path)
    assert (len(notes), len(provenance)) == (2, 1)


async def test_of_two_submissions_at_once_one_makes_a_task(shared: Api) -> None:
    maya = shared.as_(MAYA)
    path = await made(maya, note())
    answers = await asyncio.gather(*(maya.request("POST", f"{path}/$submit", headers={"if-match": 'W/"1"'}) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 3
    assert len((await everything(shared, path))[1]) == 1
