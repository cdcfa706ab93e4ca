"""FHIRPath means what http://hl7.org/fhirpath/N1/ and https://hl7.org/fhir/R4/fhirpath.html say."""
from decimal import Decimal
from importlib.resources import files

import pytest

from recovery_api.fhir import fhirpath
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.fhirpath import Env, FhirPathError, Node, Scope, compile_condition
from recovery_api.fhir.fhirpath.parse import parse_text
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json import parse as parse_json

PATIENT: JsonObject = {
    "resourceType": "Patient",
    "id": "p",
    "active": True,
    "name": [
        {
            "use": "official",
            "given": ["Ana", "Lu"],
            "_given": [None, {"extension": [{"url": "http://x", "valueString": "e"}]}],
            "family": "Sol",
        },
        {"use": "nickname", "given": ["An"]},
    ],
    "birthDate": "1980-05-02",
    "_birthDate": {"extension": [{"url": "http://time", "valueDateTime": "1980-05-02T10:00:00Z"}]},
    "_gender": {"extension": [{"url": "http://absent", "valueCode": "unknown"}]},
    "multipleBirthInteger": 2,
    "generalPractitioner": [
        {"reference": "Practitioner/1"},
        {"reference": "#in"},
        {"reference": "urn:uuid:5", "type": "Organization"},
        {"reference": "https://other/fhir/PractitionerRole/7/_history/2"},
    ],
    "contained": [{"resourceType": "Practitioner", "id": "in", "name": [{"family": "Within"}]}],
    "extension": [{"url": "http://score", "valueDecimal": Decimal("1.50")}],
}


def values(expression: str, env: Env | None = None) -> list[Json]:
    return [node.value for node in fhirpath.compile(expression, "Patient")(PATIENT, env or Env())]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Patient.name.given", ["Ana", "Lu", "An"]),
        ("name.where(use = 'official').given.first()", ["Ana"]),
        ("name[1].given", ["An"]),
        ("name[7].given", []),
        ("name.given.count()", [3]),
        ("name.given.tail() | name.given.skip(1).take(1)", ["Lu", "An"]),
        ("name.select(given.first() & ' ' & family)", ["Ana Sol", "An "]),
        ("name.all(given.exists())", [True]),
        ("name.exists(use = 'old')", [False]),
        ("Practitioner.name", []),
        ("Resource.id", ["p"]),
        ("gender", []),
        ("gender.exists()", [True]),
        ("gender.hasValue()", [False]),
        ("gender.extension('http://absent').value", ["unknown"]),
        ("birthDate.extension.value", ["1980-05-02T10:00:00Z"]),
        ("name.given.extension.value", ["e"]),
        ("multipleBirth", [2]),
        ("multipleBirth is integer", [True]),
        ("multipleBirth.ofType(boolean)", []),
        ("multipleBirth as integer + 1", [3]),
        ("extension('http://score').value * 2", [Decimal("3.00")]),
        ("7 div 2 + 7 mod 2", [4]),
        ("-7 div 2", [-3]),
        ("1 / 0", []),
        ("'a' + 'b'", ["ab"]),
        ("{} = 1", []),
        ("1 = 1.0", [True]),
        ("(1 | 2) != (1 | 3)", [True]),
        ("'ABC' ~ 'abc'", [True]),
        ("1 in (1 | 2)", [True]),
        ("(1 | 2) contains 3", [False]),
        ("true and {}", []),
        ("false and {}", [False]),
        ("true xor true", [False]),
        ("{} implies true", [True]),
        ("birthDate < @1980-05-03", [True]),
        ("birthDate < @1980-06", [True]),
        ("birthDate < @1980-05", []),
        ("birthDate = @1980-05-02", [True]),
        ("@2020-01-01T10:00:00Z = @2020-01-01T11:00:00+01:00", [True]),
        ("@2020-01-01T10:00:00Z < @2020-01-01T10:30:00+01:00", [False]),
        ("@2020-01-31 + 1 month", ["2020-02-29"]),
        ("@2020-01-01T00:00:00Z - 1 second", ["2019-12-31T23:59:59Z"]),
        ("@T10:00 < @T10:30", [True]),
        ("today() - 7 days", ["2024-05-03"]),
        ("now()", ["2024-05-10T12:00:00Z"]),
        ("4 'mg' < 5 'mg'", [True]),
        ("4 'mg' < 5 'g'", []),
        ("'2024'.toInteger() + 1", [2025]),
        ("'x'.toInteger()", []),
        ("'1.5'.toDecimal()", [Decimal("1.5")]),
        ("'yes'.toBoolean()", [True]),
        ("1.convertsToBoolean()", [True]),
        ("'abc'.substring(1)", ["bc"]),
        ("'abc'.substring(1, 1).upper()", ["B"]),
        ("'abc'.substring(3)", []),
        ("'a,b'.split(',').join('-')", ["a-b"]),
        ("'abcb'.indexOf('b')", [1]),
        ("'abc'.matches('^a.c$')", [True]),
        ("'abc'.replaceMatches('b', 'x')", ["axc"]),
        ("'it\\'s \\u0041'", ["it's A"]),
        ("(1.55).round(1)", [Decimal("1.6")]),
        ("4.power(2) + 2.5.floor()", [18]),
        ("(1 | 2 | 3).aggregate($this + $total, 0)", [6]),
        ("name.given.where($index > 0)", ["Lu", "An"]),
        ("iif(active, 'yes', 'no')", ["yes"]),
        ("name.given.isDistinct()", [True]),
        ("name.given.intersect('Ana' | 'Zoe')", ["Ana"]),
        ("name.given.exclude('Ana')", ["Lu", "An"]),
        ("('Ana' | 'An').subsetOf(name.given)", [True]),
        ("name.repeat(given).count()", [3]),
        ("name[1].children().count()", [2]),
        ("descendants().where($this is HumanName).count()", [3]),
        ("contained.name.family", ["Within"]),
        ("contained.first() is Practitioner", [True]),
        ("generalPractitioner.where(resolve() is Practitioner).reference", ["Practitioner/1", "#in"]),
        ("generalPractitioner.where(resolve() is Organization).reference", ["urn:uuid:5"]),
        ("generalPractitioner.where(resolve() is PractitionerRole).count()", [1]),
        ("generalPractitioner.resolve().name.family", ["Within"]),
        ("name.family.trace('seen').length()", [3]),
        ("%resource.id & %context.id & %`who`", ["ppme"]),
        ("%ucum", ["http://unitsofmeasure.org"]),
        ("conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')", [True]),
        ("gender.memberOf('http://vs')", [True]),
    ],
)
def test_an_expression_gives(expression: str, expected: list[Json]) -> None:
    env = Env(
        variables={"who": "me"},
        now="2024-05-10T12:00:00Z",
        member_of=lambda node, url: node.type == "code" and url == "http://vs",
    )
    assert values(expression, env) == expected


