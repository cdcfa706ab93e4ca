"""What Inferno's US Core kit asks beside the searches (the checklist's H): over a fixture in which no test would be skipped."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest

from recovery_api.fhir import conformance, invariants, profile
from recovery_api.fhir.json import Json, JsonObject
from tests.http.must_support import MUST_SUPPORT, found, unseen
from tests.http.us_core_chart import ABSENT, CATEGORY, NEEDED, NOTES, REPORTS, SCREENED, US_CORE
from tests.http.us_core_charts import Charts
from tests.http.us_core_searches import SEARCHES

TYPES = sorted({*SEARCHES, "Endpoint", "Medication", "Provenance"})
OF_A_CLIENT = [kind for kind, searches in SEARCHES.items() if any(each.partition("+")[0] == "patient" for each in searches)]

DEFECTS: Mapping[str, Sequence[str]] = {
    "us-core-condition-problems-health-concerns": ["Condition.category"],  # a category of FHIR's that is none of US Core's
    "us-core-medicationrequest": ["MedicationRequest"],  # us-core-21: no requester
    "us-core-observation-lab": ["Observation", "Observation.category"],  # us-core-2: members that are not there; as of Condition
    "us-core-observation-screening-assessment": ["Observation"],  # us-core-2: members that are not there
    "us-core-practitioner": ["Practitioner.identifier[0]"],  # us-core-17: made-up NPIs
    "us-core-practitionerrole": ["PractitionerRole"],  # pd-1: no telecom
}
"""Where synthetic patients, and panels of the half of US Core's examples that is carried, break what they claim: the baseline."""

NOT_THERE = {
    "us-core-blood-pressure": {"value[x]"},  # a panel has components in its place
    "us-core-questionnaireresponse": {"questionnaire.extension:questionnaireDisplay"},  # of SDC's profile, which is not carried
}
"""Must-support elements that nothing in the fixture has."""


@pytest.fixture(scope="module")
async def served(charts: Charts) -> dict[str, list[JsonObject]]:
    """All that Ruth finds, by type."""
    answers = {type: await charts.ruth.pages(type, _count=1000) for type in TYPES}
    assert {page.status for pages in answers.values() for page in pages} == {200}
    entries = {type: [entry for page in pages for entry in page.json.get("entry", ())] for type, pages in answers.items()}
    resources = {type: [entry["resource"] for entry in each if entry["search"]["mode"] == "match"] for type, each in entries.items()}
    assert {type: {one["resourceType"] for one in each} for type, each in resources.items()} == {type: {type} for type in TYPES}
    return resources


def claimed(served: Mapping[str, list[JsonObject]]) -> Iterator[tuple[str, list[JsonObject]]]:
    """Each profile of US Core, with the resources that claim it."""
    for url in MUST_SUPPORT:
        said = {url, f"{url}|6.1.0", f"{url}|7.0.0", f"{url}|8.0.0"}
        yield url, [each for resources in served.values() for each in resources if not said.isdisjoint(conformance.claims(each))]


async def test_the_capability_statement_says_what_the_kit_looks_for(charts: Charts) -> None:
    """H01 to H05."""
    answer = await charts.ruth.get("metadata")
    said = answer.json
    assert (answer.status, profile.check(said, "CapabilityStatement"), invariants.check(said, "CapabilityStatement")) == (200, [], [])
    assert (said["fhirVersion"], {"application/fhir+json", "json"} <= set(said["format"])) == ("4.0.1", True)
    assert "http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server" in said["instantiates"]
    told = {url for entry in said["rest"][0]["resource"] for url in entry.get("supportedProfile", ())}
    assert set(MUST_SUPPORT) - told == set()


async def test_what_is_found_is_what_it_claims_to_be(served: dict[str, list[JsonObject]]) -> None:
    """H17, H24."""
    broken: dict[str, Counter[str]] = {}
    for url, resources in claimed(served):
        assert resources, url
        for each in resources:
            for issue in conformance.check(each, url):
                if issue.severity == "error":
                    broken.setdefault(url.removeprefix(US_CORE), Counter())[issue.expression or ""] += 1
    assert {name: sorted(places) for name, places in broken.items()} == DEFECTS


async def test_every_must_support_element_is_seen(served: dict[str, list[JsonObject]]) -> None:
    """H18."""
    missing = {url.removeprefix(US_CORE): unseen(url, resources) for url, resources in claimed(served)}
    assert {name: places for name, places in missing.items() if places} == NOT_THERE


