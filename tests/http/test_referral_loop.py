"""A whole referral from both sides, and what care coordination asks of a server (conformance checklist, section K)."""
import json
from typing import Any

import pytest

from recovery_api.domain.codes import THO
from recovery_api.domain.patient_tasks import DEMANDS, SDC, SDOHCC
from recovery_api.domain.referrals import NAMES
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client
from tests.callers import APP_ANA, CHEN, RUTH, SYS_LAKESIDE, SYS_RIVERBEND, system
from tests.http.recorded import made
from tests.http.referring import NEEDED, OUTPUT, business, locations, moved, referred, status
from tests.http.resources import CANON, concept, local, observation, referral, session

HARBOR = system("sys-harbor-referrer", "referrer", "org-harbor")



async def versions(client: Client, path: str) -> list[tuple[str, str | None]]:
    """Status and businessStatus of each version that a party sees, the newest first."""
    answer = await client.get(f"{path}/_history?_count=100")
    assert answer.status == 200, answer.body
    found = [entry["resource"] for entry in answer.json["entry"]]
    return [(each["status"], business(each) if "businessStatus" in each else None) for each in found]


async def polled(client: Client, since: str) -> dict[str, JsonObject]:
    """What a clinic hears of by polling: Tasks that changed, and their orders (K09)."""
    owner = "Organization/org-cir"
    answer = await client.get("Task", _lastUpdated=f"gt{since}", owner=owner, _include="Task:focus", _sort="_lastUpdated")
    assert answer.status == 200, answer.body
    return {f"{each['resourceType']}/{each['id']}": each for each in [*answer.matches, *answer.included]}


async def test_a_referral_is_played_from_both_sides_from_its_post_to_its_end(api: Api) -> None:
    """K09, K15, K16: by single posts; at each step both parties see the same, and the clinic hears of it by polling."""
    lakeside, ruth, harbor = api.as_(SYS_LAKESIDE), api.as_(RUTH), api.as_(HARBOR)
    said = [entry["resource"] for entry in referral("LS-LOOP")["entry"]]
    person = (await lakeside.post("Patient", said[0])).headers["location"].partition("/fhir/")[2].rpartition("/_history")[0]
    order = await made(lakeside, said[1] | {"subject": {"reference": person}})
    receipt = await lakeside.post("Task", said[2] | {"focus": {"reference": order}, "for": {"reference": person}})
    task = f"Task/{receipt.json['id']}"
    assert (receipt.status, receipt.json["status"], business(receipt.json)) == (201, "requested", "2.0")
    assert receipt.headers["location"].endswith(f"{task}/_history/1")
    told: list[tuple[str, str | None]] = [("requested", "2.0")]

    async def step(to: str, code: str, order_is: str = "active", **more: Any) -> None:
        """A move of Ruth's, as the clinic then polls, reads and looks back on it; nobody else's clinic does."""
        before = (await lakeside.get(task)).json["meta"]["lastUpdated"]
        api.clock.move(seconds=60)
        answer = await ruth.patch(task, status(to, **more))
        assert answer.status == 200, answer.body
        told.insert(0, (to, code))
        heard = await polled(lakeside, before)
        assert set(heard) == {task, order}
        assert (heard[task]["status"], business(heard[task]), heard[order]["status"]) == (to, code, order_is)
        theirs, ours = (await lakeside.get(task)), (await ruth.get(task))
        assert (theirs.status, theirs.headers["etag"]) == (200, ours.headers["etag"])
        assert {name: theirs.json[name] for name in ("status", "businessStatus", "focus", "for", "owner", "requester")} == {
            name: ours.json[name] for name in ("status", "businessStatus", "focus", "for", "owner", "requester")
        }
        assert await versions(lakeside, task) == await versions(ruth, task) == told
        assert await polled(harbor, "2020-01-01") == {}
        assert (await harbor.get(task)).status == (await harbor.get(f"{task}/_history")).status == (await harbor.get(order)).status == 404

    assert set(await polled(lakeside, "2026-11-10T11:59:59Z")) >= {task, order}
    await step("accepted", "3.0")
    [episode] = (await ruth.get(f"EpisodeOfCare?incoming-referral={order}")).matches
    client = episode["patient"]["reference"].partition("/")[2]
    await step("in-progress", "5.1.1")
    place = {"reference": f"EpisodeOfCare/{episode['id']}"}
    assert (await ruth.post("Encounter", session(client, "ruth", "in-progress", episodeOfCare=[place]))).status == 201
    assert (await ruth.get(place["reference"])).json["status"] == "active"
    await step("on-hold", "5.1.2", businessStatus=local("referral-business-status", "5.1.2"))
    await step("in-progress", "5.1.1")
    refused = await ruth.patch(task, status("completed"))
    assert (refused.status, refused.keys, refused.places) == (422, {"referral-output"}, {"Task.output"})
    await step("completed", "7.0", "completed", output=OUTPUT)
    assert (await lakeside.get(task)).json["output"] == OUTPUT
    assert (await ruth.patch(task, status("accepted"))).status == 409
    assert (await lakeside.patch(task, status("cancelled"))).status == 409
    assert await versions(lakeside, task) == told
    for hidden in (person, f"Patient/{client}", f"EpisodeOfCare/{episode['id']}"):
        assert (await lakeside.get(hidden)).status == 403


