"""JSON Patch and FHIRPath Patch change what they say, and nothing else (https://hl7.org/fhir/R4/http.html#patch)."""
from copy import deepcopy
from decimal import Decimal

import pytest

from recovery_api.fhir.errors import BadRequest, FhirError, TooLarge, Unprocessable
from recovery_api.fhir.json import Json, JsonObject, dump, parse
from recovery_api.fhir.patch import apply_fhirpath_patch, apply_json_patch

PATIENT: JsonObject = {
    "resourceType": "Patient",
    "id": "p",
    "name": [{"family": "Sol", "given": ["Ana", "Lu"], "_given": [None, {"id": "g"}]}, {"use": "nickname"}],
    "birthDate": "1980-05-02",
    "deceasedBoolean": False,
    "extension": [{"url": "http://score", "valueDecimal": Decimal("1.50")}],
}


def patient(**changes: Json) -> JsonObject:
    """The patient with some members changed, or (None) left out."""
    return {name: value for name, value in (PATIENT | changes).items() if value is not None}


_VALUES = {int: "valueInteger", str: "valueString"}


def operation(kind: str, path: str | None = None, **parts: Json) -> JsonObject:
    """One FHIRPath Patch operation: texts and integers as such, other parts as the members of the part."""
    given: dict[str, JsonObject] = {"type": {"valueCode": kind}} | ({"path": {"valueString": path}} if path else {})
    for name, value in parts.items():
        given[name] = value if isinstance(value, dict) else {_VALUES[type(value)]: value}
    return {"name": "operation", "part": [{"name": name, **value} for name, value in given.items()]}


def patch(*operations: JsonObject) -> JsonObject:
    return {"resourceType": "Parameters", "parameter": list(operations)}


