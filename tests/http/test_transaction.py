"""Bundles: all or nothing, links between entries, identities, order."""
from typing import Any

import pytest

from tests.api import Api
from tests.callers import LEO, MAYA, RUTH, SYS_LAKESIDE
from tests.http.resources import bundle, care_team, note, observation, patient, post, referral, session

URN = "urn:uuid:11111111-1111-4111-8111-111111111111"


async def test_a_clinic_posts_a_referral_and_follows_it_without_reading_the_patient(api: Api) -> None:
    lakeside = api.as_(SYS_LAKESIDE)
    answer = await lakeside.post("", referral())
    assert answer.status == 200
    assert [entry["response"]["status"] for entry in answer.json["entry"]] == ["201 Created"] * 3
    locations = [entry["response"]["location"] for entry in answer.json["entry"]]
    assert (await lakeside.get(locations[0])).status == 403
    found = (await lakeside.get("ServiceRequest?identifier=https://lakeside.example/sr|LS-881")).matches
    task = (await lakeside.get(locations[2])).json
    assert [each["subject"] for each in found] == [task["for"]]
    assert task["focus"]["reference"] == f"ServiceRequest/{found[0]['id']}"
    seen = await api.as_(RUTH).get(locations[2])
    assert seen.json == task
    assert (await api.as_(RUTH).get(f"Patient/{task['for']['reference'].partition('/')[2]}")).status == 200
    assert (await api.as_(MAYA).get(locations[2])).status == 404


async def test_links_between_entries_are_rewritten_in_references_urls_and_narratives(api: Api) -> None:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{URN}">the session</a> {URN}</div>'
    said = observation(encounter={"reference": URN}, text={"status": "generated", "div": div}, note=[{"text": URN}])
    answer = await api.as_(MAYA).post("", bundle("transaction", post(said), post(session(), full_url=URN)))
    assert answer.status == 200
    stored = (await api.as_(MAYA).get(answer.json["entry"][0]["response"]["location"])).json
    encounter = stored["encounter"]["reference"]
    assert encounter.startswith("Encounter/")
    assert f'href="{encounter}"' in stored["text"]["div"]
    assert URN in stored["text"]["div"]
    assert stored["note"] == [{"text": URN}]


async def test_one_bad_entry_leaves_nothing_and_names_its_place(api: Api) -> None:
    maya = api.as_(MAYA)
    before = (await maya.get("Observation?_total=accurate")).json["total"]
    bad = observation(status="no-such-status")
    answer = await maya.post("", bundle("transaction", post(observation()), post(bad)))
    assert answer.status == 400
    assert answer.places == {"Bundle.entry[1].resource.status"}
    assert (await maya.get("Observation?_total=accurate")).json["total"] == before


async def test_in_a_batch_one_entry_fails_and_the_others_go_on(api: Api) -> None:
    answer = await api.as_(MAYA).post(
        "",
        bundle(
            "batch",
            post(observation()),
            {"request": {"method": "GET", "url": "Patient/ben"}},
            {"request": {"method": "GET", "url": "Patient/ana"}},
            {"request": {"method": "GET", "url": "Observation?code=mood&patient=ana"}},
            post(observation(client="ben")),
        ),
    )
    assert answer.status == 200
    assert [entry["response"]["status"][:3] for entry in answer.json["entry"]] == ["201", "404", "200", "200", "422"]
    assert answer.json["entry"][2]["resource"]["id"] == "ana"
    assert answer.json["entry"][1]["response"]["outcome"]["issue"][0]["code"] == "not-found"


async def test_an_empty_bundle_gets_an_empty_answer(api: Api) -> None:
    for kind in ("batch", "transaction"):
        answer = await api.as_(MAYA).post("", {"resourceType": "Bundle", "type": kind})
        assert (answer.status, answer.json["type"], answer.json.get("entry")) == (200, f"{kind}-response", None)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"ifNoneMatch": 'W/"1"'}, "304"),
        ({"ifNoneMatch": 'W/"2"'}, "200"),
        ({"ifModifiedSince": "2026-11-10T12:00:00Z"}, "304"),
        ({"ifModifiedSince": "2026-11-10T13:00:00.5+01:00"}, "304"),
        ({"ifModifiedSince": "2026-11-10T11:59:59Z"}, "200"),
        ({"ifModifiedSince": "Tue, 10 Nov 2026 12:00:00 GMT"}, "400"),
    ],
)
async def test_an_entry_reads_on_condition(shared: Api, condition: dict[str, str], status: str) -> None:
    entry = {"request": {"method": "GET", "url": "Patient/ana"} | condition}
    answer = await shared.as_(RUTH).post("", bundle("batch", entry))
    [said] = answer.json["entry"]
    assert said["response"]["status"][:3] == status
    assert ("resource" in said) == (status == "200")


@pytest.mark.parametrize("kind", ["collection", "", None, 1, [], {}])
async def test_only_a_batch_or_a_transaction_is_posted_to_the_base(shared: Api, kind: Any) -> None:
    answer = await shared.as_(MAYA).post("", bundle(kind, post(observation())))
    assert (answer.status, answer.places) == (400, {"Bundle.type"})