async def test_a_clinic_sees_its_own_referrals_alone(shared: Api) -> None:
    harbors = referral("HB-1")
    for entry in harbors["entry"][1:]:
        entry["resource"]["requester"] = {"reference": "Organization/org-harbor"}
    answer = await shared.as_(HARBOR).post("", harbors)
    _, order, task = locations(answer)
    _, lakes_order, lakes_task = await referred(shared.as_(SYS_LAKESIDE), "LS-ISO")
    for caller, own, other in (
        (HARBOR, (order, task), (lakes_order, lakes_task)), (SYS_LAKESIDE, (lakes_order, lakes_task), (order, task)),
    ):  # fmt: skip
        client = shared.as_(caller)
        seen = {f"{kind}/{id_}" for kind in ("ServiceRequest", "Task") for id_ in (await client.get(f"{kind}?_count=200")).ids}
        assert set(own) <= seen
        assert not set(other) & seen
        absent = [(await client.get(f"{each.partition('/')[0]}/absent")).body for each in other]
        assert [(await client.get(each)).body for each in other] == absent
        assert {(await client.patch(each, status("cancelled"))).status for each in other} == {404}
        assert (await client.get(f"Task?focus={other[0]}&_include=Task:focus")).json["total"] == 0


@pytest.mark.parametrize("wrong", ["ready", "received", "draft", "accepted", "completed"])
async def test_k01_a_referral_does_not_begin_as_what_a_referral_never_is(shared: Api, wrong: str) -> None:
    refused = await shared.as_(SYS_LAKESIDE).post("", referral(f"LS-K01-{wrong}", wrong))
    assert (refused.status, refused.places) == (422, {"Bundle.entry[2].resource.status"})
    assert refused.keys == {"referral-start"}


async def test_k03_k14_k16_a_referral_ends_with_what_came_of_it_by_the_path_of_business_states(shared: Api) -> None:
    _, _, task = await moved(shared, "LS-K03", "in-progress")
    ruth = shared.as_(RUTH)
    assert (await ruth.patch(task, status("completed"))).keys == {"referral-output"}
    unknown = status("on-hold", businessStatus=local("referral-business-status", "9.9"))
    assert business((await ruth.patch(task, unknown)).json) == "5.1.3"
    assert (await ruth.patch(task, status("completed", **NEEDED["completed"]))).status == 409
    path = [code for _, code in reversed(await versions(ruth, task)) if code]
    assert set(path) <= set(NAMES)
    assert path == ["2.0", "3.0", "5.1.1", "5.1.3"]


def asked(code: tuple[str, str], **more: Any) -> JsonObject:
    """Something that Ana is asked to do."""
    return {
        "resourceType": "Task", "status": "ready", "intent": "order", "code": concept(*code), "for": {"reference": "Patient/ana"},
        "owner": {"reference": "Patient/ana"}, "requester": {"reference": "Practitioner/ruth"},
    } | more  # fmt: skip


