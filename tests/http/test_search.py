"""What a search finds, by kind of parameter (https://hl7.org/fhir/R4/search.html): queries, and the ids that they find."""

from collections.abc import Mapping
from itertools import product
from urllib.parse import quote

import pytest

from tests.api import Client, Response
from tests.http.searched import ICD, UCUM, V2_0203

Finds = Mapping[str, str]


async def ask(client: Client, query: str) -> Response:
    """The answer to `Type?query`, as it would be typed."""
    return await client.get(quote(query, safe="?=&"))


async def finds(client: Client, table: Finds, start: str) -> None:
    """Every query of the table, after the start, finds its ids and no others."""
    answers = {query: await ask(client, start + query) for query in table}
    assert {query: " ".join(sorted(answer.ids)) if answer.status == 200 else answer.body for query, answer in answers.items()} == {
        query: " ".join(sorted(ids.split())) for query, ids in table.items()
    }


PEOPLE = "Patient?_id=zoe,yan,xia&"
STRINGS = {
    "family=mul": "zoe yan",
    "family=MÜLLER": "zoe yan",
    "family=uller": "",
    "name=obermuller": "",
    "name=xia": "xia",
    "name=ann": "zoe",
    "given=zoe": "zoe",
    "family:exact=Müller": "zoe",
    "family:exact=Muller": "",
    "family:exact=müller": "",
    "family:contains=ULLER": "zoe yan",
    "name:contains=mull": "zoe yan xia",
    "address-city=alesund": "zoe",
    "address-state=CA": "zoe yan xia",
    "address=9000": "zoe yan xia",
    "family:missing=true": "xia",
    "family:missing=false": "zoe yan",
    "given=zoe,yan": "zoe yan",
    "given=zoe&given=ann": "zoe",
    "given=zoe&given=yan": "",
}
ESCAPES = {
    r"family=muller\, jr": "yan",
    "family=muller, jr": "zoe yan",
    r"family:exact=Muller\, Jr": "yan",
    r"identifier=a\,b\|c\$d": "yan",
    r"identifier=urn:yan|a\,b\|c\$d": "yan",
    r"identifier=urn:yan|a\,b": "",
}


async def test_strings_are_found_by_their_start_a_part_or_the_very_text(ruth: Client) -> None:
    """L04: `:exact`, `:contains`."""
    await finds(ruth, STRINGS, PEOPLE)


async def test_separators_that_are_escaped_are_text(ruth: Client) -> None:
    await finds(ruth, ESCAPES, PEOPLE)
    await finds(ruth, {r"code-value-string=3-3$rested\, at": "c-string"}, "Observation?")
    await finds(ruth, {r"value-concept:text=well\|en": "c-concept", r"code:text=sleep\, and": "c-concept"}, "Observation?")


TOKENS = {
    "gender=female": "zoe",
    "gender=female,other": "zoe yan",
    "gender=http://hl7.org/fhir/administrative-gender|female": "zoe",
    "gender=urn:x|female": "",
    "gender:not=female": "yan xia",
    "gender:not=female,other": "xia",
    "gender:in=http://hl7.org/fhir/ValueSet/administrative-gender": "zoe yan xia",
    "gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender": "",
    "identifier=7": "zoe yan",
    "identifier=urn:zoe|7": "zoe",
    "identifier=|7": "yan",
    "identifier=urn:zoe|": "zoe",
    "identifier=urn:zoe|8": "",
    f"identifier:of-type={V2_0203}|MR|7": "zoe",
    f"identifier:of-type={V2_0203}|SS|7": "",
    "identifier:text=record": "zoe",
    "identifier:missing=true": "xia",
    "deceased=true": "xia",
    "deceased=false": "zoe yan",
    "active=true": "zoe yan xia",
    "_tag=urn:tags|walks": "xia",
    "_tag:not=urn:tags|walks": "zoe yan",
    "_id:not=zoe": "yan xia",
}
CONCEPTS = {
    "code=2-2": "c-concept",
    "code=http://loinc.org|2-2": "c-concept",
    "code=|2-2": "",
    "code:text=sleep": "c-concept",
    "code:not=1-1,2-2": "c-string",
    "value-concept=urn:sleep|well": "c-concept",
    "status=preliminary": "x-draft",
    "status:not=final": "x-draft",
}