@pytest.mark.parametrize("name", ["ifMatch", "ifNoneMatch", "ifModifiedSince", "ifNoneExist", "url", "method"])
@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_a_request_of_an_entry_is_made_of_texts(shared: Api, kind: str, name: str) -> None:
    entry = post(observation())
    entry["request"][name] = []
    answer = await shared.as_(MAYA).post("", bundle(kind, entry))
    assert (answer.status, answer.issue[0]) == (400, "error")
    assert answer.places <= {"Bundle.entry[0].request", f"Bundle.entry[0].request.{name}"}
    assert answer.places


@pytest.mark.parametrize(
    ("entries", "status"),
    [
        ([{"resource": observation()}], 400),
        ([post(observation(), full_url=URN), post(observation(), full_url=URN)], 400),
        (
            [
                {"request": {"method": "DELETE", "url": "Observation/o-ana-2-mood"}},
                {"request": {"method": "DELETE", "url": "Observation/o-ana-2-mood"}},
            ],
            400,
        ),
        (
            [
                {
                    "fullUrl": "http://127.0.0.1:8000/fhir/Encounter/other",
                    "resource": session() | {"id": "e-ana-1"},
                    "request": {"method": "PUT", "url": "Encounter/e-ana-1"},
                }
            ],
            400,
        ),
        ([post(observation(encounter={"reference": "urn:uuid:99999999-1111-4111-8111-111111111111"}))], 400),
        ([post(observation(encounter={"reference": "Encounter?_id=no-such"}))], 422),
        ([post(observation(encounter={"reference": "Encounter?patient=ana"}))], 412),
        ([{"request": {"method": "GET", "url": "Patient/ben"}}, post(observation())], 404),
    ],
    ids=["no request", "fullUrl twice", "resource twice", "fullUrl against id", "urn of nobody", "no match", "two matches", "hidden read"],
)
async def test_a_transaction_that_contradicts_itself_is_refused_whole(api: Api, entries: list[dict[str, object]], status: int) -> None:
    maya = api.as_(MAYA)
    before = (await maya.get("Observation?_total=accurate")).json["total"]
    answer = await maya.post("", bundle("transaction", *entries))
    assert answer.status == status, answer.body
    assert any(place.startswith("Bundle.entry[") for place in answer.places)
    assert (await maya.get("Observation?_total=accurate")).json["total"] == before


async def test_a_conditional_reference_finds_the_one_that_matches(api: Api) -> None:
    said = observation(encounter={"reference": "Encounter?_id=e-ana-2"})
    answer = await api.as_(MAYA).post("", bundle("transaction", post(said)), headers={"prefer": "return=representation"})
    assert answer.json["entry"][0]["resource"]["encounter"] == {"reference": "Encounter/e-ana-2"}


async def test_two_conditional_creates_of_one_thing_in_one_transaction_are_refused(api: Api) -> None:
    """L17."""
    answer = await api.as_(MAYA).post(
        "", bundle("transaction", *(post(observation(), ifNoneExist="_id=o-ana-mood") for _ in range(2)))
    )
    assert answer.status == 400


async def test_a_case_manager_makes_a_patient_together_with_a_care_team_that_names_them(api: Api) -> None:
    ruth = api.as_(RUTH)
    assert (await ruth.post("Patient", patient())).status == 403
    answer = await ruth.post("", bundle("transaction", post(care_team(URN)), post(patient(), full_url=URN)))
    assert answer.status == 200
    location = answer.json["entry"][1]["response"]["location"]
    assert (await ruth.get(location)).status == 200
    assert (await ruth.post("", bundle("transaction", post(care_team(URN, "omar")), post(patient(), full_url=URN)))).status == 403
    assert (await ruth.post("CareTeam", care_team("Patient/ben"))).status == 422


async def test_a_note_and_its_binary_are_made_in_one_transaction_by_the_author(api: Api) -> None:
    document, binary = URN, "urn:uuid:22222222-2222-4222-8222-222222222222"
    content = {"resourceType": "Binary", "contentType": "text/plain", "data": "SGVsbG8=", "securityContext": {"reference": document}}
    entries = (post(content, full_url=binary), post(note(url=binary), full_url=document))
    answer = await api.as_(MAYA).post("", bundle("transaction", *entries))
    assert answer.status == 200, answer.body
    location = answer.json["entry"][0]["response"]["location"]
    assert (await api.as_(MAYA).get(location)).json["data"] == "SGVsbG8="
    assert (await api.as_(LEO).get(location)).status == 404
    stolen = {**content, "securityContext": {"reference": "DocumentReference/d-ana-1"}}
    assert (await api.as_(MAYA).post("Binary", stolen)).status == 403


async def test_a_transaction_has_its_entries_run_in_fhirs_order_and_answered_in_the_callers(api: Api) -> None:
    answer = await api.as_(MAYA).post(
        "",
        bundle(
            "transaction",
            {"request": {"method": "GET", "url": "Observation?_id=o-ana-2-mood"}},
            {"request": {"method": "DELETE", "url": "Observation/o-ana-2-mood"}},
        ),
    )
    assert answer.status == 200, answer.body
    assert answer.json["entry"][0]["resource"]["total"] == 0
    assert answer.json["entry"][1]["response"]["status"] == "204 No Content"


async def test_a_bundle_of_more_than_a_thousand_entries_is_too_large(api: Api) -> None:
    entries = [{"request": {"method": "GET", "url": "Patient/ana"}}] * 1001
    assert (await api.as_(MAYA).post("", bundle("batch", *entries))).status == 413
