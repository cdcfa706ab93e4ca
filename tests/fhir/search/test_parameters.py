"""The table of search parameters, and compartments."""

from importlib.resources import files
from zoneinfo import ZoneInfo

import msgspec
import pytest

from recovery_api.fhir.compartment import compartment_expression, members
from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.search.expression import NOTHING, Or, Own, Row
from recovery_api.fhir.search.expression import Test as RowTest
from recovery_api.fhir.search.extract import Extractor
from recovery_api.fhir.search.parameters import BadParameter, ParameterTable, compiled, shipped
from recovery_api.fhir.search.query import SearchContext
from tests.fhir.search.searching import BASE, CONTEXT, TABLE, observation, patient, search

LEFT_OUT = {
    "Bundle.composition",
    "Bundle.message",
    "Location.near",
    "MolecularSequence.chromosome-variant-coordinate",
    "MolecularSequence.chromosome-window-coordinate",
    "MolecularSequence.referenceseqid-variant-coordinate",
    "MolecularSequence.referenceseqid-window-coordinate",
    "Patient.age",
    "Patient.birthOrderBoolean",
    "Patient.part-agree",
}
"""R4's parameters without a usable expression for the type, of more than two components, or special."""


def test_every_parameter_of_r4_and_us_core_is_served_but_those_listed() -> None:
    assert set(compiled()["left out"]) == LEFT_OUT
    for type_, codes in compiled()["types"].items():
        assert set(codes) <= set(TABLE[type_])


@pytest.mark.parametrize(
    ("type_", "codes"),
    [
        ("Patient", {"race", "ethnicity", "gender-identity", "death-date", "family", "given", "birthdate"}),
        ("Condition", {"asserted-date", "recorded-date", "abatement-date", "onset-date", "clinical-status"}),
        ("Goal", {"description", "lifecycle-status", "target-date"}),
        ("CareTeam", {"role", "status", "participant"}),
        ("Encounter", {"discharge-disposition", "class", "location"}),
        ("Observation", {"_id", "_lastUpdated", "_tag", "_profile", "_security", "_source", "_text", "_content", "combo-code"}),
    ],
)
def test_what_us_core_searches_by_is_there(type_: str, codes: set[str]) -> None:
    assert codes <= {code for code, parameter in TABLE[type_].items() if not parameter.internal}


def test_no_two_parameters_share_a_number() -> None:
    TABLE.check()


def test_the_patient_of_a_resource_is_its_client_column() -> None:
    assert TABLE["Observation"]["patient"].column == "client"
    assert TABLE["Coverage"]["patient"].column == TABLE["Task"]["patient"].column == "client"
    assert TABLE["Observation"]["subject"].reads_client
    assert {TABLE[type_]["patient"].column for type_ in ("Provenance", "AuditEvent", "Appointment")} == {""}


def test_the_access_data_names_the_client_element() -> None:
    table = ParameterTable(("Coverage", "Observation", "Patient"), clients={"Coverage": "beneficiary"})
    assert table["Coverage"]["beneficiary"].column == table["Coverage"]["patient"].column == "client"
    assert table["Observation"]["patient"].column == ""


def test_a_type_that_is_not_served_has_no_parameters() -> None:
    table = ParameterTable(("Patient",))
    assert table.find("Observation", "code") is None
    with pytest.raises(KeyError):
        table["Observation"]


def test_internal_parameters_are_not_for_callers() -> None:
    assert TABLE.find("Binary", "security-context") is None
    assert TABLE.named("Binary.security-context").kind == "reference"


def definition(**elements: object) -> JsonObject:
    return {"resourceType": "SearchParameter", "url": "http://x/sp", "code": "mood", "type": "token", "base": ["Observation"], **elements}


def with_custom(*definitions: JsonObject) -> SearchContext:
    table = ParameterTable(("Observation", "Patient"), custom=definitions)
    return SearchContext(table, CONTEXT.terminology, BASE, ZoneInfo("UTC"), CONTEXT.clock)


def test_a_parameter_file_makes_a_search_parameter() -> None:
    context = with_custom(definition(expression="Observation.extension('http://x/mood').value"))
    moody = observation(extension=[{"url": "http://x/mood", "valueCode": "calm"}, {"url": "http://x/other", "valueCode": "loud"}])
    assert search("Observation?mood=calm", moody, context=context) == {"1"}
    assert search("Observation?mood=loud", moody, context=context) == set()