SOL: JsonObject = PATIENT["name"][0]
NICK: JsonObject = PATIENT["name"][1]
SCORE: JsonObject = PATIENT["extension"][0]
NOTE: JsonObject = {"url": "http://note", "valueString": "n"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (operation("add", "Patient", name="gender", value={"valueCode": "female"}), patient(gender="female")),
        (operation("add", "Patient", name="name", value={"valueHumanName": {"text": "A"}}), patient(name=[SOL, NICK, {"text": "A"}])),
        (operation("add", "Patient", name="telecom", value={"valueContactPoint": {"rank": 1}}), patient(telecom=[{"rank": 1}])),
        (operation("add", "Patient", name="multipleBirth", value={"valueInteger": 2}), patient(multipleBirthInteger=2)),
        (operation("add", "Patient", name="multipleBirthBoolean", value={"valueBoolean": True}), patient(multipleBirthBoolean=True)),
        (operation("add", "Patient", name="extension", value={"valueExtension": NOTE}), patient(extension=[SCORE, NOTE])),
        (
            operation("add", "Patient.birthDate", name="extension", value={"valueExtension": NOTE}),
            patient(_birthDate={"extension": [NOTE]}),
        ),
        (
            operation("add", "Patient.name[0].given[0]", name="extension", value={"valueExtension": NOTE}),
            patient(name=[SOL | {"_given": [{"extension": [NOTE]}, {"id": "g"}]}, NICK]),
        ),
        (
            operation("add", "Patient.name.where(use = 'nickname')", name="given", value={"valueString": "An"}),
            patient(name=[SOL, NICK | {"given": ["An"]}]),
        ),
        (
            operation("add", "Patient", name="contact", value={"part": [
                {"name": "name", "valueHumanName": {"text": "Eva"}},
                {"name": "telecom", "valueContactPoint": {"rank": 1}},
                {"name": "telecom", "part": [{"name": "value", "valueString": "1"}, {"name": "system", "valueCode": "sms"}]},
            ]}),
            patient(contact=[{"name": {"text": "Eva"}, "telecom": [{"rank": 1}, {"value": "1", "system": "sms"}]}]),
        ),
        (
            operation("add", "Patient", name="extension", value={"part": [
                {"name": "url", "valueUri": "http://t"},
                {"name": "value", "valueDate": "2024"},
            ]}),
            patient(extension=[SCORE, {"url": "http://t", "valueDate": "2024"}]),
        ),
        (
            operation("add", "Patient", name="contained", value={"resource": {"resourceType": "Organization", "id": "o"}}),
            patient(contained=[{"resourceType": "Organization", "id": "o"}]),
        ),
        (
            operation("insert", "Patient.name[0].given", index=1, value={"valueString": "Bea"}),
            patient(name=[SOL | {"given": ["Ana", "Bea", "Lu"], "_given": [None, None, {"id": "g"}]}, NICK]),
        ),
        (operation("insert", "Patient.name", index=2, value={"valueHumanName": {"text": "A"}}), patient(name=[SOL, NICK, {"text": "A"}])),
        (operation("insert", "Patient.telecom", index=0, value={"valueContactPoint": {"rank": 1}}), patient(telecom=[{"rank": 1}])),
        (operation("delete", "Patient.birthDate"), patient(birthDate=None)),
        (operation("delete", "Patient.deceased"), patient(deceasedBoolean=None)),
        (operation("delete", "Patient.gender"), patient()),
        (operation("delete", "Patient.name[0].given[0]"), patient(name=[SOL | {"given": ["Lu"], "_given": [{"id": "g"}]}, NICK])),
        (operation("delete", "Patient.name[1].use"), patient(name=[SOL])),
        (operation("delete", "Patient.extension.where(url = 'http://score')"), patient(extension=None)),
        (operation("delete", "Patient.extension('http://score')"), patient(extension=None)),
        (operation("replace", "Patient.birthDate", value={"valueDate": "1981"}), patient(birthDate="1981")),
        (operation("replace", "Patient.birthDate", value={"_valueDate": {"id": "b"}}), patient(birthDate=None, _birthDate={"id": "b"})),
        (operation("replace", "Patient.deceased", value={"valueDateTime": "2024"}), patient(deceasedBoolean=None, deceasedDateTime="2024")),
        (operation("replace", "Patient.deceased as boolean", value={"valueBoolean": True}), patient(deceasedBoolean=True)),
        (operation("replace", "Patient.name[1]", value={"valueHumanName": {"text": "A"}}), patient(name=[SOL, {"text": "A"}])),
        (
            operation("replace", "Patient.extension.where(url = 'http://score').value", value={"valueDecimal": Decimal("2.00")}),
            patient(extension=[{"url": "http://score", "valueDecimal": Decimal("2.00")}]),
        ),
        (operation("move", "Patient.name", source=1, destination=0), patient(name=[NICK, SOL])),
        (
            operation("move", "Patient.name[0].given", source=0, destination=1),
            patient(name=[SOL | {"given": ["Lu", "Ana"], "_given": [{"id": "g"}, None]}, NICK]),
        ),
    ],
)
def test_a_fhirpath_patch_gives(change: JsonObject, expected: JsonObject) -> None:
    before = deepcopy(PATIENT)
    assert apply_fhirpath_patch(PATIENT, patch(change)) == expected
    assert before == PATIENT


