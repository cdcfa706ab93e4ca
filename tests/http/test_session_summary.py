"""$session-summary drafts a note from what was recorded, and $language-check names words that hurt (domain.md 7)."""
import asyncio
import base64
from typing import Any

import pytest

from recovery_api.domain.language import hurting
from recovery_api.domain.session_notes import drafted
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, Response
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, OMAR, RUTH, SAM, SYS_RIVERBEND
from tests.http.recorded import begun, labels, made, moved
from tests.http.resources import local, note, observation, session


async def summarized(client: Client, encounter: str) -> Response:
    return await client.request("POST", f"{encounter}/$session-summary")


async def words(client: Client, document: JsonObject) -> str:
    answer = await client.get(document["content"][0]["attachment"]["url"], headers={"accept": "application/fhir+json"})
    return base64.b64decode(answer.json["data"]).decode()


async def test_a_note_is_drafted_from_what_was_recorded(api: Api) -> None:
    maya, encounter = api.as_(MAYA), await begun(api.as_(MAYA))
    here: dict[str, Any] = {"encounter": {"reference": encounter}}
    trigger = observation("trigger", **here, component=[{"code": local("companion-observation-component", "intensity"), "valueInteger": 6}])
    del trigger["valueInteger"]
    withdrawn = observation("craving", 9, **here, status="entered-in-error")
    grounding = observation("grounding-used", **here) | {"valueString": "five sounds in the room"}
    del grounding["valueInteger"]
    unsaid = observation("sleep-hours", **here, dataAbsentReason={"text": "not asked"})
    del unsaid["valueInteger"]
    said = [trigger | {"valueCodeableConcept": local("trigger", "sensory")}, withdrawn, grounding, unsaid]
    for each in [*said, observation("mood", 5, **here), observation("rapport", 3, **here)]:
        await made(maya, each)
    api.clock.move(seconds=90 * 60)
    answer = await summarized(maya, encounter)
    assert answer.status == 200, answer.body
    document = answer.json
    assert (document["docStatus"], document["author"], document["custodian"]) == (
        "preliminary", [{"reference": "Practitioner/maya"}], {"reference": "Organization/org-cir"},
    )  # fmt: skip
    assert document["context"]["encounter"] == [{"reference": encounter}]
    text = await words(maya, document)
    assert document["content"][0]["attachment"]["size"] == len(text.encode())
    assert text.split("\n\n") == [
        "Ana and the companion met at home.",
        "What Ana chose to work on\nAna and the companion build trust (3).",
        "How Ana was\nSleep hours was not spoken about.\nAna rated the mood of the day 5 of 10.",
        "Triggers and responses\nAna recognised a trigger: sensory, intensity 6.",
        "Supports used\nGrounding was used: five sounds in the room.",
        "Next step, at Ana's pace\nTo be written together with Ana.\n",
    ]
    assert hurting(text, "text") == []
    assert {"SUD", "ETH", "PSY", "42CFRPart2"} <= labels((await maya.get(f"DocumentReference/{document['id']}")).json)
    assert (await maya.patch(encounter, moved("finished"))).status == 200
    submitted = await maya.request("POST", f"DocumentReference/{document['id']}/$submit", headers={"if-match": 'W/"1"'})
    assert [part["name"] for part in submitted.json["parameter"]] == ["return"]
    assert (await api.as_(CHEN).get(f"DocumentReference/{document['id']}")).status == 404


