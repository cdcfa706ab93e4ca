"""Queries as a whole: result parameters, lenient handling, system search: https://hl7.org/fhir/R4/search.html#return."""

import pytest

from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.search.expression import EVERYTHING, And, Has, Or, Own, Row
from recovery_api.fhir.search.expression import Test as RowTest
from recovery_api.fhir.search.parse import MOST_PARAMETERS, condition, parse
from recovery_api.fhir.search.query import Include, Query
from tests.fhir.search.searching import CONTEXT, pairs


def parsed(query: str, *, lenient: bool = False) -> Query:
    type_, _, rest = query.partition("?")
    return parse(type_ or None, pairs(rest), CONTEXT, lenient=lenient)


def test_a_search_by_patient_code_and_date_is_lowered_to_the_client_column_and_rows() -> None:
    where = parsed("Observation?patient=Patient/1&code=http://loinc.org|1-2&date=2020").where
    assert where == And(
        (
            Own("client", "=", "1"),
            Row("Observation.code", (RowTest("system", "=", "http://loinc.org"), RowTest("value", "=", "1-2"))),
            Row("Observation.date", (RowTest("low", ">=", 1577836800.0), RowTest("high", "<=", 1609459200.0))),
        )
    )
    assert parsed("Observation?subject=Patient/1").where == Own("client", "=", "1")


def test_a_parameter_that_unites_others_is_lowered_to_theirs() -> None:
    tests = (RowTest("value", "=", "1"),)
    assert parsed("Observation?combo-code=1").where == Or((Row("Observation.code", tests), Row("Observation.component-code", tests)))


def test_chains_keep_the_parameters_own_name() -> None:
    assert parsed("Patient?_has:Observation:patient:code=1").where == Has(
        "Observation", "Observation.patient", Row("Observation.code", (RowTest("value", "=", "1"),))
    )


def test_nothing_asked_is_everything() -> None:
    query = parsed("Patient?")
    assert (query.where, query.count, query.total, query.summary, query.applied) == (EVERYTHING, 20, None, "false", ())


@pytest.mark.parametrize(
    ("written", "count", "said"), [("5", 5, "5"), ("1000", 1000, "1000"), ("5000", 1000, "1000"), ("0", 0, "0"), ("007", 7, "7")]
)
def test_a_count_is_lowered_and_the_self_link_says_so(written: str, count: int, said: str) -> None:
    query = parsed(f"Patient?_count={written}")
    assert query.count == count
    assert query.applied == (("_count", said),)


def test_a_count_of_zero_is_a_summary_of_the_count() -> None:
    assert parsed("Patient?_count=0").summary == "count"


def test_result_parameters_are_read() -> None:
    query = parsed("Patient?_total=accurate&_summary=data&_sort=-birthdate,family,_id,-_lastUpdated")
    assert (query.total, query.summary) == ("accurate", "data")
    assert [(key.parameter.name, key.descending) for key in query.sort] == [
        ("Patient.birthdate", True),
        ("Patient.family", False),
        ("Patient._id", False),
        ("Patient._lastUpdated", True),
    ]
    assert parsed("Observation?_elements=id,status,value").elements == ("id", "status", "value")


def test_includes_name_parameter_targets_and_direction() -> None:
    query = parsed(
        "MedicationRequest?_include=MedicationRequest:medication&_include:iterate=Medication:manufacturer&_revinclude=Provenance:target"
        "&_include=MedicationRequest:subject:Patient"
    )
    assert query.includes == (
        Include("MedicationRequest.medication"),
        Include("Medication.manufacturer", iterate=True),
        Include("Provenance.target", reverse=True),
        Include("MedicationRequest.subject", ("Patient",)),
    )


