"""Referrals by the acceptance scenarios of domain.md 8 (1 to 4) and by its section 5: accepted, sent again, ended, in danger."""
import asyncio

import pytest

from recovery_api.fhir.json import JsonObject, dump
from tests.api import Api
from tests.callers import APP_ANA, CHEN, LEO, MAYA, OMAR, PATEL, RUTH, SYS_LAKESIDE, SYS_RIVERBEND, system
from tests.http.referring import OUTPUT, business, locations, moved, reason, referred, status
from tests.http.resources import CANON, bundle, post, referral, session

SYS_HARBOR_REFERRER = system("sys-harbor-referrer", "referrer", "org-harbor")


async def engagement(api: Api, order: str) -> JsonObject:
    """The one EpisodeOfCare that an order led to, as Ruth finds it."""
    [episode] = (await api.as_(RUTH).get(f"EpisodeOfCare?incoming-referral={order}")).matches
    return episode


async def test_1_a_referral_that_is_accepted_becomes_an_engagement_of_ours_and_the_clinic_sees_its_status(shared: Api) -> None:
    lakeside, ruth = shared.as_(SYS_LAKESIDE), shared.as_(RUTH)
    flo, order, task = await referred(lakeside, "LS-1", birthDate="1990-04-01")
    assert business((await lakeside.get(task)).json) == "2.0"
    assert (await ruth.get(task)).json["focus"] == {"reference": order}
    assert (await ruth.get(flo)).json["name"][0]["family"] == "Gray"
    assert (await ruth.patch(task, status("accepted"))).status == 200
    seen = (await lakeside.get(task)).json
    assert (seen["status"], business(seen), (await lakeside.get(order)).json["status"]) == ("accepted", "3.0", "active")
    episode = await engagement(shared, order)
    assert episode["status"] == "planned"
    assert episode["careManager"] == {"reference": "Practitioner/ruth"}
    assert episode["managingOrganization"] == {"reference": "Organization/org-cir"}
    ours = episode["patient"]["reference"]
    person = (await ruth.get(ours)).json
    assert ours != flo
    assert (person["birthDate"], person["link"]) == ("1990-04-01", [{"other": {"reference": flo}, "type": "seealso"}])
    team = (await ruth.get(episode["team"][0]["reference"])).json
    assert (team["status"], team["participant"][0]["member"]) == ("active", {"reference": "Practitioner/ruth"})
    assert (await lakeside.get(flo)).status == 403
    assert (await lakeside.get(ours)).status == 403
    for outsider in (MAYA, LEO, CHEN, SYS_RIVERBEND, PATEL, APP_ANA):
        assert (await shared.as_(outsider).get(task)).status in {403, 404}
        assert {(await shared.as_(outsider).get(each)).status for each in (flo, ours)} == {404}
    assert (await shared.as_(OMAR).get(ours)).status == 404


async def test_1_a_referral_comes_with_the_consent_that_the_clinic_holds(shared: Api) -> None:
    lakeside, ruth = shared.as_(SYS_LAKESIDE), shared.as_(RUTH)
    sent = referral("LS-881-signed")
    signed = {
        "resourceType": "Consent",
        "status": "proposed",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": sent["entry"][0]["fullUrl"]},
        "dateTime": "2026-11-09T15:00:00Z",
        "policy": [{"uri": "https://www.ecfr.gov/current/title-42/part-2"}],
        "provision": {"type": "permit"},
    }
    sent["entry"].append({"resource": signed, "request": {"method": "POST", "url": "Consent"}})
    answer = await lakeside.post("", sent)
    assert answer.status == 200, answer.body
    *_, task, consent = locations(answer)
    assert (await ruth.patch(task, status("accepted"))).status == 200
    assert (await ruth.get(task)).json["status"] == "accepted"
    assert (await lakeside.get(consent)).status == 403
    for outsider in (MAYA, LEO, CHEN, SYS_RIVERBEND):
        assert (await shared.as_(outsider).get(consent)).status == 404


async def test_2_a_referral_that_is_sent_again_is_answered_as_before_and_another_under_its_identifier_is_refused(shared: Api) -> None:
    lakeside = shared.as_(SYS_LAKESIDE)
    first = await lakeside.post("", referral("LS-2"))
    again = await lakeside.post("", referral("LS-2"))
    text = dump(referral("LS-2"))
    for number in (b"1", b"2", b"3"):
        text = text.replace(b"00000000000" + number, b"00000000009" + number)
    renumbered = await lakeside.post("", text)
    assert [(one.status, one.body) for one in (again, renumbered)] == [(200, first.body)] * 2
    changed = referral("LS-2")
    changed["entry"][1]["resource"]["reasonCode"] = [{"text": "Something else"}]
    before = [(await lakeside.get(f"{kind}?_summary=count")).json["total"] for kind in ("ServiceRequest", "Task")]
    refused = await lakeside.post("", changed)
    assert (refused.status, refused.keys) == (409, {"referral-identifier"})
    assert [(await lakeside.get(f"{kind}?_summary=count")).json["total"] for kind in ("ServiceRequest", "Task")] == before
    assert (await lakeside.get("ServiceRequest?identifier=https://lakeside.example/sr|LS-2")).json["total"] == 1
    _, _, task = locations(first)
    assert (await shared.as_(RUTH).patch(task, status("accepted"))).status == 200
    assert (await lakeside.post("", referral("LS-2"))).body == first.body


