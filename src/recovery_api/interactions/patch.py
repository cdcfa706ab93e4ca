"""patch by JSON Patch or FHIRPath Patch, and its conditional form (https://hl7.org/fhir/R4/http.html#patch)."""
from typing import cast

from recovery_api.fhir.errors import BadRequest, NotFound
from recovery_api.fhir.json import Json, JsonObject, parse
from recovery_api.fhir.patch import apply_fhirpath_patch, apply_json_patch
from recovery_api.interactions.conditional import one_match
from recovery_api.interactions.context import FhirRequest, FhirResult
from recovery_api.interactions.unit import Writing
from recovery_api.interactions.write import replace

JSON_PATCH = "application/json-patch+json"


async def patch(writing: Writing) -> FhirResult:
    """The next version of a resource, made by a patch of the current one. Raises NotFound where it is absent or hidden."""
    request, type = writing.request, writing.access.type
    if request.id is None:
        current = await one_match(writing, type, request.query)
    else:
        current = await writing.writer.lock(type, request.id)
    if current is None:
        raise NotFound

    def patched(before: JsonObject) -> JsonObject:
        after = _patched(request, before)
        if after.get("resourceType") != type or after.get("id") != before["id"]:
            raise BadRequest("A patch can't change resourceType or id.")
        return after

    return await replace(writing, current, patched, "PATCH")


def _patched(request: FhirRequest, before: JsonObject) -> JsonObject:
    if request.patch_type == JSON_PATCH:
        return apply_json_patch(before, _operations(request.body))
    return apply_fhirpath_patch(before, request.content())


def _operations(body: bytes | JsonObject) -> list[Json]:
    if isinstance(body, bytes):
        patch = parse(b'{"patch":%s}' % body)["patch"]
        if isinstance(patch, list):
            return cast("list[Json]", patch)
    raise BadRequest("A JSON Patch is an array of operations (RFC 6902).")
