"""The codec of operations' parameters, by a definition that has one of each kind."""
from decimal import Decimal
from typing import Any

import pytest

from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.parameters import Given, given, inputs, parameters

MAYA = {"reference": "Practitioner/maya"}
PURPOSE = "https://recovery-api.example.org/fhir/ValueSet/emergency-purpose"


def said(name: str, type: str | None, use: str = "in", min: int = 0, max: str = "1", **more: Any) -> JsonObject:
    return {"name": name, "use": use, "min": min, "max": max, "type": type} | more


DEFINITION: JsonObject = {
    "parameter": [
        said("why", "string", min=1),
        said("day", "date"),
        said("when", "instant"),
        said("many", "code", max="*"),
        said("purpose", "code", binding={"strength": "required", "valueSet": PURPOSE}),
        said("status", "code", binding={"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/observation-status"}),
        said("sure", "boolean"),
        said("count", "integer"),
        said("size", "decimal"),
        said("profile", "uri"),
        said("who", "Reference"),
        said("consent", "Consent"),
        said("id", "string", use="out", min=1),
        said("note", "string", use="out", max="*"),
        said("task", "Task", use="out"),
        said("rule", None, use="out", max="*", part=[said("key", "code", use="out"), said("actor", "Reference", use="out")]),
    ]
}
KNOWN = inputs(DEFINITION)


def body(*parameters: JsonObject) -> JsonObject:
    return {"resourceType": "Parameters", "parameter": [{"name": "why", "valueString": "so"}, *parameters]}


def taken(*parameters: JsonObject) -> Given:
    return given(KNOWN, (), body(*parameters))


def refused(*parameters: JsonObject, query: tuple[tuple[str, str], ...] = ()) -> list[tuple[str | None, str]]:
    """Places and sentences."""
    with pytest.raises(BadRequest) as refusal:
        given(KNOWN, query, body(*parameters) if parameters else None)
    return [(issue.expression, issue.diagnostics) for issue in refusal.value.issues]


def test_values_come_from_a_body_by_their_names_in_order() -> None:
    found = taken(
        {"name": "many", "valueCode": "a"},
        {"name": "purpose", "valueCode": "BTG"},
        {"name": "many", "valueCode": "b"},
        {"name": "who", "valueReference": MAYA},
        {"name": "count", "valueInteger": 0},
        {"name": "sure", "valueBoolean": False},
    )
    assert (found.one("why"), found.one("purpose"), found.one("count"), found.one("sure")) == ("so", "BTG", 0, False)
    assert found.all("many") == ("a", "b")
    assert found.one("who") == MAYA
    assert (found.one("day"), found.all("day")) == (None, ())


def test_values_come_from_a_query_each_read_as_its_type() -> None:
    query = (
        ("why", "so"), ("many", "a"), ("many", "b"), ("sure", "true"), ("count", "-7"), ("size", "1.50"), ("day", "2026-11"),
        ("when", "2026-11-10T12:00:00 01:00"), ("status", "final"),
    )  # fmt: skip
    found = given(KNOWN, query, None)
    assert found.all("many") == ("a", "b")
    assert (found.one("sure"), found.one("count"), found.one("day"), found.one("status")) == (True, -7, "2026-11", "final")
    assert str(found.one("size")) == str(Decimal("1.50"))
    assert found.one("when") == "2026-11-10T12:00:00+01:00"


def test_query_and_body_stand_beside_each_other() -> None:
    assert given(KNOWN, (("many", "a"),), body({"name": "many", "valueCode": "b"})).all("many") == ("a", "b")
    assert refused({"name": "day", "valueDate": "2026"}, query=(("day", "2026"),)) == [
        ("Parameters.parameter[1]", "The parameter 'day' stands twice.")
    ]


def test_a_type_that_specializes_the_wanted_one_is_taken() -> None:
    assert taken({"name": "profile", "valueCanonical": "http://a.example/b"}).one("profile") == "http://a.example/b"
    assert given(KNOWN, (), {"resourceType": "Parameters", "parameter": [{"name": "why", "valueCode": "so"}]}).one("why") == "so"