async def test_2_a_single_order_that_is_sent_again_is_the_same_order(shared: Api) -> None:
    lakeside = shared.as_(SYS_LAKESIDE)
    person, _, _ = await referred(lakeside, "LS-20")
    order = referral("LS-21")["entry"][1]["resource"] | {"subject": {"reference": person}}
    first, again = await lakeside.post("ServiceRequest", order), await lakeside.post("ServiceRequest", order)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["etag"] == first.headers["etag"]
    refused = await lakeside.post("ServiceRequest", order | {"priority": "urgent"})
    assert (refused.status, refused.keys) == (409, {"referral-identifier"})


async def test_an_identifier_is_one_organizations_own(shared: Api) -> None:
    theirs = referral("LS-22")
    assert (await shared.as_(SYS_LAKESIDE).post("", theirs)).status == 200
    harbors = referral("LS-22")
    for entry in harbors["entry"][1:]:
        entry["resource"]["requester"] = {"reference": "Organization/org-harbor"}
    assert (await shared.as_(SYS_HARBOR_REFERRER).post("", harbors)).status == 200
    loaded = referral("LS-401")
    del loaded["entry"][1]["request"]["ifNoneExist"]
    refused = await shared.as_(SYS_LAKESIDE).post("", loaded)
    assert (refused.status, refused.keys, refused.places) == (409, {"referral-identifier"}, {"Bundle.entry[1].resource.identifier"})


async def test_of_fifty_at_once_one_makes_the_referral_and_all_have_its_answer(shared: Api) -> None:
    lakeside = shared.as_(SYS_LAKESIDE)
    answers = await asyncio.gather(*(lakeside.post("", referral("LS-50")) for _ in range(50)))
    assert {(one.status, one.body) for one in answers} == {(200, answers[0].body)}
    assert (await lakeside.get("ServiceRequest?identifier=https://lakeside.example/sr|LS-50")).json["total"] == 1


async def test_of_several_who_accept_at_once_one_takes_the_client_on(shared: Api) -> None:
    _, order, task = await moved(shared, "LS-51", "requested")
    managers = [shared.as_(RUTH), shared.as_(OMAR)] * 3
    answers = await asyncio.gather(*(manager.patch(task, status("accepted")) for manager in managers))
    assert {answer.status for answer in answers} == {200}
    found = [(await manager.get(f"EpisodeOfCare?incoming-referral={order}")).json["total"] for manager in managers[:2]]
    assert sorted(found) == [0, 1]


async def test_of_an_acceptance_and_a_withdrawal_at_once_the_end_is_the_withdrawal(shared: Api) -> None:
    _, order, task = await moved(shared, "LS-52", "requested")
    ruth, lakeside = shared.as_(RUTH), shared.as_(SYS_LAKESIDE)
    accepted, cancelled = await asyncio.gather(ruth.patch(task, status("accepted")), lakeside.patch(task, status("cancelled")))
    assert (cancelled.status, accepted.status in {200, 409}) == (200, True)
    assert ((await lakeside.get(task)).json["status"], (await lakeside.get(order)).json["status"]) == ("cancelled", "revoked")
    assert (await ruth.get(f"EpisodeOfCare?incoming-referral={order}")).json["total"] == (1 if accepted.status == 200 else 0)


async def test_3_a_rejection_needs_a_reason_that_is_known(shared: Api) -> None:
    _, order, task = await moved(shared, "LS-3", "requested")
    ruth, lakeside = shared.as_(RUTH), shared.as_(SYS_LAKESIDE)
    for wrong in ({}, {"statusReason": reason("did-not-like-them")}, {"statusReason": {}}):
        refused = await ruth.patch(task, status("rejected", **wrong))
        assert refused.status in {400, 422}
    assert (await ruth.patch(task, status("rejected"))).keys == {"referral-reason"}
    assert (await lakeside.get(task)).json["meta"]["versionId"] == "1"
    assert (await ruth.patch(task, status("rejected", statusReason=reason("out-of-area")))).status == 200
    seen = (await lakeside.get(task)).json
    assert (business(seen), seen["statusReason"]["coding"][0]["code"]) == ("4.0", "out-of-area")
    assert (await lakeside.get(order)).json["status"] == "active"