async def test_must_support_references_lead_to_what_they_may(charts: Charts, served: dict[str, list[JsonObject]]) -> None:
    """H19: of each element, at least one."""
    there = {f"{type}/{each['id']}" for type, resources in served.items() for each in resources}
    there |= {f"{type}/{each['id']}" for type in ("Group", "Media") for each in charts.resources.get(type, ())}
    for url, resources in claimed(served):
        for place in MUST_SUPPORT[url]:
            pointed = [one.json for each in resources for one in found(url, each, place) if one.type == "Reference"]
            pointing = {one["reference"] for one in pointed if "reference" in one}
            assert not pointing or pointing & there, (url, place, sorted(pointing)[:3])
    for reference in ("Organization/org-cir", "Practitioner/ruth", "Encounter/seen", "Location/walk-in", "Medication/sertraline"):
        assert (await charts.ruth.get(reference)).status == 200


@pytest.mark.parametrize("type", TYPES)
async def test_a_read_gives_the_resource_and_no_id_an_outcome(charts: Charts, served: dict[str, list[JsonObject]], type: str) -> None:
    """H06, H25."""
    id = served[type][0]["id"]
    answer = await charts.ruth.get(f"{type}/{id}")
    assert (answer.status, answer.json["resourceType"], answer.json["id"]) == (200, type, id)
    absent = await charts.ruth.get(f"{type}/no-such-id")
    assert (absent.status, absent.issue) == (404, ("error", "not-found"))


@pytest.mark.parametrize("type", OF_A_CLIENT)
async def test_a_search_needs_no_status_and_brings_its_provenance(charts: Charts, type: str) -> None:
    """H13, H15, H24."""
    answer = await charts.ruth.get(f"{type}?patient=ana&_revinclude=Provenance:target&_count=1000")
    assert answer.status == 200
    assert {each["resourceType"] for each in answer.matches} == {type}
    assert {each["resourceType"] for each in answer.included} == {"Provenance"}


async def test_of_pages_each_is_found(charts: Charts) -> None:
    """H14."""
    pages = await charts.ruth.pages("Observation?patient=ana&_count=10")
    assert [page.status for page in pages] == [200] * len(pages)
    assert 2 <= len(pages) <= 20
    assert sum(len(page.matches) for page in pages) == (await charts.ruth.get("Observation?patient=ana&_summary=count")).json["total"]


@pytest.mark.parametrize("type", ["MedicationRequest", "MedicationDispense"])
async def test_the_medications_that_are_referred_to_come_along_and_no_others(charts: Charts, type: str) -> None:
    """H16."""
    answer = await charts.ruth.get(f"{type}?patient=ana&_include={type}:medication")
    pointing = {each["medicationReference"]["reference"] for each in answer.matches if "medicationReference" in each}
    assert {f"{each['resourceType']}/{each['id']}" for each in answer.included} == pointing == {"Medication/sertraline"}


async def test_data_that_is_missing_says_why(served: dict[str, list[JsonObject]]) -> None:
    """H20: by extension and by code."""
    said = {text for resources in served.values() for each in resources for text in _texts(each)}
    assert {"http://hl7.org/fhir/StructureDefinition/data-absent-reason", ABSENT} <= said


async def test_every_kind_of_note_is_there_as_a_document_and_in_a_report(charts: Charts, served: dict[str, list[JsonObject]]) -> None:
    """H21."""
    for code in NOTES:
        assert f"note-{code}" in (await charts.ruth.get(f"DocumentReference?patient=ana&type=http://loinc.org|{code}")).ids
    for category in REPORTS:
        assert (await charts.ruth.get(f"DiagnosticReport?patient=ana&category=http://loinc.org|{category}")).ids == {f"report-{category}"}
    documents = {each["content"][0]["attachment"].get("title") for each in served["DocumentReference"] if each["id"].startswith("note-")}
    reports = [form for each in served["DiagnosticReport"] if each["id"].startswith("report-") for form in each["presentedForm"]]
    assert {form["title"] for form in reports} == documents == set(NOTES.values())


async def test_an_interpreter_and_screenings_are_told_of(charts: Charts) -> None:
    """H22, H23."""
    patient = (await charts.ruth.get("Patient/ana")).json
    assert [each["valueCoding"]["code"] for each in patient["extension"] if each["url"] == NEEDED] == ["373066001"]
    for category in SCREENED:
        assert f"screened-{category}" in (await charts.ruth.get(f"Observation?patient=ana&category={CATEGORY}|{category}")).ids


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value
