"""Paths of FHIR operations, from their OperationDefinitions (https://hl7.org/fhir/R4/operations.html)."""
from collections.abc import Iterable, Sequence

from recovery_api.fhir.capability import operation_types
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.openapi.bodies import operation_body
from recovery_api.fhir.openapi.interactions import ALWAYS, BODY
from recovery_api.fhir.openapi.responses import answer, example_ref, refusals
from recovery_api.fhir.openapi.schemas import ref


def operation_paths(definitions: Iterable[JsonObject], types: Sequence[str], system: str) -> dict[str, JsonObject]:
    """Path items without common parameters, by path below the base; `system` is the tag of operations on the whole system."""
    found: dict[str, JsonObject] = {}
    for definition in definitions:
        code = definition["code"]
        if definition["system"]:
            found[f"/${code}"] = _methods(definition, None, system, code)
        for type in operation_types(definition, types):
            if definition["type"]:
                found[f"/{type}/${code}"] = _methods(definition, type, type, f"{code}{type}")
            if definition["instance"]:
                found[f"/{type}/{{id}}/${code}"] = _methods(definition, type, type, f"{code}{type}Instance")
    return found


def _methods(definition: JsonObject, type: str | None, tag: str, name: str) -> JsonObject:
    inputs = [one for one in definition.get("parameter", ()) if one["use"] == "in"]
    resource = type if any(one.get("type") == "Resource" for one in inputs) else None
    needed = any(one["min"] for one in inputs)
    post = _operation(definition, tag, name, (*ALWAYS, *BODY, 404)) | {"requestBody": operation_body(resource, required=needed)}
    if definition.get("affectsState", True) or any(one["min"] and one["type"][0].isupper() for one in inputs):
        return {"post": post}
    query: list[Json] = [_query(one) for one in inputs if one["type"][0].islower()]
    get = _operation(definition, tag, f"{name}ByQuery", (*ALWAYS, 404))
    return {"post": post, "get": get | ({"parameters": query} if query else {})}


def _operation(definition: JsonObject, tag: str, name: str, statuses: tuple[int, ...]) -> JsonObject:
    returned = next((one for one in definition.get("parameter", ()) if one["use"] == "out" and one["name"] == "return"), None)
    result = returned["type"] if returned else "Parameters"
    examples = example_ref(result) if result == "OperationOutcome" else None
    return {
        "operationId": name,
        "summary": definition["title"],
        "description": definition["description"],
        "tags": [tag],
        "responses": {"200": answer(definition["title"], ref(result), (), examples), **refusals(sorted(statuses))},
    }


def _query(parameter: JsonObject) -> JsonObject:
    schema: JsonObject = {"type": "string", "minLength": 1}
    said = {"name": parameter["name"], "in": "query", "description": parameter["documentation"]}
    return {**said, "required": bool(parameter["min"]), "schema": schema}
