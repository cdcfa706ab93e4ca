"""Documents: a session or Composition with all that the caller may read of it, and references to a client's documents (domain.md 6)."""
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.references import references
from tests.api import FHIR_JSON, Api, Client, Response
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, Caller
from tests.http.recorded import labels, made
from tests.http.resources import CANON

SESSION, COMPOSITION = "Encounter/e-ana-1", "Composition"
INSIDE = ["purpose", "chosen", "state", "triggers", "supports", "progress", "safety", "note", "next"]
OUTSIDE = [*INSIDE, "notice", "consent-scope"]
OPENING = "This record which has been disclosed to you is protected by Federal confidentiality rules (42 CFR part 2)."
ABSENT = "019e0000-0000-7000-8000-00000000dead"


async def document(client: Client, place: str = SESSION) -> JsonObject:
    answer = await client.get(f"{place}/$document")
    assert answer.status == 200, answer.body
    return answer.json


def composition_of(found: JsonObject) -> JsonObject:
    return found["entry"][0]["resource"]


def codes(found: JsonObject) -> list[str]:
    return [section["code"]["coding"][0]["code"] for section in composition_of(found)["section"]]


def section(found: JsonObject, code: str) -> JsonObject:
    return composition_of(found)["section"][codes(found).index(code)]


def inside(found: JsonObject) -> set[str]:
    """Type/id of what is in a document and stored."""
    return {"/".join(entry["fullUrl"].split("/")[-2:]) for entry in found["entry"] if entry["fullUrl"].startswith("http")}


def unresolved(found: JsonObject, base: str) -> set[str]:
    """References from the Composition and the rest that no entry answers."""
    there = {entry["fullUrl"] for entry in found["entry"]}
    named: set[str] = set()
    for entry in found["entry"]:
        for _, holder in references(entry["resource"]):
            text = holder["reference"].partition("/_history/")[0]
            named.add(text if text.startswith(("urn:", "http")) else f"{base}/{text}")
            if entry["fullUrl"].startswith("urn:"):
                assert text.startswith(("urn:", "http")), text
    return named - there


def checked(found: JsonObject) -> None:
    """What R4 asks of every document (bdl-9 to bdl-11)."""
    kinds = (found["type"], found["identifier"]["system"], composition_of(found)["resourceType"])
    assert kinds == ("document", "urn:ietf:rfc:3986", COMPOSITION)
    assert found["identifier"]["value"].startswith("urn:uuid:")
    assert found["timestamp"] == "2026-11-10T12:00:00.000000Z"
    urls = [entry["fullUrl"] for entry in found["entry"]]
    assert len(urls) == len(set(urls))
    for each in composition_of(found)["section"]:
        assert ("entry" in each) != ("emptyReason" in each) or "text" in each
        assert each["text"]["div"].startswith('<div xmlns="http://www.w3.org/1999/xhtml">')


async def test_a_session_is_a_document_with_all_its_sections_and_all_that_they_name(shared: Api) -> None:
    answer = await shared.as_(SYS_RIVERBEND).get(f"{SESSION}/$document")
    found, base = answer.json, shared.running.server.base
    checked(found)
    assert (answer.status, answer.headers["x-redisclosure-notice"], codes(found)) == (200, "42cfr2.32", OUTSIDE)
    assert unresolved(found, base) == set()
    record = {"Patient/ana", "Observation/o-ana-mood", "Observation/o-ana-craving", "DocumentReference/d-ana-1", "Binary/b-ana-1"}
    people = {"Practitioner/maya", "Practitioner/ruth", "Organization/org-cir"}
    assert {SESSION, *record, *people, "Provenance/prov-d-ana-1", "Goal/g-ana-1"} <= inside(found)
    assert not inside(found) & {"DocumentReference/d-ana-2", "Observation/o-ana-2-mood", "ServiceRequest/sr-ls-401"}
    said = composition_of(found)
    assert (said["status"], said["encounter"], said["attester"][0]["party"]) == (
        "final", {"reference": f"{base}/{SESSION}"}, {"reference": f"{base}/Practitioner/ruth"},
    )  # fmt: skip
    assert "Ana noticed and named a craving of 4 of 10." in section(found, "state")["text"]["div"]
    assert "sensory" in section(found, "triggers")["text"]["div"]
    assert "Ana chose to walk to the park" in section(found, "note")["text"]["div"]
    assert OPENING in section(found, "notice")["text"]["div"]
    assert "Consent/c-ana" in section(found, "consent-scope")["text"]["div"]
    assert {"SUD", "ETH", "42CFRPart2", "R"} <= {each["code"] for each in found["meta"]["security"]}
    statement = found["entry"][-1]["resource"]
    assert (statement["resourceType"], statement["target"]) == ("Provenance", [{"reference": found["entry"][0]["fullUrl"]}])
    assert {"reference": f"{base}/DocumentReference/d-ana-1/_history/1"} in [each["what"] for each in statement["entity"]]