def test_the_operations_of_a_fhirpath_patch_see_those_before_them() -> None:
    changed = apply_fhirpath_patch(
        PATIENT,
        patch(
            operation("add", "Patient", name="contact", value={"part": [{"name": "gender", "valueCode": "male"}]}),
            operation("replace", "Patient.contact[0].gender", value={"valueCode": "female"}),
            operation("delete", "Patient.name[1]"),
        ),
    )
    assert (changed["contact"], changed["name"]) == ([{"gender": "female"}], [SOL])


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (operation("add", "Patient", name="birthDate", value={"valueDate": "1990"}), Unprocessable),
        (operation("add", "Patient", name="deceased", value={"valueDateTime": "1990"}), Unprocessable),
        (operation("add", "Patient", name="nosuch", value={"valueDate": "1990"}), Unprocessable),
        (operation("add", "Patient", name="deceased", value={"valueQuantity": {"value": 1}}), Unprocessable),
        (operation("add", "Patient.contact", name="gender", value={"valueCode": "male"}), Unprocessable),
        (operation("add", "Patient.name", name="text", value={"valueString": "x"}), Unprocessable),
        (operation("insert", "Patient.name", index=3, value={"valueHumanName": {}}), Unprocessable),
        (operation("insert", "Patient.birthDate", index=0, value={"valueDate": "1990"}), Unprocessable),
        (operation("insert", "Patient.gender", index=0, value={"valueCode": "male"}), Unprocessable),
        (operation("delete", "Patient.name"), Unprocessable),
        (operation("delete", "Patient"), Unprocessable),
        (operation("replace", "Patient.gender", value={"valueCode": "male"}), Unprocessable),
        (operation("replace", "Patient.name", value={"valueHumanName": {}}), Unprocessable),
        (operation("replace", "Patient.deceased", value={"valueQuantity": {}}), Unprocessable),
        (operation("move", "Patient.name", source=0, destination=2), Unprocessable),
        (operation("move", "Patient.telecom", source=0, destination=0), Unprocessable),
        (operation("replace", "Patient.id", value={"valueId": "q"}), BadRequest),
        (operation("delete", "Patient.id"), BadRequest),
        (operation("append", "Patient.name"), BadRequest),
        (operation("delete"), BadRequest),
        (operation("delete", "Patient.."), BadRequest),
        (operation("delete", "Patient.nosuch"), BadRequest),
        (operation("delete", "Patient.name.where(family.matches('(a+)+b'))"), BadRequest),
        (operation("delete", "Patient.name.where(%resource.name.exists())"), BadRequest),
        (operation("delete", f"Patient.name[{'0' * 1000}]"), BadRequest),
        (operation("delete", "Patient.name.given + 1"), BadRequest),
        (operation("delete", "Patient.name['0']"), BadRequest),
        (operation("delete", "-Patient.birthDate"), BadRequest),
        (operation("delete", "(" * 240 + "Patient" + ")" * 240), Unprocessable),
        (operation("delete", "Patient" + ".name" * 95), BadRequest),
        (operation("delete", "Patient.name[" + "-" * 400 + "1]"), BadRequest),
        (operation("add", "Patient", name="gender"), BadRequest),
        (operation("add", "Patient", value={"valueCode": "x"}), BadRequest),
        (operation("add", "Patient", name="contact", value={"part": [{"name": "nosuch", "valueCode": "x"}]}), BadRequest),
        (operation("add", "Patient", name="contact", value={"part": [{"name": "gender", "valueCode": "x"}] * 2}), BadRequest),
        (operation("insert", "Patient.name", index=-1, value={"valueHumanName": {}}), BadRequest),
        (operation("insert", "Patient.name", value={"valueHumanName": {}}), BadRequest),
        (operation("move", "Patient.name", source=0), BadRequest),
        ({"name": "operation"}, BadRequest),
        ({"name": "operator", "part": []}, BadRequest),
    ],
)
def test_a_fhirpath_patch_is_refused(change: JsonObject, refused: type[FhirError]) -> None:
    with pytest.raises(FhirError) as error:
        apply_fhirpath_patch(PATIENT, patch(change))
    assert error.type is refused