def test_wildcards_stand_for_every_reference() -> None:
    assert {include.param for include in parsed("AllergyIntolerance?_include=*").includes} == {
        f"AllergyIntolerance.{code}" for code in ("asserter", "patient", "recorder")
    }
    assert parsed("AllergyIntolerance?_include=AllergyIntolerance:*").includes == parsed("AllergyIntolerance?_include=*").includes
    every = parsed("Patient?_revinclude=*").includes
    assert Include("Observation.subject", reverse=True) in every
    assert Include("Provenance.target", reverse=True) in every
    assert all(include.param != "Patient.organization" for include in every)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("_count=-1", "'_count': '-1' is not a number"),
        ("_count=x", "'_count'"),
        ("_count=", "'_count'"),
        ("_count=1&_count=2", "'_count': it stands twice"),
        ("_total=all", "'_total': 'all' is not one of none, estimate, accurate"),
        ("_summary=yes", "'_summary'"),
        ("_elements=nothing", "'_elements'"),
        ("_elements=", "'_elements'"),
        ("_sort=nothing", "'_sort': 'nothing'"),
        ("_sort=", "'_sort'"),
        ("_sort=code-value-concept", "'_sort'"),
        ("_sort=_content", "'_sort'"),
        ("_sort=combo-code", "'_sort'"),
        ("_sort=_score", "'_sort'"),
        ("_include=subject", "'_include'"),
        ("_include=Observation:code", "'_include': 'code' of Observation is not a reference"),
        ("_include=Nothing:x", "'Nothing' is not a type"),
        ("_include=Observation:nothing", "names 'nothing'"),
        ("_include=Observation:subject:Practitioner", "does not point at 'Practitioner'"),
        ("_include:recurse=*", "':recurse'"),
        ("_revinclude=Encounter:subject", "does not point at Observation"),
        ("_summary=true&_elements=id", "can't be combined"),
        ("_count:exact=1", "':exact'"),
        ("_type=Patient", "'_type' is not known"),
    ],
)
def test_bad_result_parameters_are_refused_by_name(query: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parsed(f"Observation?{query}")
    assert said in str(refused.value)


def test_lenient_handling_leaves_out_unknown_parameters_and_records_them() -> None:
    query = parsed("Patient?nmae=x&gender=male&subject.name=y&_include=Patient:nothing&_filter=z", lenient=True)
    assert query.ignored == (("nmae", "x"), ("subject.name", "y"), ("_include", "Patient:nothing"), ("_filter", "z"))
    assert query.applied == (("gender", "male"),)


@pytest.mark.parametrize("wrong", ["name:foo=x", "birthdate=x", "_count=x", "name=", "_sort=nothing"])
def test_lenient_handling_refuses_all_else_that_is_wrong(wrong: str) -> None:
    with pytest.raises(BadRequest):
        parsed(f"Patient?{wrong}", lenient=True)


def test_a_system_search_is_over_the_types_that_it_names() -> None:
    query = parsed("?_type=Patient,Observation&_tag=a")
    tests = (RowTest("value", "=", "a"),)
    assert query.types == ("Patient", "Observation")
    assert query.where == Or(
        (
            And((Own("type", "=", "Patient"), Row("Patient._tag", tests))),
            And((Own("type", "=", "Observation"), Row("Observation._tag", tests))),
        )
    )
    assert query.applied == (("_type", "Patient,Observation"), ("_tag", "a"))


def test_a_system_search_by_columns_needs_no_types() -> None:
    query = parsed("?_lastUpdated=gt2020&_sort=-_lastUpdated")
    assert query.where == Own("last_updated", ">=", 1609459200000000)
    assert query.types == CONTEXT.table.types


@pytest.mark.parametrize(
    "query", ["?_type=Nothing", "?_type=Patient&_type=Observation", "?_type=Patient,Observation&gender=male", "?_sort=date"]
)
def test_a_system_search_takes_what_all_its_types_have(query: str) -> None:
    with pytest.raises(BadRequest):
        parsed(query)


def test_a_search_has_a_bounded_number_of_parameters() -> None:
    with pytest.raises(BadRequest, match="at most 100 parameters"):
        parse("Patient", [("name", "x")] * (MOST_PARAMETERS + 1), CONTEXT)


def test_a_scopes_condition_is_lowered_the_same_way() -> None:
    assert (
        condition("Observation", [("category", "http://c|laboratory")], CONTEXT) == parsed("Observation?category=http://c|laboratory").where
    )
    with pytest.raises(BadRequest):
        condition("Observation", [("_count", "5")], CONTEXT)
