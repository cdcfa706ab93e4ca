"""What an answer to a search looks like (https://hl7.org/fhir/R4/search.html#return): order, size, totals, parts, includes, links."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, Response
from tests.callers import APP_ANA, CHEN, MAYA
from tests.http.test_search import ask

YAN = "Observation?patient=yan"
ZOE = "Encounter?patient=zoe"


def order(answer: Response) -> list[str]:
    return [match["id"] for match in answer.matches]


def said(answer: Response) -> list[tuple[str, str]]:
    """What the self link says was done."""
    return parse_qsl(urlsplit(answer.link("self") or "").query, keep_blank_values=True)


def names(resources: list[JsonObject]) -> set[str]:
    return {f"{each['resourceType']}/{each['id']}" for each in resources}


# Order ----------------------------------------------------------------------------------------------------------------

SORTED = {
    f"{YAN}&_sort=date&date=lt2021": ["t-year", "t-month", "t-period", "t-open", "t-day", "t-instant"],
    f"{YAN}&_sort=-date&date=ge2021": ["t-later", "t-open"],
    f"{YAN}&_sort=-date,_id&date=2020": ["t-instant", "t-day", "t-period", "t-month", "t-year"],
    "Patient?_id=zoe,yan,xia&_sort=family": ["zoe", "yan", "xia"],
    "Patient?_id=zoe,yan,xia&_sort=-family": ["yan", "zoe", "xia"],
    "Patient?_id=zoe,yan,xia&_sort=birthdate": ["yan", "zoe", "xia"],
    "Patient?_id=zoe,yan,xia&_sort=-birthdate": ["xia", "zoe", "yan"],
    "Patient?_id=zoe,yan,xia&_sort=gender,-_id": ["zoe", "yan", "xia"],
    "Patient?_id=zoe,yan,xia&_sort=_id": ["xia", "yan", "zoe"],
    "ValueSet?_sort=-url": ["v-two", "v-one", "v-all"],
    "RiskAssessment?_sort=-probability": ["r-100", "r-54", "r-5"],
    f"{ZOE}&_sort=-location": ["s-zoe-1", "s-zoe-2"],
}


@pytest.mark.parametrize("query", SORTED)
async def test_matches_come_in_the_order_that_is_asked_and_those_without_a_value_last(ruth: Client, query: str) -> None:
    assert order(await ask(ruth, query)) == SORTED[query]


async def test_sorted_by_last_updated_the_stamps_never_go_back(ruth: Client) -> None:
    """L05: `_sort=-_lastUpdated`."""
    pages = await ruth.pages("Observation", _sort="-_lastUpdated", _count=5)
    stamps = [match["meta"]["lastUpdated"] for page in pages for match in page.matches]
    assert len(stamps) > 15
    assert all(earlier <= later for later, earlier in pairwise(stamps))


@pytest.mark.parametrize(("value", "word"), [("no-such", "no-such"), ("value-quantity", "sorted"), ("date,", "''"), ("date:up", "date:up")])
async def test_what_can_not_be_sorted_by_is_refused(ruth: Client, value: str, word: str) -> None:
    refused = await ask(ruth, f"Observation?_sort={value}")
    assert refused.status == 400
    assert "'_sort'" in refused.json["issue"][0]["diagnostics"]
    assert word in refused.json["issue"][0]["diagnostics"]


# Size and total -------------------------------------------------------------------------------------------------------


async def test_a_page_has_twenty_matches_or_as_many_as_are_asked_up_to_a_thousand(ruth: Client) -> None:
    assert len((await ruth.get("Observation")).matches) == 20
    assert len((await ruth.get("Observation", _count=3)).matches) == 3
    lowered = await ruth.get("Observation", _count=5000)
    assert (len(lowered.matches) > 20, said(lowered)) == (True, [("_count", "1000")])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_count", "many"), ("_count", "-1"), ("_count", "1.5"), ("_count", ""), ("_total", "exact"), ("_summary", "yes"),
        ("_elements", "no-such"), ("_elements", ""), ("_include", "Observation"), ("_include", "Observation:code"),
        ("_include", "Nothing:subject"), ("_include:deep", "Observation:subject"), ("_revinclude", "Observation:encounter:Patient"),
        ("_lastUpdated", "recently"), ("_content", "..."),
    ],
)  # fmt: skip
async def test_a_bad_value_of_a_result_parameter_is_refused_with_its_name(ruth: Client, name: str, value: str) -> None:
    for headers in ({}, {"prefer": "handling=lenient"}):
        refused = await ruth.get("Patient", headers=headers, **{name: value})
        assert (refused.status, refused.issue[0]) == (400, "error")
        assert f"'{name}'" in refused.json["issue"][0]["diagnostics"]


@pytest.mark.parametrize(("name", "values"), [("_count", ("1", "2")), ("_sort", ("date", "status")), ("_summary", ("true", "data"))])
async def test_a_result_parameter_that_stands_twice_is_refused(ruth: Client, name: str, values: tuple[str, str]) -> None:
    refused = await ask(ruth, "Observation?" + "&".join(f"{name}={value}" for value in values))
    assert (refused.status, refused.issue) == (400, ("error", "invalid"))


async def test_the_total_is_stated_when_asked_for_or_when_the_first_page_is_complete(ruth: Client) -> None:
    """L02: `_total=accurate`."""
    everything = (await ask(ruth, f"{YAN}&_count=1000")).json["total"]
    assert everything == 7
    assert "total" not in (await ask(ruth, f"{YAN}&_count=2")).json
    assert "total" not in (await ask(ruth, f"{YAN}&_total=none")).json
    for asked in ("accurate", "estimate"):
        pages = await ruth.pages("Observation", patient="yan", _count=2, _total=asked)
        assert [page.json.get("total") for page in pages] == [everything] * 4
    assert (await ask(ruth, "Observation?code=nothing")).json["total"] == 0


@pytest.mark.parametrize("asked", ["_summary=count", "_count=0", "_summary=count&_total=none", "_count=0&_include=Observation:patient"])
async def test_a_count_has_the_total_and_no_entry(ruth: Client, asked: str) -> None:
    """L03: `_summary=count`."""
    counted = await ask(ruth, f"{YAN}&{asked}")
    assert (counted.json["total"], counted.json.get("entry"), counted.link("next")) == (7, None, None)


# Parts of resources ---------------------------------------------------------------------------------------------------

SUMMARIES: Mapping[str, tuple[set[str], set[str]]] = {  # there, and not there
    "_summary=true": ({"status", "subject", "docStatus", "content"}, {"text"}),
    "_summary=text": ({"status", "content", "text"}, {"subject", "docStatus"}),
    "_summary=data": ({"status", "subject", "docStatus", "content"}, {"text"}),
    "_summary=false": ({"status", "subject", "docStatus", "content", "text"}, set()),
    "_elements=docStatus,date": ({"status", "content", "docStatus", "date"}, {"subject", "text", "author"}),
}


@pytest.mark.parametrize("asked", SUMMARIES)
async def test_a_summary_has_its_elements_and_says_that_it_is_not_whole(ruth: Client, asked: str) -> None:
    [note] = (await ask(ruth, f"DocumentReference?_id=d-zoe-2&{asked}")).matches
    there, absent = SUMMARIES[asked]
    assert there <= note.keys()
    assert not absent & note.keys()
    tags = [tag["code"] for tag in note["meta"].get("tag", ())]
    assert tags == ([] if asked == "_summary=false" else ["SUBSETTED"])
    assert {"versionId", "lastUpdated"} <= note["meta"].keys()


async def test_elements_name_what_matches_are_made_of_and_leave_included_resources_whole(ruth: Client) -> None:
    answer = await ask(ruth, "Observation?_id=q-gram,x-walk&_elements=value&_include=Observation:patient")
    assert [sorted(match.keys() - {"resourceType", "id", "meta"}) for match in answer.matches] == [
        ["code", "status"],
        ["code", "status", "valueQuantity"],
    ]
    [patient] = answer.included
    assert "birthDate" in patient
    assert "tag" not in patient["meta"]


# Includes -------------------------------------------------------------------------------------------------------------

INCLUDED = {
    f"{ZOE}&_include=Encounter:patient": {"Patient/zoe"},
    f"{ZOE}&_include=Encounter:participant": {"Practitioner/maya"},
    f"{ZOE}&_include=Encounter:location": {"Location/room"},
    f"{ZOE}&_include=Encounter:location&_include:iterate=Location:partof": {"Location/room", "Location/floor", "Location/house"},
    f"{ZOE}&_include=Encounter:location&_include=Location:partof": {"Location/room"},
    "Observation?_id=x-set&_include=Observation:performer": {"Organization/org-cir", "Practitioner/maya"},
    "Observation?_id=x-set&_include=Observation:performer:Practitioner": {"Practitioner/maya"},
    "Observation?_id=x-set&_include=Observation:has-member": {"Observation/x-walk"},
    "Observation?_id=x-set&_include=Observation:has-member&_include:iterate=Observation:encounter": {
        "Observation/x-walk",
        "Encounter/s-zoe-1",
    },
    "Encounter?_id=s-zoe-1&_revinclude=Observation:encounter": {"Observation/x-walk"},
    "Encounter?_id=s-zoe-1&_revinclude=Encounter:part-of": {"Encounter/s-zoe-2"},
    "Encounter?_id=s-zoe-1&_revinclude=Observation:encounter&_revinclude:iterate=Observation:has-member": {
        "Observation/x-walk",
        "Observation/x-set",
    },
    "DocumentReference?_id=d-zoe-1&_revinclude=Provenance:target": {"Provenance/prov-d-zoe-1"},
    "Observation?_id=x-walk&_include=*": {"Patient/zoe", "Encounter/s-zoe-1"},
    "Observation?_id=x-walk&_include=Observation:*": {"Patient/zoe", "Encounter/s-zoe-1"},
    "Observation?_id=q-gram&_include=Observation:encounter": set[str](),
}


@pytest.mark.parametrize("query", INCLUDED)
async def test_what_matches_point_at_or_what_points_at_them_comes_along_once(ruth: Client, query: str) -> None:
    answer = await ask(ruth, query)
    assert answer.status == 200
    assert names(answer.included) == INCLUDED[query]
    assert len(answer.included) == len(INCLUDED[query])
    assert "total" not in answer.json or answer.json["total"] == len(answer.matches)


async def test_wildcards_in_both_directions_are_answered(ruth: Client) -> None:
    """L07: `_include` and `_revinclude` with `*`."""
    answer = await ask(ruth, "Encounter?_id=s-zoe-1&_include=*&_revinclude=*")
    assert answer.status == 200
    found = names(answer.included)
    assert {"Patient/zoe", "Practitioner/maya", "Observation/x-walk", "Encounter/s-zoe-2", "DocumentReference/d-zoe-1"} <= found
    everywhere = await ask(ruth, "Encounter?_id=s-zoe-1&_include:iterate=*&_revinclude:iterate=*")
    assert everywhere.status == 200
    assert found <= names(everywhere.included)


# Text -----------------------------------------------------------------------------------------------------------------

WORDS = {
    "_content=heron": {"d-zoe-1", "d-zoe-2"},
    "_content=HERON water": {"d-zoe-1"},
    "_content=heron&_content=rain": {"d-zoe-2"},
    "_content=kingfisher,rain": {"d-zoe-2"},
    "_content=her": set[str](),
    "_text=rainy": {"d-zoe-2"},
    "_text=heron": set[str](),
    "_text=xhtml": set[str](),
}


@pytest.mark.parametrize("query", WORDS)
async def test_notes_are_found_by_the_words_in_them(ruth: Client, query: str) -> None:
    assert (await ask(ruth, f"DocumentReference?patient=zoe&{query}")).ids == WORDS[query]


# Where is searched ----------------------------------------------------------------------------------------------------


async def test_a_system_search_is_over_the_types_that_it_names_or_over_all(ruth: Client) -> None:
    named = await ask(ruth, "?_type=Encounter,Patient&_id=zoe,s-zoe-1,q-gram")
    assert names(named.matches) == {"Patient/zoe", "Encounter/s-zoe-1"}
    assert names((await ask(ruth, "?_id=zoe,s-zoe-1,q-gram")).matches) == {"Patient/zoe", "Encounter/s-zoe-1", "Observation/q-gram"}
    of_zoe = await ask(ruth, "?_type=Encounter,Observation&patient=zoe&_count=1000")
    assert names(of_zoe.matches) >= {"Encounter/s-zoe-1", "Observation/q-gram"}
    assert names((await ask(ruth, "?_tag=urn:tags|walks")).matches) == {"Patient/xia"}


@pytest.mark.parametrize("query", ["_type=Nothing", "_type=", "_type=Patient,Observation&birthdate=1990", "_type=Patient&_type=Encounter"])
async def test_a_system_search_that_can_not_be_is_refused(ruth: Client, query: str) -> None:
    assert (await ask(ruth, f"?{query}")).status == 400


async def test_a_compartment_holds_what_is_about_the_client(ruth: Client) -> None:
    assert (await ask(ruth, "Patient/zoe/Encounter")).ids == {"s-zoe-1", "s-zoe-2"}
    assert (await ask(ruth, "Patient/zoe/Encounter?class=FLD")).ids == {"s-zoe-1"}
    everything = names((await ask(ruth, "Patient/zoe/*?_count=1000")).matches)
    assert {"Encounter/s-zoe-1", "Observation/q-gram", "CareTeam/ct-zoe", "DocumentReference/d-zoe-1"} <= everything
    assert not any("yan" in name or "xia" in name for name in everything)
    assert names((await ask(ruth, "Patient/zoe/*?_type=Encounter")).matches) == {"Encounter/s-zoe-1", "Encounter/s-zoe-2"}
    assert (await ask(ruth, "Encounter/s-zoe-1/Observation")).ids == {"x-walk"}
    assert (await ask(ruth, "Patient/zoe/Nothing")).status == 404


# Links ----------------------------------------------------------------------------------------------------------------


async def test_the_self_link_says_what_was_done(ruth: Client) -> None:
    """L21."""
    answer = await ask(ruth, f"{YAN}&date=ge2020-01-01&_sort=-date&_count=2&_include=Observation:patient&_elements=status")
    done = [
        ("patient", "yan"), ("date", "ge2020-01-01"), ("_sort", "-date"), ("_count", "2"), ("_include", "Observation:patient"),
        ("_elements", "status"),
    ]  # fmt: skip
    assert said(answer) == done
    assert (answer.link("self") or "").startswith("http://127.0.0.1:8000/fhir/Observation?")
    again = await ruth.get(answer.link("self") or "")
    assert order(again) == order(answer)
    inside = await ask(ruth, "Patient/zoe/Encounter?class=FLD")
    assert inside.link("self") == "http://127.0.0.1:8000/fhir/Patient/zoe/Encounter?class=FLD"


LENIENT = {"prefer": "handling=lenient"}
UNKNOWN = ("no-such", "birhtdate", "gendr:not", "organization.nmae", "_has:Observation:patient:cdoe", "_filter", "_query")


@pytest.mark.parametrize("name", UNKNOWN)
async def test_an_unknown_parameter_is_refused_unless_the_caller_is_lenient(ruth: Client, name: str) -> None:
    """L01: misspelt parameters, strict and lenient."""
    path = f"Patient?_id=zoe,yan&{name}=1990"
    for preference in ("handling=strict", "return=minimal"):
        refused = await ruth.get(path, headers={"prefer": preference})
        assert (refused.status, refused.issue) == (400, ("error", "not-supported"))
    ignored = await ruth.get(path, headers=LENIENT)
    assert (ignored.status, ignored.ids, said(ignored)) == (200, {"zoe", "yan"}, [("_id", "zoe,yan")])
    [outcome] = [entry for entry in ignored.json["entry"] if entry["search"]["mode"] == "outcome"]
    [issue] = outcome["resource"]["issue"]
    assert (issue["severity"], issue["code"], f"'{name}'" in issue["diagnostics"]) == ("warning", "not-supported", True)


async def test_a_refusal_says_which_parameter_may_have_been_meant(ruth: Client) -> None:
    refused = await ruth.get("Patient", birhtdate="1990")
    assert "Did you mean 'birthdate'?" in refused.json["issue"][0]["diagnostics"]


async def test_a_posted_search_finds_what_a_get_finds_and_takes_parameters_in_both_places(ruth: Client) -> None:
    query: dict[str, Any] = {"patient": "yan", "date": "ge2020-03-15", "_sort": "-date", "_count": "3"}
    got, posted = await ruth.get("Observation", **query), await ruth.form("Observation/_search", **query)
    mixed = await ruth.form("Observation/_search?patient=yan&date=ge2020-03-15", _sort="-date", _count="3")
    for answer in (posted, mixed):
        assert (answer.status, order(answer), answer.link("self")) == (200, order(got), got.link("self"))
    following = [(await ruth.get(answer.link("next") or "")) for answer in (got, posted)]
    assert order(following[0]) == order(following[1]) != []
    for path, params in (("_search", {"_type": "Encounter", "_id": "s-zoe-1"}), ("Patient/zoe/Encounter/_search", {"class": "FLD"})):
        assert (await ruth.form(path, **params)).ids == {"s-zoe-1"}


async def test_a_searchset_says_where_each_entry_is_and_why_it_is_there(ruth: Client) -> None:
    answer = await ask(ruth, "Encounter?_id=s-zoe-1&_include=Encounter:patient")
    assert (answer.json["type"], [entry["search"]["mode"] for entry in answer.json["entry"]]) == ("searchset", ["match", "include"])
    for entry in answer.json["entry"]:
        assert entry["fullUrl"] == f"http://127.0.0.1:8000/fhir/{entry['resource']['resourceType']}/{entry['resource']['id']}"


async def test_others_find_what_is_theirs_by_the_same_search(searched: Api) -> None:
    query = "Observation?code=mood,craving,trigger&_include=Observation:patient&_total=accurate"
    for caller, patients in ((MAYA, {"ana"}), (CHEN, {"ana", "ben"}), (APP_ANA, {"ana"})):
        answer = await ask(searched.as_(caller), query)
        assert {each["id"] for each in answer.included} == patients
        assert {match["subject"]["reference"].partition("/")[2] for match in answer.matches} == patients
        assert answer.json["total"] == len(answer.matches)


async def test_a_url_that_is_typed_with_a_plus_or_percent_signs_means_the_same(ruth: Client) -> None:
    for zone in ("%2B02:00", "+02:00"):
        assert (await ruth.get(f"Observation?patient=yan&date=2020-03-15T12:00:00{zone}")).ids == {"t-instant"}
    assert (await ruth.get("Patient?given=" + quote("Zoë"))).ids == {"zoe"}