@pytest.mark.parametrize(
    "parameters",
    [{"resourceType": "Parameters"}, {"resourceType": "Patient", "parameter": []}, {"resourceType": "Parameters", "parameter": 1}],
)
def test_a_fhirpath_patch_without_operations_is_malformed(parameters: JsonObject) -> None:
    with pytest.raises(BadRequest):
        apply_fhirpath_patch(PATIENT, parameters)


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/gender", "value": "female"}], patient(gender="female")),
        ([{"op": "add", "path": "/name/-", "value": {"text": "A"}}], patient(name=[SOL, NICK, {"text": "A"}])),
        ([{"op": "add", "path": "/name/0", "value": {"text": "A"}}], patient(name=[{"text": "A"}, SOL, NICK])),
        ([{"op": "replace", "path": "/name/0/family", "value": "Luz"}], patient(name=[SOL | {"family": "Luz"}, NICK])),
        ([{"op": "remove", "path": "/birthDate"}], patient(birthDate=None)),
        ([{"op": "remove", "path": "/name/1/use"}], patient(name=[SOL])),
        ([{"op": "remove", "path": "/extension/0"}], patient(extension=None)),
        ([{"op": "move", "from": "/name/1", "path": "/name/0"}], patient(name=[NICK, SOL])),
        ([{"op": "copy", "from": "/name/1", "path": "/name/-"}], patient(name=[SOL, NICK, NICK])),
        ([{"op": "test", "path": "/extension/0/valueDecimal", "value": Decimal("1.5")}], patient()),
        ([{"op": "test", "path": "/name/1", "value": {"use": "nickname"}}, {"op": "remove", "path": "/name/1"}], patient(name=[SOL])),
        ([{"op": "replace", "path": "", "value": {"resourceType": "Patient", "id": "p"}}], {"resourceType": "Patient", "id": "p"}),
    ],
)
def test_a_json_patch_gives(operations: list[Json], expected: JsonObject) -> None:
    before = deepcopy(PATIENT)
    assert apply_json_patch(PATIENT, operations) == expected
    assert before == PATIENT


@pytest.mark.parametrize(
    ("operations", "refused"),
    [
        ([{"op": "test", "path": "/birthDate", "value": "1990"}], Unprocessable),
        ([{"op": "test", "path": "/gender", "value": "male"}], Unprocessable),
        ([{"op": "test", "path": "/deceasedBoolean", "value": 0}], Unprocessable),
        ([{"op": "remove", "path": "/gender"}], Unprocessable),
        ([{"op": "replace", "path": "/gender", "value": "male"}], Unprocessable),
        ([{"op": "remove", "path": "/name/2"}], Unprocessable),
        ([{"op": "add", "path": "/name/4", "value": {}}], Unprocessable),
        ([{"op": "add", "path": "/name/first", "value": {}}], Unprocessable),
        ([{"op": "add", "path": "/birthDate/day", "value": 2}], Unprocessable),
        ([{"op": "move", "from": "/name", "path": "/name/0/x"}], Unprocessable),
        ([{"op": "add", "path": "/gender", "value": "male"}, {"op": "remove", "path": "/nosuch"}], Unprocessable),
        ([], BadRequest),
        ({"op": "remove", "path": "/gender"}, BadRequest),
        (["remove"], BadRequest),
        ([{"op": "erase", "path": "/gender"}], BadRequest),
        ([{"path": "/gender"}], BadRequest),
        ([{"op": "remove"}], BadRequest),
        ([{"op": "add", "path": "/gender"}], BadRequest),
        ([{"op": "move", "path": "/gender"}], BadRequest),
        ([{"op": "remove", "path": "gender"}], BadRequest),
        ([{"op": "remove", "path": 3}], BadRequest),
        ([{"op": "replace", "path": "/id", "value": "q"}], BadRequest),
        ([{"op": "remove", "path": "/resourceType"}], BadRequest),
        ([{"op": "replace", "path": "", "value": []}], BadRequest),
        ([{"op": "add", "path": "/x", "value": [1]}, *([{"op": "copy", "from": "/x", "path": "/x/-"}] * 25)], TooLarge),
    ],
)
def test_a_json_patch_is_refused(operations: list[Json], refused: type[FhirError]) -> None:
    with pytest.raises(FhirError) as error:
        apply_json_patch(PATIENT, operations)
    assert error.type is refused


def test_decimals_keep_their_digits_through_patches() -> None:
    resource = parse(b'{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.00}}')
    change = parse(b'{"p":[{"op":"add","path":"/referenceRange","value":[{"low":{"value":0.10}}]}]}')["p"]
    assert dump(apply_json_patch(resource, change)).endswith(b'"valueQuantity":{"value":1.00},"referenceRange":[{"low":{"value":0.10}}]}')
    change = operation("replace", "Observation.value.value", value={"valueDecimal": Decimal("2.50")})
    replaced = apply_fhirpath_patch(resource, patch(change))
    assert dump(replaced).endswith(b'"valueQuantity":{"value":2.50}}')