async def test_tokens_are_found_by_system_and_code_by_text_by_type_and_by_value_set(ruth: Client) -> None:
    """L04: `:not`."""
    await finds(ruth, TOKENS, PEOPLE)
    await finds(ruth, CONCEPTS, "Observation?patient=xia&")


URIS = {
    "url=https://terms.example/sets/one": "v-one",
    "url=https://terms.example/set": "",
    "url:below=https://terms.example/sets": "v-all v-one",
    "url:above=https://terms.example/sets/one": "v-all v-one",
    "url:missing=false": "v-all v-one v-two",
}
META = {
    "_profile=https://profiles.example/StructureDefinition/person": "xia",
    "_profile=https://profiles.example/StructureDefinition/person|1.0": "xia",
    "_profile=https://profiles.example/StructureDefinition/person|2.0": "",
    "_profile:below=https://profiles.example": "xia",
    "_source=https://intake.example/form#3": "xia",
    "_security:missing=true": "zoe yan xia",
}


async def test_uris_are_found_as_they_are_and_above_and_below_a_path(ruth: Client) -> None:
    await finds(ruth, URIS, "ValueSet?")
    await finds(ruth, META, PEOPLE)


DATES = {
    "2020": "t-year t-month t-day t-instant t-period",
    "eq2020-03": "t-month t-day t-instant t-period",
    "2020-03-15": "t-day t-instant",
    "2020-03-15T10:00Z": "t-instant",
    "2020-03-15T12:00:00%2B02:00": "t-instant",
    "2020-03-15T11:00:00Z": "",
    "ne2020-03-15": "t-year t-month t-period t-open t-later",
    "gt2020-03-15": "t-year t-month t-period t-open t-later",
    "gt2020-12-31": "t-open t-later",
    "lt2020-03-15": "t-year t-month t-period t-open",
    "lt2020-03": "t-year",
    "ge2020-03-20": "t-year t-month t-open t-later",
    "ge2021-06": "t-open t-later",
    "le2020-03-10": "t-year t-month",
    "le2020": "t-year t-month t-day t-instant t-period",
    "sa2020-03": "t-later",
    "sa2020-03-11": "t-day t-instant t-open t-later",
    "eb2020-03-21": "t-day t-instant t-period",
    "eb2020-03": "",
    "ap2020-03-15": "t-year t-month t-day t-instant t-period t-open",
    "ge2020-03-01&date=lt2020-04-01": "t-year t-month t-day t-instant t-period t-open",
}
BIRTHS = {
    "birthdate=1990": "zoe yan",
    "birthdate=1990-04-02": "zoe",
    "birthdate=ge1990-04-03": "yan xia",
    "birthdate=1990-04-02,1991": "zoe xia",
}


async def test_a_date_covers_all_that_it_leaves_open_and_prefixes_compare_ranges(ruth: Client) -> None:
    await finds(ruth, {query.replace("%2B", "+"): ids for query, ids in DATES.items()}, "Observation?patient=yan&date=")
    await finds(ruth, BIRTHS, PEOPLE)


NUMBERS = {
    "54": "r-54",
    "54.0": "r-54",
    "5.4e1": "r-54",
    "5e1": "",
    "50": "",
    "1e2": "r-100",
    "ne5": "r-54 r-100",
    "gt54": "r-100",
    "ge54": "r-54 r-100",
    "lt54": "r-5",
    "le54": "r-5 r-54",
    "sa5": "r-54 r-100",
    "eb54": "r-5",
    "ap50": "r-54",
    "ap95": "r-100",
    "ap5": "r-5",
}
QUANTITIES = {
    f"100|{UCUM}|mg/dL": "q-gram",
    f"1|{UCUM}|g/L": "q-gram",
    f"1000|{UCUM}|mg/L": "q-gram",
    f"gt1|{UCUM}|g/L": "q-milligram",
    f"ge1|{UCUM}|g/L": "q-gram q-milligram",
    f"lt200|{UCUM}|mg/dL": "q-gram",
    f"le2.5|{UCUM}|g/L": "q-gram q-milligram",
    f"ap105|{UCUM}|mg/dL": "q-gram",
    f"ne1|{UCUM}|g/L": "q-milligram",
    f"sa1|{UCUM}|g/L": "q-milligram",
    f"eb2|{UCUM}|g/L": "q-gram",
    f"84|{UCUM}|kg": "q-pound",
    f"84.0|{UCUM}|kg": "",
    f"83.9|{UCUM}|kg": "q-pound",
    "5.4": "q-point",
    "5.40": "q-point",
    "5": "q-point",
    "6": "",
    "5.4||points": "q-point",
    "1||g/L": "q-gram",
    f"1|{UCUM}|g": "",
}