@pytest.mark.parametrize("caller", [MAYA, RUTH, APP_ANA], ids=lambda caller: caller.name)
async def test_who_works_with_the_client_and_the_client_get_it_without_the_notice(shared: Api, caller: Caller) -> None:
    found = await document(shared.as_(caller))
    checked(found)
    assert codes(found) == INSIDE
    assert OPENING not in str(found)
    assert unresolved(found, shared.running.server.base) == set()


async def test_what_is_not_there_for_the_caller_is_not_in_it_and_nothing_says_so(shared: Api) -> None:
    chen, leo = shared.as_(CHEN), shared.as_(LEO)
    found = await document(chen, "Encounter/e-cora-1")
    assert not inside(found) & {"DocumentReference/d-cora-2", "Binary/b-cora-2", "Condition/cond-cora-oud", "EpisodeOfCare/eoc-cora"}
    assert "DocumentReference/d-cora-1" in inside(found)
    assert "cora-2" not in str(found)
    for client, hidden in ((leo, SESSION), (chen, "Encounter/e-dan-1"), (shared.as_(SYS_RIVERBEND), "Encounter/e-dan-1")):
        for accept in (FHIR_JSON, "application/pdf"):
            answers = [await client.get(f"{place}/$document", headers={"accept": accept}) for place in (hidden, f"Encounter/{ABSENT}")]
            assert answers[0].status == 404
            assert answers[0].body == answers[1].body
    for nobody in (SAM, KIM, SYS_LAKESIDE):
        answers = [await shared.as_(nobody).get(f"{place}/$document") for place in (SESSION, f"Encounter/{ABSENT}")]
        assert [answer.status for answer in answers] == [403, 403]


@pytest.mark.parametrize("type", ["application/pdf", "application/xhtml+xml", "text/html", "text/plain"])
async def test_a_document_is_written_as_a_page_too(shared: Api, type: str) -> None:
    answer = await shared.as_(SYS_RIVERBEND).get(f"{SESSION}/$document", headers={"accept": type})
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, type)
    is_pdf = type == "application/pdf"
    text = "\n".join(page.extract_text() for page in PdfReader(BytesIO(answer.body)).pages) if is_pdf else answer.body.decode()
    flat = " ".join(text.split())
    words = ("Session of 2026-10-05", "Observed state", "a craving of 4 of 10", "walk to the park", "42 CFR part 2", "c-ana", "Ruth")
    for said in words:
        assert said in flat
    part = await shared.as_(SYS_RIVERBEND).get(f"{SESSION}/$document?_format={type}", headers={"range": "bytes=0-9"})
    assert (part.status, part.body) == (206, answer.body[:10])
    assert (await shared.as_(SYS_RIVERBEND).get(f"{SESSION}/$document", headers={"accept": "application/xml"})).status == 406


async def test_to_keep_a_document_is_to_keep_its_composition_and_where_it_came_from(api: Api) -> None:
    ruth, chen = api.as_(RUTH), api.as_(CHEN)
    answer = await ruth.get(f"{SESSION}/$document?persist=true")
    assert answer.status == 200
    place = "/".join(answer.headers["location"].split("/")[-4:-2])
    assert place.startswith("Composition/")
    checked(answer.json)
    assert inside(answer.json) >= {place}
    kept = (await ruth.get(place)).json
    assert [("text" in each) for each in kept["section"]] == [False] * len(INSIDE)
    assert {"SUD", "ETH", "PSY", "42CFRPart2"} <= labels(kept)
    [statement] = (await ruth.get(f"Provenance?target={place}")).matches
    assert statement["target"] == [{"reference": f"{place}/_history/1"}]
    assert {"reference": "DocumentReference/d-ana-1/_history/1"} in [each["what"] for each in statement["entity"]]
    again = await document(ruth, place)
    checked(again)
    assert (codes(again), unresolved(again, api.running.server.base)) == (INSIDE, set())
    assert again["identifier"] != answer.json["identifier"]
    outside = await document(chen, place)
    checked(outside)
    assert codes(outside) == OUTSIDE
    assert "a craving of 4 of 10" in section(outside, "state")["text"]["div"]
    for caller in (MAYA, CHEN, SYS_RIVERBEND, APP_ANA):
        refused = [await api.as_(caller).get(f"{each}/$document?persist=true") for each in (SESSION, f"Encounter/{ABSENT}")]
        assert [each.status for each in refused] == [403, 403]
    assert (await ruth.get("Composition?encounter=e-ana-1&_summary=count")).json["total"] == 1
    assert (await ruth.get(f"{place}/$document?persist=true")).headers["location"].endswith(f"{place}/_history/1")
    assert (await ruth.get(f"Provenance?target={place}&_summary=count")).json["total"] == 2


async def test_a_revoked_consent_closes_a_document_that_is_kept(api: Api) -> None:
    ruth, chen = api.as_(RUTH), api.as_(CHEN)
    place = "/".join((await ruth.get(f"{SESSION}/$document?persist=true")).headers["location"].split("/")[-4:-2])
    await document(chen, place)
    revoked = await api.as_(APP_ANA).patch("Consent/c-ana", [{"op": "replace", "path": "/status", "value": "inactive"}])
    assert revoked.status == 200
    answers = [await chen.get(f"{each}/$document") for each in (place, f"Composition/{ABSENT}", SESSION)]
    assert [each.status for each in answers] == [404, 404, 404]
    assert answers[0].body == answers[1].body