def typed(*codes: tuple[str, str]) -> list[JsonObject]:
    return [{"type": concept(*code), "valueString": "x"} for code in codes]


FORM, PDF, URL = (SDC, "questionnaire"), (SDOHCC, "questionnaire-pdf"), (SDOHCC, "questionnaire-url")
CATEGORY = (SDOHCC, "questionnaire-category")
ANSWER, OTHER = (SDC, "questionnaire-response"), (SDOHCC, "something-else")
COMPLETE, GENERAL, MATERIAL, CONTACT = (
    (SDC, "complete-questionnaire"), (SDOHCC, "general-information"), (SDOHCC, "review-material"), (SDOHCC, "make-contact"),
)  # fmt: skip
K04: list[tuple[str, JsonObject]] = [
    ("1", asked(COMPLETE)),
    ("1", asked(COMPLETE, input=typed(FORM))),
    ("1", asked(COMPLETE, input=typed(CATEGORY))),
    ("1", asked(COMPLETE, input=typed(FORM, URL, CATEGORY))),
    ("", asked(COMPLETE, input=typed(FORM, CATEGORY))),
    ("", asked(COMPLETE, input=typed(URL, CATEGORY))),
    ("2", asked(GENERAL)),
    ("2", asked(GENERAL, description="How are you?", output=typed(OTHER))),
    ("", asked(GENERAL, description="How are you?", output=typed((SDOHCC, "general-information-response")))),
    ("3", asked(MATERIAL)),
    ("3", asked(MATERIAL, focus={"reference": "Patient/ana"})),
    ("", asked(MATERIAL, focus={"reference": "DocumentReference/d-ana-1"})),
    ("4", asked(CONTACT, description="Call them")),
    ("7", asked(CONTACT, input=typed((SDOHCC, "contact-entity")))),
    ("7", asked(CONTACT, description="Call them", input=typed((SDOHCC, "contact-entity")), output=typed(OTHER))),
    ("", asked(CONTACT, description="Call them", input=typed((SDOHCC, "contact-entity")), output=typed((SDOHCC, "chosen-contact")))),
    ("5", asked(COMPLETE, input=typed(FORM, CATEGORY), output=typed(OTHER))),
    ("", asked(COMPLETE, input=typed(FORM, CATEGORY), output=typed(ANSWER))),
    ("6", asked(COMPLETE, input=typed(PDF, CATEGORY), output=typed(ANSWER))),
    ("", asked(COMPLETE, input=typed(PDF, CATEGORY), output=typed((SDOHCC, "questionnaire-pdf-completed")))),
]