async def test_4_a_referrer_may_only_cancel_and_we_may_not_jump(shared: Api) -> None:
    _, order, task = await moved(shared, "LS-4", "requested")
    lakeside, ruth = shared.as_(SYS_LAKESIDE), shared.as_(RUTH)
    for illegal in ("completed", "accepted", "in-progress"):
        assert (await lakeside.patch(task, status(illegal))).status == 403
    assert (await ruth.patch(task, status("completed", output=OUTPUT))).status == 409
    assert (await lakeside.get(task)).json["status"] == "requested"
    assert (await lakeside.patch(task, status("cancelled"))).status == 200
    assert (await lakeside.get(order)).json["status"] == "revoked"


async def test_a_session_begins_the_engagement_and_completion_needs_what_came_of_it(shared: Api) -> None:
    _, order, task = await moved(shared, "LS-5", "in-progress")
    ruth, lakeside = shared.as_(RUTH), shared.as_(SYS_LAKESIDE)
    assert business((await lakeside.get(task)).json) == "5.1.1"
    episode = await engagement(shared, order)
    place = f"EpisodeOfCare/{episode['id']}"
    first = session(episode["patient"]["reference"].partition("/")[2], "ruth", "in-progress", episodeOfCare=[{"reference": place}])
    assert (await ruth.post("Encounter", first)).status == 201
    begun = (await ruth.get(place)).json
    past = [{"status": "planned", "period": {"start": episode["period"]["start"], "end": begun["meta"]["lastUpdated"]}}]
    assert (begun["status"], begun["statusHistory"]) == ("active", past)
    refused = await ruth.patch(task, status("completed"))
    assert (refused.status, refused.keys, refused.places) == (422, {"referral-output"}, {"Task.output"})
    assert (await ruth.patch(task, status("completed", output=OUTPUT))).status == 200
    assert business((await lakeside.get(task)).json) == "7.0"
    assert (await lakeside.get(order)).json["status"] == "completed"


async def test_what_is_on_hold_says_why_in_our_own_words_and_a_cancellation_under_way_says_it_was_asked_for(shared: Api) -> None:
    _, order, task = await moved(shared, "LS-6", "in-progress")
    ruth, lakeside = shared.as_(RUTH), shared.as_(SYS_LAKESIDE)
    unattended = {"coding": [{"code": "5.1.2"}]}
    assert business((await ruth.patch(task, status("on-hold", businessStatus=unattended))).json) == "5.1.2"
    assert business((await ruth.patch(task, status("in-progress", businessStatus={"text": "mine"}))).json) == "5.1.1"
    assert business((await ruth.patch(task, status("in-progress", businessStatus={"text": "mine"}))).json) == "5.1.1"
    assert (await lakeside.patch(task, status("cancelled"))).status == 200
    assert (business((await ruth.get(task)).json), (await lakeside.get(order)).json["status"]) == ("5.2", "revoked")


async def test_a_referral_stays_that_of_its_order_client_and_requester_and_its_order_moves_with_it(shared: Api) -> None:
    _, order, task = await moved(shared, "LS-7", "requested")
    ruth, lakeside = shared.as_(RUTH), shared.as_(SYS_LAKESIDE)
    for changed in ({"requester": {"reference": "Organization/org-harbor"}}, {"code": {"text": "Something else"}}):
        refused = await ruth.patch(task, status("requested", **changed))
        assert (refused.status, refused.keys) == (422, {"referral-fixed"})
    refused = await lakeside.patch(order, status("revoked"))
    assert (refused.status, refused.keys) == (409, {"referral-order"})
    second = {**referral("LS-7")["entry"][2]["resource"], "focus": {"reference": order}}
    second["for"] = (await lakeside.get(task)).json["for"]
    refused = await lakeside.post("Task", second)
    assert (refused.status, refused.keys) == (409, {"referral-once"})
    refused = await lakeside.post("Task", second | {"status": "accepted"})
    assert (refused.status, refused.keys) == (422, {"referral-start"})
    assert (await lakeside.patch(task, status("cancelled"))).status == 200


async def test_an_inquiry_needs_no_order_and_is_accepted_as_any_referral(shared: Api) -> None:
    lakeside, ruth = shared.as_(SYS_LAKESIDE), shared.as_(RUTH)
    said = referral("LS-8")
    inquiry = said["entry"][2]
    inquiry["resource"]["code"] = {"coding": [{"system": f"{CANON}/CodeSystem/task-code", "code": "inquiry"}]}
    del inquiry["resource"]["focus"]
    answer = await lakeside.post("", bundle("transaction", said["entry"][0], inquiry))
    person, task = locations(answer)
    assert (await ruth.patch(task, status("accepted"))).status == 200
    [ours] = (await ruth.get(f"Patient?link={person}")).matches
    assert (await ruth.get(f"EpisodeOfCare?patient={ours['id']}")).matches[0]["status"] == "planned"