async def test_it_is_refused_while_something_is_missing_and_when_there_is_a_note(shared: Api) -> None:
    maya = shared.as_(MAYA)
    encounter = await begun(maya, "cora")
    refused = await summarized(maya, encounter)
    assert (refused.status, refused.keys) == (422, {"session-observed"})
    await made(maya, observation(client="cora", encounter={"reference": encounter}))
    answers = await asyncio.gather(*(summarized(maya, encounter) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    assert all(answer.keys == {"note-there"} for answer in answers if answer.status == 409)
    assert len((await maya.get(f"DocumentReference?encounter={encounter}")).ids) == 1
    assert (await maya.patch(encounter, moved("entered-in-error"))).status == 200


async def test_who_was_there_asks_for_it_when_it_has_begun(shared: Api) -> None:
    maya, ruth = shared.as_(MAYA), shared.as_(RUTH)
    planned = await made(maya, session("eve"))
    await made(maya, observation(client="eve", encounter={"reference": planned}))
    assert (await summarized(maya, planned)).keys == {"session-begun"}
    assert (await summarized(ruth, planned)).keys == {"own-session"}
    assert (await summarized(shared.as_(LEO), planned)).status == 404
    for nobody in (CHEN, SYS_RIVERBEND, APP_ANA, SAM, KIM):
        assert (await summarized(shared.as_(nobody), planned)).status == 403
    reading = shared.as_(MAYA, scopes="recovery/companion user/Encounter.r user/Observation.rs")
    assert (await summarized(reading, planned)).status == 403


def test_the_draft_is_the_callers_own_kind_of_note() -> None:
    held = session() | {"id": "e"}
    document, binary = drafted(held, ("d", "b"), "Practitioner/maya", None, "2026-11-10T12:00:00Z", "Words")
    assert document["type"]["coding"][2]["code"] == "companion-session-note"
    assert "custodian" not in document
    assert binary["securityContext"] == {"reference": "DocumentReference/d"}


# Language -------------------------------------------------------------------------------------------------------------


def text(said: str) -> JsonObject:
    return {"resourceType": "Parameters", "parameter": [{"name": "text", "valueString": said}]}


async def test_words_that_hurt_are_named_with_their_place_and_better_ones(shared: Api) -> None:
    answer = await shared.as_(MAYA).post("$language-check", text("Ana refused to talk about the drug abuse."))
    assert answer.status == 200
    first, second = answer.json["issue"]
    assert (first["severity"], first["details"]["text"], second["details"]["text"]) == ("warning", "language-power", "language-blame")
    assert first["expression"] == ["Parameters.parameter.where(name = 'text').value.substring(4, 7)"]
    assert "declined" in first["diagnostics"]
    assert "NIDA" in second["diagnostics"]
    fine = await shared.as_(MAYA).post("$language-check", text("Ana chose a quiet day."))
    assert [issue["severity"] for issue in fine.json["issue"]] == ["information"]


async def test_a_text_is_checked_by_staff_and_by_post_only(shared: Api) -> None:
    assert (await shared.as_(MAYA).get("$language-check?text=refused")).status == 405
    assert (await shared.as_(MAYA).post("$language-check?text=refused", text("fine"))).status == 400
    for staff in (MAYA, LEO, RUTH, OMAR, CHEN):
        assert (await shared.as_(staff).post("$language-check", text("fine"))).status == 200
    for other in (SYS_RIVERBEND, APP_ANA, SAM, KIM):
        assert (await shared.as_(other).post("$language-check", text("fine"))).status == 403


@pytest.mark.parametrize(("said", "keys"), [("Ana refused lunch.", {"language-power"}), ("Ana chose lunch.", set[str]())])
async def test_a_note_that_is_submitted_says_so_too_and_is_submitted_all_the_same(shared: Api, said: str, keys: set[str]) -> None:
    maya = shared.as_(MAYA)
    path = await made(maya, note())
    data = base64.b64encode(said.encode()).decode()
    binary = {"resourceType": "Binary", "contentType": "text/plain", "securityContext": {"reference": path}, "data": data}
    content = [{"attachment": {"contentType": "text/plain", "url": await made(maya, binary)}}]
    changed = await maya.patch(path, [{"op": "replace", "path": "/content", "value": content}])
    answer = await maya.request("POST", f"{path}/$submit", headers={"if-match": changed.headers["etag"]})
    found = {part["name"]: part["resource"] for part in answer.json["parameter"]}
    assert found["return"]["resourceType"] == "Task"
    assert {issue["details"]["text"] for issue in found.get("language", {"issue": []})["issue"]} == keys