async def test_numbers_are_as_precise_as_they_are_written(ruth: Client) -> None:
    await finds(ruth, NUMBERS, "RiskAssessment?probability=")


async def test_quantities_are_found_in_any_unit_that_measures_the_same(ruth: Client) -> None:
    await finds(ruth, QUANTITIES, "Observation?patient=zoe&value-quantity=")


COMPOSITES = {
    "combo-code=8480-6": "c-pressure",
    "code=8480-6": "",
    "component-code-value-quantity=http://loinc.org|8480-6$ge140": "c-pressure",
    f"component-code-value-quantity=8480-6$140|{UCUM}|mm[Hg]": "c-pressure",
    "component-code-value-quantity=8462-4$140": "",
    "combo-code-value-quantity=8462-4$90,8480-6$90": "c-pressure",
    "code-value-concept=2-2$urn:sleep|well": "c-concept",
    "code-value-concept=3-3$urn:sleep|well": "",
    "code-value-string=3-3$RESTED": "c-string",
}


async def test_composites_hold_within_one_element(ruth: Client) -> None:
    """L06: `combo-code`; L10: a composite."""
    await finds(ruth, COMPOSITES, "Observation?")


REFERENCES = {
    "Observation?encounter=s-zoe-1": "x-walk",
    "Observation?encounter=Encounter/s-zoe-1": "x-walk",
    "Observation?encounter=http://127.0.0.1:8000/fhir/Encounter/s-zoe-1": "x-walk",
    "Observation?encounter:Encounter=s-zoe-1": "x-walk",
    "Observation?has-member=Observation/x-walk": "x-set",
    "Observation?performer=org-cir&patient=zoe": "x-set",
    "Observation?performer:Practitioner=maya&patient=zoe": "x-set",
    "Observation?performer:Organization=maya&patient=zoe": "",
    "Observation?performer:identifier=urn:npi|9": "x-walk",
    "Observation?performer:missing=false&patient=zoe": "x-set x-walk",
    "Observation?subject=Patient/xia&code=2-2": "c-concept",
    "Observation?subject:Patient=xia&code=2-2": "c-concept",
    "Observation?subject:Group=xia&code=2-2": "",
    "Observation?patient=zoe,xia&code=2-2,9-9": "c-concept x-walk",
    "Patient?link=https://elsewhere.example/fhir/Patient/z": "zoe",
    "QuestionnaireResponse?questionnaire=https://forms.example/Questionnaire/pace": "qr-1 qr-2",
    "QuestionnaireResponse?questionnaire=https://forms.example/Questionnaire/pace|2": "qr-2",
    "Encounter?location=room": "s-zoe-1",
    "Encounter?location=house": "",
    "Encounter?location:below=Location/house": "s-zoe-1",
    "Encounter?location:below=Location/room": "s-zoe-1",
    "Location?partof:above=Location/room": "floor room",
}


async def test_references_are_found_by_id_type_address_identifier_and_hierarchy(ruth: Client) -> None:
    await finds(ruth, REFERENCES, "")