async def test_an_inquiry_that_we_wrote_down_ourselves_is_of_a_client_whom_we_hold_already(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    inquiry = {**referral("LS-80")["entry"][2]["resource"], "for": {"reference": "Patient/ana"}}
    inquiry["requester"] = {"reference": "Practitioner/ruth"}
    inquiry["code"] = {"coding": [{"system": f"{CANON}/CodeSystem/task-code", "code": "inquiry"}]}
    del inquiry["focus"]
    task = (await ruth.post("Task", inquiry)).json
    assert (await ruth.patch(f"Task/{task['id']}", status("accepted"))).status == 200
    [episode] = (await ruth.get("EpisodeOfCare?patient=ana&status=planned")).matches
    assert episode["team"] == [{"reference": "CareTeam/ct-ana"}]
    assert (await ruth.patch(f"Task/{task['id']}", status("entered-in-error"))).status == 200


C_SSRS = {
    "resourceType": "QuestionnaireResponse",
    "status": "completed",
    "item": [{"linkId": "/93373-9", "item": [{"linkId": "/93249-1", "answer": [{"valueCoding": {"code": "LA33-6"}}]}]}],
}
CHANNEL = {"not-an-emergency-channel"}


def screened(number: str) -> JsonObject:
    """A referral with a C-SSRS screener that says high risk."""
    said = referral(number)
    said["entry"].append(post({**C_SSRS, "subject": {"reference": said["entry"][0]["fullUrl"]}}))
    return said


def told(answer: JsonObject) -> set[str]:
    """The keys that an entry's outcome names."""
    issues = answer["response"].get("outcome", {}).get("issue", ())
    return {issue["details"]["text"] for issue in issues if "details" in issue}


async def test_imminent_danger_reaches_a_case_manager_at_once_and_the_sender_is_told_to_call_somebody(shared: Api) -> None:
    lakeside, ruth = shared.as_(SYS_LAKESIDE), shared.as_(RUTH)
    answer = await lakeside.post("", screened("LS-9"))
    assert (answer.status, "911" in answer.headers["x-emergency-notice"]) == (200, True)
    assert [told(entry) for entry in answer.json["entry"]] == [set(), set(), set(), CHANNEL]
    task = locations(answer)[2]
    assert (await lakeside.get(task)).json["priority"] == "stat"
    [escalation] = (await ruth.get(f"Task?focus={task}")).matches
    assert (escalation["priority"], escalation["status"]) == ("stat", "requested")
    assert escalation["owner"] == {"reference": "Organization/org-cir"}
    assert escalation["restriction"]["period"]["end"] == "2026-11-10T12:15:00.000000Z"
    assert (await shared.as_(OMAR).get(f"Task?focus={task}")).json["total"] == 1
    assert (await shared.as_(MAYA).get(f"Task?focus={task}")).json["total"] == 0
    assert (await lakeside.get("Task?code=escalation")).json["total"] == 0


async def test_a_single_post_about_danger_is_answered_by_the_same_words_whoever_sends_it(shared: Api) -> None:
    lakeside, ana = shared.as_(SYS_LAKESIDE), shared.as_(APP_ANA)
    person, _, _ = await referred(lakeside, "LS-10")
    by_clinic = await lakeside.post("QuestionnaireResponse", {**C_SSRS, "subject": {"reference": person}})
    mine = {**C_SSRS, "subject": {"reference": "Patient/ana"}, "author": {"reference": "Patient/ana"}}
    by_client = await ana.post("QuestionnaireResponse", mine, headers={"prefer": "return=OperationOutcome"})
    assert (by_clinic.status, by_client.status, by_clinic.keys) == (201, 201, CHANNEL)
    assert by_clinic.body == by_client.body
    assert by_clinic.headers["x-emergency-notice"] == by_client.headers["x-emergency-notice"]
    calm = {**C_SSRS, "item": [], "subject": {"reference": person}}
    del calm["item"]
    assert "x-emergency-notice" not in (await lakeside.post("QuestionnaireResponse", calm)).headers


@pytest.mark.parametrize(
    "sign",
    [
        {"priority": "stat"},
        {"note": [{"text": "She is in imminent danger."}]},
        {"reasonCode": [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "T14.91XA"}]}]},
    ],
    ids=["priority", "words", "code"],
)
async def test_each_sign_in_an_order_makes_its_referral_urgent(shared: Api, sign: JsonObject) -> None:
    said = referral(f"LS-11-{next(iter(sign))}")
    said["entry"][1]["resource"] |= sign
    answer = await shared.as_(SYS_LAKESIDE).post("", said)
    assert told(answer.json["entry"][1]) == CHANNEL
    assert (await shared.as_(RUTH).get(locations(answer)[2])).json["priority"] == "stat"
