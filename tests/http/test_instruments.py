"""The answers to instruments are scored by the server, and what is derived follows them."""

import pytest

from recovery_api.domain.codes import ref
from recovery_api.domain.instruments import RESPONSE
from recovery_api.fhir.json import JsonObject
from tests.api import Api
from tests.callers import MAYA, RUTH
from tests.http.escalating import PHQ_9, derived, ends, escalations, response, status, written


async def test_what_is_derived_tells_the_score_who_answered_when_and_where(api: Api) -> None:
    id = await written(api, response("phq-9", PHQ_9, encounter=ref("Encounter/e-ana-2")))
    total = (await derived(api, id))["44261-6"]
    assert (total["status"], total["valueInteger"], total["interpretation"]) == ("final", 3, [{"text": "minimal"}])
    assert (total["subject"], total["encounter"]) == (ref("Patient/ana"), ref("Encounter/e-ana-2"))
    assert total["performer"] == [ref("Practitioner/maya")]
    assert (total["effectiveDateTime"], total["derivedFrom"]) == ("2026-11-10T11:30:00Z", [ref(f"QuestionnaireResponse/{id}")])
    assert {label["code"] for label in total["meta"]["security"]} >= {"PSY", "R", "42CFRPart2"}
    assert await escalations(api) == []


async def test_without_all_answers_there_is_no_total_and_item_9_counts_all_the_same(api: Api) -> None:
    told = await derived(api, await written(api, response("phq-9", {"44260-8": 2})))
    assert "valueInteger" not in told["44261-6"]
    assert told["44261-6"]["dataAbsentReason"]["coding"][0]["code"] == "not-asked"
    assert [task["priority"] for task in await escalations(api)] == ["urgent"]


async def test_answers_that_are_amended_correct_what_is_derived_and_pile_nothing_up(api: Api) -> None:
    maya = api.as_(MAYA)
    id = await written(api, response("phq-9", dict.fromkeys(PHQ_9, 2) | {"44260-8": 0}))
    first = await derived(api, id)
    [raised] = await escalations(api)
    assert (first["44261-6"]["valueInteger"], raised["priority"]) == (16, "routine")
    for link, total, priority in (("44250-9", 17, "routine"), ("44260-8", 20, "urgent")):
        answers: JsonObject = {**(await maya.get(f"QuestionnaireResponse/{id}")).json, "status": "amended"}
        items: list[JsonObject] = answers["item"]
        next(item for item in items if item["linkId"] == link)["answer"] = [{"valueInteger": 3}]
        assert (await maya.put(f"QuestionnaireResponse/{id}", answers)).status == 200
        again = await derived(api, id)
        assert {one["id"] for one in again.values()} == {one["id"] for one in first.values()}
        assert (again["44261-6"]["status"], again["44261-6"]["valueInteger"]) == ("corrected", total)
        [same] = [task for task in await escalations(api) if "/escalation-phq9-total|" in task["instantiatesCanonical"]]
        assert (same["id"], same["priority"]) == (raised["id"], priority)
    assert ends(same) == "2026-11-10T13:00:00.000000Z"
    assert len(await escalations(api)) == 2  # and the one of item 9
    gone = (await maya.get(f"QuestionnaireResponse/{id}")).json | {"status": "entered-in-error"}
    assert (await maya.put(f"QuestionnaireResponse/{id}", gone)).status == 200
    assert {one["status"] for one in (await derived(api, id)).values()} == {"entered-in-error"}


async def test_with_answers_that_are_deleted_nothing_derived_stands(api: Api) -> None:
    maya, ruth, id = api.as_(MAYA), api.as_(RUTH), await written(api, response("phq-9", PHQ_9))
    path, first = f"QuestionnaireResponse/{id}", {one["id"] for one in (await derived(api, id)).values()}
    assert first
    assert (await maya.delete(path, headers={"if-match": 'W/"7"'})).status == 412
    told = [(await ruth.get(f"Observation/{id}")).json for id in first]
    assert {one["status"] for one in told} == {"final"}
    assert (await maya.delete(path)).status == 204
    told = [(await ruth.get(f"Observation/{id}")).json for id in first]
    assert {(one["status"], one["meta"]["versionId"]) for one in told} == {("entered-in-error", "2")}


async def test_answers_are_scored_when_they_are_complete(api: Api) -> None:
    maya = api.as_(MAYA)
    id = await written(api, response("phq-9", PHQ_9, status="in-progress"))
    assert await derived(api, id) == {}
    assert (await maya.patch(f"QuestionnaireResponse/{id}", status("completed"))).status == 200
    assert (await derived(api, id))["44261-6"]["valueInteger"] == 3


async def test_what_is_no_answer_is_refused_with_its_place_and_nothing_is_stored(api: Api) -> None:
    ruth = api.as_(RUTH)
    refused = await api.as_(MAYA).post("QuestionnaireResponse", response("phq-9", PHQ_9 | {"44260-8": 4}))
    assert (refused.status, refused.keys) == (422, {"instrument-answer"})
    assert refused.places == {"QuestionnaireResponse.item[8].answer[0]"}
    assert (await ruth.get("QuestionnaireResponse", patient="ana")).ids == set()
    nobody = response("phq-9", PHQ_9)
    del nobody["subject"]
    assert (await ruth.post("QuestionnaireResponse", nobody)).keys == {"instrument-subject"}


async def test_a_questionnaire_that_is_no_instrument_is_stored_as_it_is(api: Api) -> None:
    answers = response("phq-9", {"44260-8": 9}) | {"questionnaire": "https://elsewhere.example/Questionnaire/phq-9"}
    assert await derived(api, await written(api, answers)) == {}


@pytest.mark.parametrize("before", sorted(RESPONSE.moves))
async def test_answered_instruments_make_no_move_that_is_not_in_the_table(shared: Api, before: str) -> None:
    maya, path = shared.as_(MAYA), f"QuestionnaireResponse/answers-{before}"
    await shared.load([response("phq-9", PHQ_9, status=before) | {"id": f"answers-{before}"}])
    for after in RESPONSE.moves.keys() - RESPONSE.moves[before] - {before}:
        refused = await maya.patch(path, status(after))
        assert (refused.status, refused.keys) == (409, {"response-move"}), after
        assert (await maya.get(path)).json["meta"]["versionId"] == "1"