@pytest.mark.parametrize(
    ("expression", "type_", "resource", "expected"),
    [
        ("Observation.value", "Observation", {"valueQuantity": {"value": 1}}, [Node("Quantity", {"value": 1})]),
        ("Observation.effective", "Observation", {"effectiveDateTime": "2024"}, [Node("dateTime", "2024")]),
        ("(Observation.value as Quantity).code", "Observation", {"valueQuantity": {"code": "mg"}}, [Node("code", "mg")]),
        ("component.value as string", "Observation", {"component": [{"valueString": "x"}, {"valueInteger": 1}]}, [Node("string", "x")]),
        ("entry.resource", "Bundle", {"entry": [{"resource": {"resourceType": "Task"}}]}, [Node("Task", {"resourceType": "Task"})]),
        ("value.value", "Extension", {"valueQuantity": {"value": 3}}, [Node("decimal", 3)]),
        ("low", "Observation.referenceRange", {"low": {"value": 3}}, [Node("Quantity", {"value": 3})]),
        ("id", "Resource", {"resourceType": "Task", "id": "t"}, [Node("id", "t")]),
    ],
)
def test_a_node_knows_its_type(expression: str, type_: str, resource: JsonObject, expected: list[Node]) -> None:
    assert fhirpath.compile(expression, type_)(resource) == expected


def test_types_are_told_before_anything_is_run() -> None:
    assert fhirpath.compile("Observation.value as Quantity", "Observation").types == {"Quantity"}
    assert fhirpath.compile("Observation.subject.reference | Observation.code.coding", "Observation").types == {"string", "Coding"}
    assert fhirpath.compile("Bundle.entry.resource", "Bundle").types is None


def test_a_resolver_finds_what_references_point_to() -> None:
    def resolve(reference: str) -> JsonObject | None:
        return {"resourceType": "Practitioner", "name": [{"family": reference}]} if "/1" in reference else None

    env = Env(resolve=resolve)
    assert values("generalPractitioner.resolve().name.family", env) == ["Practitioner/1", "Within"]


@pytest.mark.parametrize(
    "expression",
    [
        "name.", "name..given", "name given", "'open", "nonsense()", "name.where()", "name.nosuch", "active is Nothing", "4 lightyears",
        "exists(1, 2)",
    ],
)
def test_what_is_not_fhirpath_is_refused_when_compiled(expression: str) -> None:
    with pytest.raises(FhirPathError):
        fhirpath.compile(expression, "Patient")


@pytest.mark.parametrize("expression", ["name.given + 1", "name.given.single()", "%unknown", "active < 3", "now()", "'a'.matches('(')"])
def test_what_does_not_fit_the_data_is_refused_when_run(expression: str) -> None:
    with pytest.raises(FhirPathError):
        values(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "name.exists()",
        "gender.empty()",
        "multipleBirth.exists() and name.empty().not()",
        "address.exists() implies active",
        "active xor name.exists()",
        "deceased.empty() or birthDate > @2000",
        "name.given.count() > 2",
        "id = 'q' or gender.empty()",
    ],
)
def test_a_condition_means_what_the_expression_means(expression: str) -> None:
    node = Node("Patient", PATIENT)
    answer = compile_condition(expression, "Patient")(Scope(Env(), node), [node])
    assert ([] if answer is None else [answer]) == values(expression)


def test_the_trees_that_the_package_carries_are_those_of_all_invariants_and_what_the_parser_gives() -> None:
    facts = definitions()
    rules = [rule for name in facts.type_names for rule in facts.type(name).invariants if rule.severity == "error"]
    carried = parse_json((files("recovery_api.definitions") / "compiled" / "fhirpath.json").read_bytes())
    assert {rule.expression for rule in rules} <= carried.keys()
    assert {expression: parse_text(expression) for expression in carried} == carried