CHAINS = {
    "Observation?subject:Patient.name=xia&code=2-2": "c-concept",
    "Observation?patient.family=muller&code=9-9": "x-walk",
    "Observation?subject.gender=female&code=9-9,2-2": "x-walk",
    "Observation?encounter.class=FLD": "x-walk",
    "Observation?encounter.class:not=VR&code=9-9": "x-walk",
    "Observation?encounter.patient.name=yan": "x-draft",
    "Observation?encounter.location.partof.partof._id=house": "x-walk",
    "Encounter?episode-of-care.care-manager.identifier=ruth&patient=yan": "s-yan-1",
    "Observation?patient.link:missing=false&code=9-9": "x-walk",
    "DocumentReference?encounter:Encounter.class=FLD": "d-zoe-1",
}
HAS = {
    "Patient?_has:Observation:patient:code=2-2": "xia",
    "Patient?_has:Observation:subject:code=2-2,9-9": "xia zoe",
    "Patient?_has:Encounter:patient:_has:Observation:encounter:code=9-9": "zoe",
    "Patient?_has:Encounter:patient:_has:Observation:encounter:status=preliminary": "ana yan",
    "Patient?_has:Encounter:patient:class=FLD&_has:Encounter:patient:class=VR": "",
    "Patient?_has:DocumentReference:patient:encounter.class=FLD": "zoe",
    "Observation?patient._has:Encounter:patient:class=VR&code=1-1&date=2021": "t-later",
    f"Patient?_has:Condition:patient:code={ICD}|F33.1": "xia yan zoe",
}


async def test_chains_reach_along_references(ruth: Client) -> None:
    await finds(ruth, CHAINS, "")


async def test_has_reaches_against_references_and_may_be_nested(ruth: Client) -> None:
    """L08: `_has`."""
    await finds(ruth, HAS, "")


LINKS = ("part-of.", "_has:Encounter:part-of:", "patient._has:Encounter:patient:")


async def test_chains_and_has_are_followed_four_links_deep_in_any_mix_and_no_further(ruth: Client) -> None:
    for links in product(LINKS, repeat=4):
        path, long = "".join(links), LINKS[2] in links
        answer = await ask(ruth, f"Encounter?{path}status=finished")
        assert answer.status == (400 if long else 200), path
    for link in LINKS[:2]:
        refused = await ask(ruth, f"Encounter?{link * 5}status=finished")
        assert (refused.status, refused.issue) == (400, ("error", "too-costly"))
        assert "at most 4" in refused.json["issue"][0]["diagnostics"]
    assert (await ask(ruth, f"Encounter?{LINKS[2] * 2}class=FLD&patient=zoe")).ids == {"s-zoe-1", "s-zoe-2"}
    assert (await ask(ruth, "Encounter?part-of.class=FLD")).ids == {"s-zoe-2"}


MALFORMED = {
    "Patient?birthdate=soon": "birthdate",
    "Patient?birthdate=1990-13": "birthdate",
    "Patient?birthdate=": "birthdate",
    "Patient?birthdate:exact=1990": "birthdate:exact",
    "Patient?name=a,,b": "name",
    "Patient?name:text=a": "name:text",
    "Patient?name:missing=yes": "name:missing",
    "Patient?gender:exact=female": "gender:exact",
    "Patient?identifier=a|b|c": "identifier",
    "Patient?identifier:of-type=a|b": "identifier:of-type",
    "Patient?gender:in=https://nowhere.example/ValueSet/x": "gender:in",
    "Patient?gender:below=female": "gender:below",
    "Patient?_lastUpdated=yesterday": "_lastUpdated",
    "RiskAssessment?probability=much": "probability",
    "RiskAssessment?probability=1,x": "probability",
    "Observation?value-quantity=5|mg": "value-quantity",
    "Observation?code-value-concept=a": "code-value-concept",
    "Observation?subject:Practitioner=a": "subject:Practitioner",
    "Observation?patient:Patient.birthdate=x": "patient:Patient.birthdate",
    "Observation?code.name=x": "code.name",
    "Patient?_has:Observation:patient=x": "_has:Observation:patient",
    "Patient?_has:Observation:encounter:code=x": "_has:Observation:encounter:code",
    "Location?partof:above=Patient/x": "partof:above",
}


@pytest.mark.parametrize("query", MALFORMED)
async def test_a_value_or_modifier_that_can_not_be_is_refused_with_the_parameter_named(ruth: Client, query: str) -> None:
    for headers in ({}, {"prefer": "handling=lenient"}):
        refused = await ruth.get(quote(query, safe="?=&"), headers=headers)
        assert refused.status == 400
        assert f"'{MALFORMED[query]}'" in refused.json["issue"][0]["diagnostics"]