async def test_a_composition_of_somebodys_own_keeps_its_words(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><p>In my own words.</p></div>'
    sections: list[dict[str, Any]] = [
        {"title": "Words", "text": {"status": "additional", "div": div}, "entry": [{"reference": "Condition/cond-cora-oud"}]},
        {"title": "Plan", "entry": [{"reference": "CarePlan/cp-cora"}]},
    ]
    said: JsonObject = {
        "resourceType": "Composition", "status": "final", "type": {"text": "Letter"}, "subject": {"reference": "Patient/cora"},
        "date": "2026-11-10", "author": [{"reference": "Practitioner/ruth"}], "title": "A letter", "section": sections,
    }  # fmt: skip
    place = await made(ruth, said)
    found = await document(ruth, place)
    assert composition_of(found)["section"][0]["text"]["div"] == div
    assert {"Condition/cond-cora-oud", "CarePlan/cp-cora"} <= inside(found)
    assert (await shared.as_(LEO).get(f"{place}/$document")).status == 404


# References to documents ----------------------------------------------------------------------------------------------


async def docref(client: Client, query: str) -> Response:
    return await client.get(f"DocumentReference/$docref?{query}")


async def test_22_a_clinician_asks_for_the_documents_of_a_time(shared: Api) -> None:
    chen = shared.as_(CHEN)
    october = await docref(chen, "patient=ana&start=2026-10-01&end=2026-10-31")
    assert (october.ids, october.json["total"], october.headers["x-redisclosure-notice"]) == ({"d-ana-1"}, 1, "42cfr2.32")
    assert "Consent/c-ana" in str(october.json["entry"][-1])
    missing = await docref(chen, "start=2026-10-01")
    assert (missing.status, missing.issue) == (400, ("error", "required"))
    assert (await docref(chen, "patient=ana&start=2026-10-06")).ids == set()
    assert (await docref(chen, "patient=ana&end=2026-10-01")).ids == set()
    body = [{"name": "patient", "valueId": "ana"}, {"name": "start", "valueDateTime": "2026-10-01"}]
    by_post: JsonObject = {"resourceType": "Parameters", "parameter": body}
    assert (await chen.post("DocumentReference/$docref", by_post)).ids == {"d-ana-1"}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("patient=ana", {"d-ana-2", "form-ana"}),
        ("patient=ana&start=2026-01-01", {"d-ana-1", "d-ana-2", "form-ana"}),
        ("patient=ana&type=http://loinc.org|11506-3", {"d-ana-2"}),
        ("patient=ana&type=11506-3&start=2026-01-01", {"d-ana-1", "d-ana-2"}),
        ("patient=ana&type=http://loinc.org|34133-9", set[str]()),
        (f"patient=ana&profile={CANON}/StructureDefinition/session-note", set[str]()),
    ],
)
async def test_which_documents_are_in_scope(shared: Api, query: str, ids: set[str]) -> None:
    assert (await docref(shared.as_(MAYA), query)).ids == ids


async def test_a_document_on_demand_leads_to_the_session_as_a_document(shared: Api) -> None:
    river = shared.as_(SYS_RIVERBEND)
    answer = await docref(river, "patient=ana&start=2026-10-01&end=2026-10-31&on-demand=true")
    [found] = answer.matches
    assert found["context"]["encounter"] == [{"reference": SESSION}]
    assert "id" not in found
    types = {each["attachment"]["contentType"]: each["attachment"]["url"] for each in found["content"]}
    assert set(types) == {FHIR_JSON, "text/html", "application/pdf"}
    for type, url in types.items():
        fetched = await river.get(url.partition("/fhir/")[2], headers={"accept": "*/*"})
        assert (fetched.status, fetched.headers["content-type"].partition(";")[0]) == (200, type)
    assert (await docref(river, "patient=ana&on-demand=true&type=34133-9")).matches == []
    assert len((await docref(river, "patient=ana&on-demand=true&type=http://loinc.org|11506-3")).matches) == 1
    reading = shared.as_(CHEN, scopes="recovery/treatment-team user/DocumentReference.rs")
    assert (await docref(reading, "patient=ana&on-demand=true")).status == 403


async def test_nobody_learns_from_it_who_is_a_client(shared: Api) -> None:
    for caller, hidden in ((LEO, "ana"), (CHEN, "dan"), (CHEN, "eve"), (SYS_RIVERBEND, "eve")):
        for more in ("", "&on-demand=true", "&start=2020-01-01"):
            answers = [await docref(shared.as_(caller), f"patient={id_}{more}") for id_ in (hidden, "nobody-x"[: len(hidden)])]
            bodies = [(each.status, each.json["total"], each.matches) for each in answers]
            assert bodies[0] == bodies[1] == (200, 0, [])
            assert answers[0].headers.keys() == answers[1].headers.keys()
    for nobody in (SAM, KIM, SYS_LAKESIDE):
        assert (await docref(shared.as_(nobody), "patient=ana")).status == 403
