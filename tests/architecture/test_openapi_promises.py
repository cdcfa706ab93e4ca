"""What generated clients rely on does not break without somebody saying so."""
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from scripts.openapi_promises import DOCUMENT, broken, lines, read

Change = Callable[[dict[str, Any]], object]

DOCUMENT_BEFORE: dict[str, Any] = {
    "paths": {
        "/Goal": {
            "get": {
                "operationId": "searchGoal",
                "parameters": [{"$ref": "#/components/parameters/Goal.patient"}, {"name": "_count", "in": "query"}],
                "responses": {"200": {"content": {"application/fhir+json": {"schema": {"$ref": "#/components/schemas/Bundle"}}}}},
            },
        },
    },
    "components": {
        "parameters": {"Goal.patient": {"name": "patient", "in": "query"}},
        "schemas": {
            "Bundle": {"properties": {"type": {"$ref": "#/components/schemas/BundleType"}, "total": {"type": "integer"}}},
            "BundleType": {"enum": ["searchset", "history"]},
        },
    },
}


def search(document: dict[str, Any]) -> dict[str, Any]:
    return document["paths"]["/Goal"]["get"]


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    return document["components"]["schemas"][name]


BREAKING: dict[str, tuple[Change, str]] = {
    "a request is gone": (lambda document: document["paths"].clear(), "+ GET /Goal: is called searchGoal"),
    "a request has another name": (
        lambda document: search(document).update(operationId="findGoal"),
        "+ GET /Goal: is called searchGoal",
    ),
    "a parameter is gone": (lambda document: search(document)["parameters"].pop(), "+ GET /Goal: takes query _count"),
    "a parameter is needed": (
        lambda document: document["components"]["parameters"]["Goal.patient"].update(required=True),
        "! GET /Goal: needs query patient",
    ),
    "an answer is another": (
        lambda document: search(document)["responses"].update({"200": {}}),
        "+ GET /Goal: answers 200 with application/fhir+json of Bundle",
    ),
    "an element is gone": (lambda document: schema(document, "Bundle")["properties"].pop("total"), "+ Bundle: total is integer"),
    "an element has another type": (
        lambda document: schema(document, "Bundle")["properties"].update(total={"type": "string"}),
        "+ Bundle: total is integer",
    ),
    "an element is needed": (lambda document: schema(document, "Bundle").update(required=["total"]), "! Bundle: needs total"),
    "a code is gone": (lambda document: schema(document, "BundleType")["enum"].pop(), "+ BundleType: may be history"),
}
NEEDY: dict[str, Any] = {
    "operationId": "searchFlag",
    "parameters": [{"name": "patient", "in": "query", "required": True}],
    "responses": {},
}
HARMLESS: dict[str, Change] = {
    "a request is new, and needs something": lambda document: document["paths"].update({"/Flag": {"get": NEEDY}}),
    "a parameter is new": lambda document: search(document)["parameters"].append({"name": "_sort", "in": "query"}),
    "an element is new": lambda document: schema(document, "Bundle")["properties"].update(link={"type": "array"}),
    "a code is new": lambda document: schema(document, "BundleType")["enum"].append("batch"),
    "a description is another": lambda document: search(document).update(description="Goals."),
}


@pytest.mark.parametrize("case", BREAKING)
def test_what_breaks_a_client_is_told_by_its_line(case: str) -> None:
    change, line = BREAKING[case]
    now = deepcopy(DOCUMENT_BEFORE)
    change(now)
    assert line in map(str, broken(lines(DOCUMENT_BEFORE), lines(now)))


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_added_breaks_nothing(case: str) -> None:
    now = deepcopy(DOCUMENT_BEFORE)
    HARMLESS[case](now)
    assert broken(lines(DOCUMENT_BEFORE), lines(now)) == []


def test_the_document_keeps_what_the_last_release_promised() -> None:
    now = lines(json.loads(DOCUMENT.read_bytes()))
    assert [str(line) for line in broken(read(), now)] == [], "if it must be so: `make release-openapi`, and a line in CHANGELOG.md"