@pytest.mark.parametrize(
    ("parameter", "word"),
    [
        ({"name": "no-such", "valueString": "x"}, "unknown"),
        ({"name": "why", "valueString": "again"}, "twice"),
        ({"name": "day", "valueString": "2026-11-10"}, "valueDate"),
        ({"name": "day"}, "valueDate"),
        ({"name": "day", "resource": {"resourceType": "Task", "status": "draft", "intent": "order"}}, "valueDate"),
        ({"name": "purpose", "valueCode": "TREAT"}, "one of BTG, ETREAT"),
        ({"name": "status", "valueCode": "no-such"}, "one of"),
        ({"name": "who", "valueIdentifier": {"value": "x"}}, "valueReference"),
        ({"name": "consent", "resource": {"resourceType": "Task", "status": "draft", "intent": "order"}}, "Consent"),
        ({"name": "consent", "valueString": "x"}, "Consent"),
    ],
)
def test_what_is_wrong_is_named_at_its_place(parameter: JsonObject, word: str) -> None:
    [(place, sentence)] = refused(parameter)
    assert place == "Parameters.parameter[1]"
    assert word in sentence
    assert f"'{parameter['name']}'" in sentence


@pytest.mark.parametrize(
    "pair",
    [
        ("no-such", "x"), ("why", ""), ("day", "soon"), ("when", "2026-11-10"), ("sure", "yes"), ("count", "1.5"), ("count", "99999999999"),
        ("size", "big"), ("purpose", "TREAT"), ("who", "Practitioner/maya"), ("consent", "Consent/1"), ("many", " "),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_query_is_named(pair: tuple[str, str]) -> None:
    rest = () if pair[0] == "why" else (("why", "so"),)
    [(place, sentence)] = refused(query=(*rest, pair))
    assert place is None
    assert f"'{pair[0]}'" in sentence


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(BadRequest) as refusal:
        given(KNOWN, (("no-such", "1"), ("day", "x")), None)
    assert [issue.code for issue in refusal.value.issues] == ["not-supported", "value", "required"]


@pytest.mark.parametrize(
    "broken",
    [
        {"resourceType": "Parameters", "parameter": {}},
        {"resourceType": "Parameters", "parameter": [{"valueString": "x"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "why", "valueString": 1}]},
        {"resourceType": "Parameters", "parameter": [{"name": "why", "valueString": "a", "valueCode": "b"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "consent", "resource": {"resourceType": "Consent"}}]},
        {"resourceType": "Patient"},
    ],
)
def test_a_body_of_another_structure_is_refused(broken: JsonObject) -> None:
    with pytest.raises(BadRequest):
        given({name: one for name, one in KNOWN.items() if broken["resourceType"] == "Parameters" or name != "consent"}, (), broken)


def test_the_one_resource_that_goes_in_may_be_the_body() -> None:
    only = inputs({"parameter": [said("resource", "Resource"), said("mode", "code")]})
    wrong = {"resourceType": "Patient", "name": 7}
    assert given(only, (("mode", "create"),), wrong).one("resource") == wrong
    assert given(only, (), {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": wrong}]}).one("resource") == wrong
    typed = inputs({"parameter": [said("consent", "Consent")]})
    with pytest.raises(BadRequest) as refusal:
        given(typed, (), {"resourceType": "Patient"})
    assert "Consent" in refusal.value.issues[0].diagnostics


def test_a_parameter_of_no_type_that_is_known_is_no_definition() -> None:
    for type in ("NoSuch", ""):
        with pytest.raises(ValueError, match="why"):
            inputs({"parameter": [said("why", type)]})


def test_answers_are_written_by_the_definition() -> None:
    values: dict[str, Any] = {
        "rule": [{"key": "a", "actor": MAYA}, {"key": "b"}],
        "note": ["x", "y"],
        "id": "1",
        "task": {"resourceType": "Task"},
    }
    assert parameters(DEFINITION, values) == {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "id", "valueString": "1"},
            {"name": "note", "valueString": "x"},
            {"name": "note", "valueString": "y"},
            {"name": "task", "resource": {"resourceType": "Task"}},
            {"name": "rule", "part": [{"name": "key", "valueCode": "a"}, {"name": "actor", "valueReference": MAYA}]},
            {"name": "rule", "part": [{"name": "key", "valueCode": "b"}]},
        ],
    }
    assert parameters(DEFINITION, {"id": "1", "task": None})["parameter"] == [{"name": "id", "valueString": "1"}]
