"""Strings, tokens, references and URIs with their modifiers, by R4's search page: https://hl7.org/fhir/R4/search.html."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.search.escapes import split, unescaped
from recovery_api.fhir.search.text import LONGEST, bounded, normalised, without_markup, words
from tests.fhir.search.searching import BASE, concept, observation, patient, search

EVE = patient(
    name=[{"family": "Éveline-Smith", "given": ["Mary  Ann", "Zoë"], "prefix": ["Dr"]}],
    address=[{"line": ["1 Main St"], "city": "Köln", "postalCode": "50667"}],
    gender="female",
    active=True,
    birthDate="1970-03-30",
    telecom=[{"system": "phone", "value": "555-1"}, {"system": "email", "value": "e@x.org"}],
    identifier=[{"system": "urn:mrn", "value": "77", "type": concept("http://t|MR", text="Record number")}, {"value": "88"}],
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=eve", True),
        ("name=EVELINE", True),
        ("name=éve", True),
        ("name=smith", False),
        ("name=ann", False),
        ("name=mary ann", True),
        ("name=dr mary ann zoe", True),
        ("name:contains=SMITH", True),
        ("name:contains=xyz", False),
        ("name:exact=Zoë", True),
        ("name:exact=Zoe", False),
        ("name:exact=zoë", False),
        ("family=eve,nobody", True),
        ("family=mary", False),
        ("given=zoe", True),
        ("given=zoe&given=mary", True),
        ("given=zoe&given=peter", False),
        ("address=koln", True),
        ("address-city=k", True),
        ("address-postalcode=506", True),
        ("address=main", False),
        ("address:contains=main", True),
        ("name:missing=false", True),
        ("name:missing=true", False),
        ("phonetic=eve", True),
    ],
)
def test_strings_start_with_a_text_without_case_and_accents(query: str, found: bool) -> None:
    assert search(f"Patient?{query}", EVE) == ({"1"} if found else set())


def test_escaped_separators_are_text() -> None:
    named = patient(name=[{"family": "a,b|c$d\\e"}])
    assert search(r"Patient?family=a\,b\|c\$d\\e", named) == {"1"}
    assert search(r"Patient?family:exact=a\,b|c$d\\e", named) == {"1"}
    assert search("Patient?family=x,a", named) == {"1"}


@pytest.mark.parametrize(
    ("text", "parts"), [("a,b", ["a", "b"]), (r"a\,b,c", [r"a\,b", "c"]), ("", [""]), (r"a\\,b", [r"a\\", "b"]), ("a\\", ["a\\"])]
)
def test_only_unescaped_separators_part(text: str, parts: list[str]) -> None:
    assert split(text, ",") == parts


@given(st.lists(st.text(alphabet="a,|$\\ é"), min_size=1))
def test_escaping_is_undone_by_splitting(parts: list[str]) -> None:
    escaped = [part.replace("\\", "\\\\").replace(",", "\\,").replace("|", "\\|").replace("$", "\\$") for part in parts]
    assert [unescaped(part) for part in split(",".join(escaped), ",")] == parts


@given(st.text())
def test_normalised_text_is_bounded_and_stays_as_it_is(text: str) -> None:
    once = normalised(text)
    assert len(once) <= LONGEST
    assert normalised(once) in (once, once.strip())


def test_long_values_stay_exact() -> None:
    one, two = "x" * 1000 + "1", "x" * 1000 + "2"
    assert bounded(one) != bounded(two)
    assert len(bounded(one)) == LONGEST
    assert search(f"Patient?identifier={one}", patient(identifier=[{"value": two}])) == set()
    assert search(f"Patient?identifier={two}", patient(identifier=[{"value": two}])) == {"1"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("gender=female", True),
        ("gender=http://hl7.org/fhir/administrative-gender|female", True),
        ("gender=http://x|female", False),
        ("gender=|female", True),
        ("gender:not=male", True),
        ("gender:not=male,female", False),
        ("active=true", True),
        ("active=false", False),
        ("identifier=77", True),
        ("identifier=urn:mrn|77", True),
        ("identifier=urn:mrn|", True),
        ("identifier=|77", False),
        ("identifier=|88", True),
        ("identifier=urn:mrn|88", False),
        ("identifier:of-type=http://t|MR|77", True),
        ("identifier:of-type=http://t|MR|88", False),
        ("identifier:text=record", True),
        ("phone=555-1", True),
        ("phone=e@x.org", False),
        ("email=e@x.org", True),
        ("telecom=e@x.org", True),
        ("deceased=false", True),
        ("deceased=true", False),
        ("gender:missing=false", True),
        ("language:missing=true", True),
        ("_id=1", True),
        ("_id=2,1", True),
        ("_id:not=1", False),
        ("gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", True),
        ("gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender", False),
    ],
)
def test_tokens_match_system_and_code(query: str, found: bool) -> None:
    assert search(f"Patient?{query}", EVE) == ({"1"} if found else set())


CODED: JsonObject = observation(
    code=concept("http://loinc.org|1-2|Heart rate", "|local", text="Pulse of the heart"),
    category=[concept("http://c|vital-signs"), concept(text="only text")],
    meta={
        "tag": [{"system": "http://t", "code": "x"}],
        "security": [{"system": "http://s", "code": "R"}],
        "profile": ["http://p/StructureDefinition/a|1.0"],
        "source": "http://from/here#1",
    },
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("code=1-2", True),
        ("code=|local", True),
        ("code=|1-2", False),
        ("code=http://loinc.org|local", False),
        ("code:text=heart", True),
        ("code:text=pulse", True),
        ("code:text=rate", False),
        ("code:not=1-2", False),
        ("code:not=3", True),
        ("category=vital-signs", True),
        ("category:text=only", True),
        ("category:missing=false", True),
        ("status:not=final", True),
        ("status:missing=true", True),
        ("_tag=http://t|x", True),
        ("_security=R", True),
        ("_profile=http://p/StructureDefinition/a", True),
        ("_profile=http://p/StructureDefinition/a|1.0", True),
        ("_profile=http://p/StructureDefinition/a|2.0", False),
        ("_profile:below=http://p/StructureDefinition", True),
        ("_profile:below=http://p/Struct", False),
        ("_profile:above=http://p/StructureDefinition/a/b/c", True),
        ("_source=http://from/here#1", True),
        ("_source=http://from/here", False),
        ("combo-code=1-2&code=local", True),
    ],
)
def test_concepts_match_by_coding_and_by_text(query: str, found: bool) -> None:
    assert search(f"Observation?{query}", CODED) == ({"1"} if found else set())


def test_a_concept_of_text_only_is_not_missing() -> None:
    assert search("Observation?code:missing=false", observation(code={"text": "words"})) == {"1"}


@pytest.mark.parametrize(
    ("deceased", "true", "false"),
    [
        ({}, False, True),
        ({"deceasedBoolean": False}, False, True),
        ({"deceasedBoolean": True}, True, False),
        ({"deceasedDateTime": "2020"}, True, False),
    ],
)
def test_whether_somebody_died_is_known_of_everybody(deceased: Json, true: bool, false: bool) -> None:
    someone = patient(**deceased)
    assert bool(search("Patient?deceased=true", someone)) is true
    assert bool(search("Patient?deceased=false", someone)) is false


def test_race_and_ethnicity_of_us_core_are_found() -> None:
    url = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
    coding = {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3"}
    someone = patient(
        extension=[{"url": url, "extension": [{"url": "ombCategory", "valueCoding": coding}, {"url": "text", "valueString": "x"}]}]
    )
    assert search("Patient?race=2106-3", someone) == {"1"}
    assert search("Patient?race=urn:oid:2.16.840.1.113883.6.238|2106-3", someone) == {"1"}
    assert search("Patient?ethnicity=2106-3", someone) == set()


def aimed(**elements: Json) -> JsonObject:
    return observation(subject={"reference": "Patient/p"}, performer=[{"reference": "Organization/o"}], **elements)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("patient=p", True),
        ("patient=Patient/p", True),
        (f"patient={BASE}/Patient/p", True),
        ("patient=Patient/p/_history/2", True),
        ("patient=q", False),
        ("patient=Group/p", False),
        ("patient:Patient=p", True),
        ("patient:missing=false", True),
        ("subject=p", True),
        ("subject=Patient/p", True),
        ("subject:Patient=p", True),
        ("subject:Group=p", False),
        ("subject=Group/p", False),
        ("performer=o", True),
        ("performer=Organization/o", True),
        ("performer:Practitioner=o", False),
        ("performer:Organization=o", True),
        ("encounter:missing=true", True),
        ("performer=http://elsewhere/fhir/Organization/o", False),
        ("patient=p,q", True),
    ],
)
def test_references_match_by_id_type_and_url(query: str, found: bool) -> None:
    assert search(f"Observation?{query}", aimed()) == ({"1"} if found else set())


def test_references_to_elsewhere_match_by_their_url_and_by_identifier() -> None:
    away = observation(
        subject={"reference": "http://elsewhere/fhir/Patient/p"}, performer=[{"identifier": {"system": "urn:npi", "value": "9"}}]
    )
    assert search("Observation?subject=http://elsewhere/fhir/Patient/p", away) == {"1"}
    assert search("Observation?subject=p", away) == set()
    assert search("Observation?performer:identifier=urn:npi|9", away) == {"1"}
    assert search("Observation?performer:identifier=urn:npi|8", away) == set()
    assert search("Observation?performer:missing=false", away) == {"1"}


def test_a_versioned_or_absolute_reference_to_this_server_is_local() -> None:
    there = observation(performer=[{"reference": f"{BASE}/Organization/o/_history/3"}])
    assert search("Observation?performer=Organization/o", there) == {"1"}


def test_a_canonical_matches_with_and_without_its_version() -> None:
    answered = {"resourceType": "QuestionnaireResponse", "id": "1", "questionnaire": "http://q/Questionnaire/a|2"}
    assert search("QuestionnaireResponse?questionnaire=http://q/Questionnaire/a", answered) == {"1"}
    assert search("QuestionnaireResponse?questionnaire=http://q/Questionnaire/a|2", answered) == {"1"}
    assert search("QuestionnaireResponse?questionnaire=http://q/Questionnaire/a|1", answered) == set()


def test_uris_match_exactly_unless_a_path_is_asked_for() -> None:
    value_set = {"resourceType": "ValueSet", "id": "1", "url": "http://acme.org/fhir/ValueSet/123"}
    for asked, found in {
        "url=http://acme.org/fhir/ValueSet/123": True,
        "url=http://acme.org/fhir": False,
        "url:below=http://acme.org/fhir/": True,
        "url:below=http://acme.org/fhir": True,
        "url:below=http://acme.org/fh": False,
        "url:above=http://acme.org/fhir/ValueSet/123/_history/5": True,
        "url:above=http://acme.org/fhir/ValueSet/1234": False,
        "url=urn:oid:1.2": False,
    }.items():
        assert search(f"ValueSet?{asked}", value_set) == ({"1"} if found else set()), asked


def document(text: str, kind: str = "text/plain") -> JsonObject:
    return {"contentType": kind, "data": b64encode(text.encode()).decode()}


def test_the_words_of_a_note_are_found() -> None:
    note = {
        "resourceType": "DocumentReference",
        "id": "1",
        "description": "Weekly session",
        "subject": {"reference": "Patient/p"},
        "content": [{"attachment": document("She felt Hopeful about café work.")}],
        "text": {"status": "generated", "div": "<div>Narrated <b>story</b></div>"},
    }
    for query, found in {
        "_content=hopeful": True,
        "_content=cafe work": True,
        "_content=weekly": True,
        "_content=hope": False,
        "_content=sad": False,
        "_content=sad,hopeful": True,
        "_text=narrated": True,
        "_content=story": True,
        "_text=hopeful": False,
        "_content=b": False,
    }.items():
        assert search(f"DocumentReference?{query}", note) == ({"1"} if found else set()), query


def test_the_words_of_a_notes_binary_are_the_notes() -> None:
    note = {"resourceType": "DocumentReference", "id": "1", "description": "Weekly session"}
    binary = {"resourceType": "Binary", "id": "b", "securityContext": {"reference": "DocumentReference/1"}}
    for kind in ("text/plain", "text/markdown; charset=utf-8", "text/html"):
        assert search("DocumentReference?_content=hopeful weekly", note, binary | document("<p>hopeful</p>", kind)) == {"1"}
    assert search("DocumentReference?_content=hopeful", note, binary | document("hopeful", "application/pdf")) == set()


def test_markup_and_scripts_are_no_words() -> None:
    assert words(without_markup("<style>a{}</style><p class='x'>Tom &amp; Ann</p>")) == ["tom", "ann"]
    assert words(without_markup("a<SCRIPT>b</Script >c<b")) == ["a", "c"]
    assert words(without_markup("a<script>b<i>c</i>")) == ["a"]
    assert words(without_markup("İİ<style>b</style>c")) == ["ii", "c"]


def test_broken_markup_takes_no_longer_than_its_length() -> None:
    assert without_markup("<script" * 200_000) == ""
    assert without_markup("<" * 200_000) == ""


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("nmae=x", "'nmae' is not known for Patient. Did you mean 'name'?"),
        ("name=", "'name': a value is missing"),
        ("name=a,,b", "'name': a value between commas is empty"),
        ("name=%20", "'name': a text of white space"),
        ("name:text=x", "'name:text': the modifier ':text'"),
        ("gender:exact=x", "the modifier ':exact'"),
        ("birthdate:contains=1", "the modifier ':contains'"),
        ("name:missing=yes", "':missing' takes true or false"),
        ("identifier=a|b|c", "'identifier': 'a|b|c' is not a token"),
        ("identifier=|", "is not a token"),
        ("identifier:of-type=a|b", "is not system|code|value"),
        ("gender:in=http://unknown", "the value set 'http://unknown' is not known"),
        ("gender:below=male", "hierarchy"),
        ("general-practitioner:Patient=x", "does not point at 'Patient'"),
        ("general-practitioner:Practitioner=Organization/x", "is not a Practitioner"),
        ("_filter=a", "'_filter' is not supported"),
        ("_query=a", "'_query' is not supported"),
        ("_contained=true", "'_contained' is not supported"),
        ("_content=...", "there is no word"),
        ("_id:exact=1", "the modifier ':exact'"),
        ("name=" + "x" * 5000, "more than 4000 characters"),
        ("name=" + ",".join("x" * 501), "at most 500 values"),
        ("organization:above=Patient/1", "':above' needs a reference to one of: Organization"),
    ],
)
def test_what_is_wrong_is_refused_by_the_parameters_name(query: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        search(f"Patient?{query}")
    assert said in str(refused.value)
