"""Patches: JSON Patch (RFC 6902) and FHIRPath Patch, as https://hl7.org/fhir/R4/http.html#patch asks. The input is never changed."""
from typing import cast

from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.fhirpath_patch import apply as _apply_fhirpath
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_patch import apply as _apply_json


def apply_json_patch(resource: JsonObject, patch: list[Json]) -> JsonObject:
    """A copy of the resource, changed by the operations of a JSON Patch document, all of them or none.

    Raises BadRequest for a malformed patch, or one that changes resourceType or id; Unprocessable for one that does not
    apply: a `test` that fails, a place that is not there.
    """
    return _same_resource(resource, _apply_json(resource, patch))


def apply_fhirpath_patch(resource: JsonObject, parameters: JsonObject) -> JsonObject:
    """A copy of the resource, changed by the operations of a Parameters resource, all of them or none.

    Raises BadRequest for a malformed patch, or one that changes resourceType or id; Unprocessable for one that does not
    apply: a path that finds nothing, or more than one element.
    """
    return _same_resource(resource, _apply_fhirpath(resource, parameters))


def _same_resource(before: JsonObject, after: Json) -> JsonObject:
    if not isinstance(after, dict):
        raise BadRequest("A patch must leave a resource.")
    for name in ("resourceType", "id"):
        if cast(JsonObject, after).get(name) != before.get(name):
            raise BadRequest(f"A patch must not change '{name}'.")
    return cast(JsonObject, after)
