"""Request bodies of the OpenAPI document, and the examples of bodies."""
from importlib.resources import files

import msgspec

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.openapi.responses import FHIR_JSON, example_ref
from recovery_api.fhir.openapi.schemas import ref
from recovery_api.fhir.shipped import shipped

FORM = "application/x-www-form-urlencoded"
JSON_PATCH = "application/json-patch+json"

_POINTER: JsonObject = {"type": "string", "pattern": "^(/.*)?$", "examples": ["/status"]}
_PATCH_EXAMPLE = [{"op": "add", "path": "/language", "value": "en"}, {"op": "test", "path": "/language", "value": "en"}]
_FHIRPATH_EXAMPLE: JsonObject = {
    "resourceType": "Parameters",
    "parameter": [
        {
            "name": "operation",
            "part": [
                {"name": "type", "valueCode": "replace"},
                {"name": "path", "valueString": "Task.status"},
                {"name": "value", "valueCode": "in-progress"},
            ],
        }
    ],
}


def patch_schemas() -> dict[str, JsonObject]:
    """The schema of a JSON Patch (RFC 6902)."""
    operation: JsonObject = {
        "type": "object",
        "description": "`value` goes with add, replace and test; `from` with move and copy",
        "properties": {
            "op": {"type": "string", "enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": _POINTER,
            "from": _POINTER,
            "value": {"description": "Any JSON value"},
        },
        "required": ["op", "path"],
        "additionalProperties": False,
    }
    many: JsonObject = {"type": "array", "items": ref("JsonPatchOperation"), "description": "A JSON Patch (RFC 6902)"}
    return {"JsonPatchOperation": operation, "JsonPatch": many}


def examples(audience: str) -> dict[str, JsonObject]:
    """Component examples: one small resource of each type, and the bodies that are not stored. "Bundle.referrer" is that of an audience."""
    carried: dict[str, JsonObject] = msgspec.json.decode((files("recovery_api.definitions") / "examples.json").read_bytes())
    operation = shipped("OperationDefinition")[-1]
    more = {"JsonPatch": _PATCH_EXAMPLE, "FhirPathPatch": _FHIRPATH_EXAMPLE, "OperationDefinition": operation}
    own = {name.removesuffix(f".{audience}"): value for name, value in carried.items() if name.endswith(f".{audience}")}
    return {name: {"value": value} for name, value in {**carried, **more, **own}.items()}


def resource_body(type: str) -> JsonObject:
    """The body of a create or update."""
    return _body({FHIR_JSON: _media(ref(type), type)})


def bundle_body() -> JsonObject:
    """The body of a batch or transaction."""
    return _body({FHIR_JSON: _media(ref("Bundle"), "Bundle")})


def patch_body() -> JsonObject:
    """The body of a patch: JSON Patch or FHIRPath Patch."""
    return _body({JSON_PATCH: _media(ref("JsonPatch"), "JsonPatch"), FHIR_JSON: _media(ref("Parameters"), "FhirPathPatch")})


def form_body(schema: JsonObject) -> JsonObject:
    """The body of a search by a form."""
    return {"required": False, "content": {FORM: {"schema": schema}}}


def operation_body(schema: str, type: str | None, example: str, *, required: bool) -> JsonObject:
    """The body of an operation: Parameters of the schema, or in their place the one resource of a type that it takes."""
    media = _media(ref(schema), example) if type is None else _media({"oneOf": [ref(schema), ref(type)]}, type)
    return {"required": required, "content": {FHIR_JSON: media}}


def _body(content: JsonObject) -> JsonObject:
    return {"required": True, "content": content}


def _media(schema: JsonObject, example: str) -> JsonObject:
    return {"schema": schema, "examples": example_ref(example)}
