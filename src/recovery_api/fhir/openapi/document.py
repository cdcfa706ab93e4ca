"""The whole document, and its bytes as they are committed and served."""
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from recovery_api.fhir import capability
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.descriptions import element_words
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.openapi.audience import Audience, narrowed, narrowed_operations
from recovery_api.fhir.openapi.bodies import examples, patch_schemas
from recovery_api.fhir.openapi.jobs import job_responses, job_schemas
from recovery_api.fhir.openapi.operations import operation_parameters, operation_responses, operation_schemas
from recovery_api.fhir.openapi.parameters import form, parameters, value_schemas
from recovery_api.fhir.openapi.paths import WHOLE_SYSTEM, paths
from recovery_api.fhir.openapi.responses import headers, of_type, responses
from recovery_api.fhir.openapi.schemas import schemas
from recovery_api.fhir.search.parameters import ParameterTable

SPECIFICATION = "https://hl7.org/fhir/R4"
LINE = 160
"""The length that a line of the written document may have before it is broken up."""


def described(base: str, table: ParameterTable, audience: Audience | None = None) -> JsonObject:
    """The OpenAPI 3.1 document of a server at `base`, its FHIR base URL: whole, or what an audience may ever use of it."""
    statement, operations = capability.definition(), capability.operations()
    if audience:
        statement, operations = narrowed(statement, audience), narrowed_operations(operations, audience)
        table = table.only(audience.types)
    told = capability.capability(statement, table, base, operations)
    return document(told, operations, table, audience.name if audience else "")


def document(statement: JsonObject, operations: Sequence[JsonObject], table: ParameterTable, audience: str = "") -> JsonObject:
    """The OpenAPI 3.1 document of the server that the CapabilityStatement, as it is served, describes.

    `operations` are the OperationDefinitions that it names, `audience` is for whom the examples are. Paths are below the FHIR base,
    which is the one server.
    """
    types, shown = table.types, examples(audience)
    exchanged = {*types, *_inside(shown.get(f"{one['code']}.answer", {}).get("value", {}) for one in operations)}
    rest = statement["rest"][0]
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": rest["security"]["description"]}
    of_types = {name: response for type in types for name, response in of_type(type).items()}
    forms = {f"{type}SearchForm": form(table, type) for type in types}
    said: JsonObject = {
        "openapi": "3.1.1",
        "info": {
            "title": statement["title"],
            "version": statement["software"]["version"],
            "summary": statement["description"],
            "description": f"{rest['documentation']}\n\nEvery refusal is an OperationOutcome.",
            "contact": {"name": statement["publisher"], "url": statement["url"]},
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": statement["implementation"]["url"], "description": "The FHIR base"}],
        "security": [{"bearer": []}],
        "tags": [{"name": WHOLE_SYSTEM, "description": "What is not of one resource type"}, *(_tag(type) for type in types)],
        "externalDocs": {"url": f"{SPECIFICATION}/http.html", "description": "FHIR R4, RESTful API"},
        "paths": paths(statement, operations, table),
        "components": {
            "securitySchemes": {"bearer": bearer},
            "schemas": schemas(exchanged, definitions())
            | value_schemas()
            | patch_schemas()
            | operation_schemas(operations)
            | job_schemas()
            | forms
            | {"SearchForm": form(table, None)},
            "parameters": parameters(table) | operation_parameters(operations),
            "headers": headers(),
            "responses": responses() | of_types | operation_responses(operations) | job_responses(),
            "examples": shown,
        },
    }
    _prune(said)
    return said


def _inside(answers: Iterable[JsonObject]) -> Iterator[str]:
    """The types of the resources in Bundles that operations answer: a caller need not have the type otherwise."""
    for answer in answers:
        yield from (entry["resource"]["resourceType"] for entry in answer.get("entry", ()) if "resource" in entry)


def _prune(document: JsonObject) -> None:
    """Take out, in place, the components that nothing refers to."""
    components: dict[str, dict[str, JsonObject]] = document["components"]
    used: set[str] = set()
    waiting: list[Json] = [document["paths"]]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += cast("list[Json]", value)
        elif isinstance(value, dict):
            members = cast("JsonObject", value)
            waiting += members.values()
            place: Json = members.get("$ref")
            if isinstance(place, str) and place not in used:
                used.add(place)
                _, _, kind, name = place.split("/")
                waiting.append(components[kind][name])
    for kind in ("schemas", "parameters", "headers", "responses", "examples"):
        components[kind] = {name: value for name, value in components[kind].items() if f"#/components/{kind}/{name}" in used}


def written(document: JsonObject) -> bytes:
    """The document as text for reading and comparing: the same for the same document, with members in alphabetical order."""
    return (_laid_out(document, 0) + "\n").encode()


def _laid_out(value: Json, depth: int) -> str:
    """What fits a line stays on one."""
    line = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(line) + depth <= LINE or not isinstance(value, dict | list):
        return line
    below = "\n" + " " * (depth + 1)
    if isinstance(value, dict):
        members = cast("JsonObject", value)
        parts = [f"{json.dumps(name)}: {_laid_out(members[name], depth + 1)}" for name in sorted(members)]
    else:
        parts = [_laid_out(item, depth + 1) for item in cast("list[Json]", value)]
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{opening}{below}{(',' + below).join(parts)}{below[:-1]}{closing}"


def _tag(type: str) -> JsonObject:
    facts = definitions().type(type)
    return {"name": facts.name, "description": element_words(type) or type, "externalDocs": {"url": f"{SPECIFICATION}/{type.lower()}.html"}}