@pytest.mark.parametrize(
    ("expression", "kind", "asked"),
    [
        ("Observation.component.where(code.text = 'x' and value.exists()).value.first()", "quantity", "gt4"),
        ("Observation.component.exists()", "token", "true"),
        ("Observation.component.count()", "number", "2"),
    ],
)
def test_a_parameter_may_be_any_fhirpath(expression: str, kind: str, asked: str) -> None:
    context = with_custom(definition(expression=expression, type=kind))
    component = {"code": {"text": "x"}, "valueQuantity": {"value": 5}}
    assert search(f"Observation?mood={asked}", observation(component=[component, component]), context=context) == {"1"}
    assert search(f"Observation?mood={asked}", observation(), context=context) == set()


def test_what_an_expression_cannot_say_of_a_resource_is_missing() -> None:
    context = with_custom(definition(expression="Observation.component.single().code"))
    coded = {"code": {"coding": [{"code": "x"}]}}
    assert search("Observation?mood=x", observation(component=[coded]), context=context) == {"1"}
    assert search("Observation?mood:missing=true", observation(component=[coded, coded]), context=context) == {"1"}


def test_a_composite_parameter_may_be_made_of_known_ones() -> None:
    parts = [
        {"definition": "http://hl7.org/fhir/SearchParameter/clinical-code", "expression": "code"},
        {"definition": "http://hl7.org/fhir/SearchParameter/clinical-date", "expression": "effective"},
    ]
    context = with_custom(definition(code="code-date", type="composite", expression="Observation", component=parts))
    seen = observation(code={"coding": [{"code": "a"}]}, effectiveDateTime="2020-01-02")
    assert search("Observation?code-date=a$ge2020", seen, context=context) == {"1"}
    assert search("Observation?code-date=b$ge2020", seen, context=context) == set()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (definition(expression="Observation.nothing"), "reads nothing"),
        (definition(expression="Observation.code.("), "does not compile"),
        (definition(expression="Observation.code.nothing()"), "does not compile"),
        (definition(expression="Observation.code.first()", type="date"), "reads nothing"),
        (definition(expression="Observation.code", type="special"), "special"),
        (definition(expression="Encounter.status", base=["Encounter"]), "is for Encounter, which is not served"),
        (definition(expression="Observation.effective", type="number"), "reads nothing"),
    ],
)
def test_a_parameter_that_does_not_compile_stops_the_start(wrong: JsonObject, said: str) -> None:
    with pytest.raises(BadParameter) as refused:
        with_custom(wrong)
    assert said in str(refused.value)


def test_the_products_own_parameter_files_compile_for_the_served_types() -> None:
    statement = msgspec.json.decode(files("recovery_api").joinpath("definitions/CapabilityStatement-recovery-api.json").read_bytes())
    served = [entry["type"] for entry in statement["rest"][0]["resource"]]
    table = ParameterTable(served, custom=shipped())
    assert {parameter.code for parameter in table["Patient"].values()} >= {"name", "race"}


def test_the_patient_compartment_follows_r4s_definition() -> None:
    found = compartment_expression("Patient", "p", "Observation", TABLE)
    tests = (RowTest("system", "=", "Patient"), RowTest("value", "=", "p"))
    assert found == Or((Own("client", "=", "p"), Row("Observation.performer", tests)))
    assert compartment_expression("Patient", "p", "Organization", TABLE) == NOTHING
    assert compartment_expression("Patient", "p", "Patient", TABLE) == Or((Own("id", "=", "p"), Row("Patient.link", tests)))
    assert "Observation" in members("Patient", TABLE)
    assert "Organization" not in members("Patient", TABLE)


def test_what_is_no_compartment_is_not_found() -> None:
    with pytest.raises(NotFound, match="no compartment of type Group"):
        compartment_expression("Group", "g", "Observation", TABLE)


def test_rows_are_distinct_and_carry_no_row_for_a_patient_in_the_client_column() -> None:
    twice = {"system": "http://c", "code": "a"}
    extract = Extractor(TABLE, BASE, ZoneInfo("UTC"))
    rows = extract(observation(code={"coding": [twice, twice]}, subject={"reference": "Patient/p"}))
    assert len(rows) == len(set(rows))
    number = TABLE["Observation"]["patient"].number
    assert [row for row in rows if row.param == number] == []
    assert [
        row.value for row in extract(observation(subject={"reference": "http://far/Patient/p", "type": "Patient"})) if row.param == number
    ] == ["http://far/Patient/p"]
    assert extract(patient())