async def test_k02_k04_what_a_client_is_asked_to_do_says_what_its_code_needs(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    for number, task in K04:
        answer = await ruth.post("Task", task)
        assert answer.status == (422 if number else 201), (number, task, answer.body)
        assert not number or answer.keys == {f"SDOH-Task-{number}"}
    assert {f"SDOH-Task-{number}" for number, _ in K04 if number} == {each.rule.key for each in DEMANDS}
    refused = await ruth.post("Task", K04[4][1] | {"status": "requested"})
    assert (refused.status, refused.keys, refused.places) == (422, {"SDOHCC-ValueSetTaskStatus"}, {"Task.status"})
    there = (await ruth.post("Task", K04[8][1])).json
    changed = await ruth.patch(f"Task/{there['id']}", [{"op": "remove", "path": "/description"}])
    assert (changed.status, changed.keys) == (422, {"SDOH-Task-2"})


async def test_k10_a_score_says_from_which_answers_it_was_derived(shared: Api) -> None:
    answers = [{"linkId": "/44250-9", "answer": [{"valueCoding": {"system": "http://loinc.org", "code": "LA6569-3"}}]}]
    response = {
        "resourceType": "QuestionnaireResponse", "status": "completed", "subject": {"reference": "Patient/ana"},
        "questionnaire": f"{CANON}/Questionnaire/phq-9", "authored": "2026-11-10T11:30:00Z", "item": answers,
    }  # fmt: skip
    place = await made(shared.as_(RUTH), response)
    found = (await shared.as_(RUTH).get(f"Observation?derived-from={place}")).matches
    assert found
    assert all(each["derivedFrom"] == [{"reference": place}] for each in found)


async def test_k12_a_referral_tells_its_clinic_of_nothing_for_which_there_is_no_consent(shared: Api) -> None:
    lakeside, ruth = shared.as_(SYS_LAKESIDE), shared.as_(RUTH)
    _, order, task = await moved(shared, "LS-K12", "accepted")
    [episode] = (await ruth.get(f"EpisodeOfCare?incoming-referral={order}")).matches
    told = json.dumps([(await lakeside.get(path)).json for path in (task, order)])
    assert episode["patient"]["reference"] not in told
    for path in ("Patient", "EpisodeOfCare", "Encounter", "Observation", "DocumentReference"):
        assert (await lakeside.get(f"{path}?_count=1")).status == 403
    assert (await lakeside.get(f"Task?_id={task.partition('/')[2]}&_include=Task:patient")).included == []


async def test_k13_a_code_comes_from_the_value_set_that_its_category_asks_for(shared: Api) -> None:
    claims: JsonObject = {"meta": {"profile": [f"{CANON}/StructureDefinition/session-observation"]}}
    claims |= {"encounter": {"reference": "Encounter/e-ana-2"}}
    wrong = observation() | claims | {"code": concept("http://loinc.org", "8867-4")}
    refused = await shared.as_(RUTH).post("Observation", wrong)
    assert (refused.status, {"Observation.code"} & refused.places) == (422, {"Observation.code"})
    categories = [local("observation-category", "companion-session"), concept(f"{THO}observation-category", "social-history")]
    right = observation() | claims | {"category": categories}
    assert (await shared.as_(RUTH).post("Observation", right | {"performer": [{"reference": "Practitioner/ruth"}]})).status == 201


MCC = (
    "CarePlan", "CareTeam", "Goal", "Condition", "ServiceRequest", "Procedure", "Observation", "MedicationRequest", "NutritionOrder",
    "Immunization", "DiagnosticReport", "DocumentReference", "QuestionnaireResponse", "ClinicalImpression", "FamilyMemberHistory",
)  # fmt: skip


async def test_k17_what_a_shared_care_plan_is_made_of_is_read_and_searched(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    said = (await ruth.get("metadata")).json["rest"][0]["resource"]
    served = {each["type"]: {one["code"] for one in each["interaction"]} for each in said}
    for type in MCC:
        assert {"read", "search-type"} <= served[type]
        found = await ruth.get(type, patient="ana", _count="1")
        assert (found.status, found.json["type"]) == (200, "searchset")
        for one in found.matches:
            assert (await ruth.get(f"{type}/{one['id']}")).status == 200
        assert (await ruth.get(f"{type}/absent")).status == 404
    ehr = shared.as_(SYS_RIVERBEND)
    for type in set(MCC) - {"ServiceRequest"}:
        assert (await ehr.get(type, patient="ana")).status == 200
    assert (await ehr.get("ServiceRequest", patient="ana")).status == 403


async def test_h21_the_note_types_of_us_core_are_searched_in_document_references(shared: Api) -> None:
    found = await shared.as_(CHEN).get("DocumentReference", patient="ana", category="clinical-note", type="http://loinc.org|11506-3")
    assert found.ids == {"d-ana-1"}
    note = found.matches[0]
    report = {
        "resourceType": "DiagnosticReport", "status": "final", "code": note["type"], "subject": note["subject"],
        "effectiveDateTime": note["date"], "issued": "2026-10-05T19:20:00Z", "presentedForm": [note["content"][0]["attachment"]],
        "category": [concept("http://loinc.org", "LP29708-2")],
    }  # fmt: skip
    place = await made(shared.as_(RUTH), report)
    told = (await shared.as_(CHEN).get(place)).json["presentedForm"]
    assert [each["url"] for each in told] == [note["content"][0]["attachment"]["url"]]
    for kind in ("18842-5", "11488-4", "34117-2", "28570-0", "18748-4", "11502-2", "11526-1"):
        empty = await shared.as_(APP_ANA).get("DocumentReference", patient="ana", type=f"http://loinc.org|{kind}")
        assert (empty.status, empty.json["total"]) == (200, 0)
