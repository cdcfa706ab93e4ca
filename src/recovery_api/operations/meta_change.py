"""$meta-add and $meta-delete: profiles, tags and security labels, without a new version
(https://hl7.org/fhir/R4/resource-operation-meta-add.html, -meta-delete.html).
"""
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.json import Json, JsonObject, dump
from recovery_api.fhir.json_types import is_array, is_object
from recovery_api.interactions import meta
from recovery_api.interactions.context import FhirRequest, FhirResult, Server

Change: TypeAlias = Callable[[Server, FhirRequest, JsonObject], Awaitable[JsonObject]]


async def meta_add(server: Server, request: FhirRequest) -> FhirResult:
    """Parameters with the resulting `meta`."""
    return await _changed(server, request, meta.add)


async def meta_delete(server: Server, request: FhirRequest) -> FhirResult:
    """Parameters with the resulting `meta`."""
    return await _changed(server, request, meta.delete)


async def _changed(server: Server, request: FhirRequest, change: Change) -> FhirResult:
    if not request.type or request.id is None:
        raise NotFound
    found = await change(server, request, _given(request.content()))
    return FhirResult(200, dump({"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": found}]}))


def _given(body: JsonObject) -> JsonObject:
    """The parameter `meta` (https://hl7.org/fhir/R4/resource.html#Meta). Raises BadRequest where it is none."""
    said: Json = body.get("parameter", [])
    given = [each.get("valueMeta") for each in said if is_object(each) and each.get("name") == "meta"] if is_array(said) else []
    if body.get("resourceType") != "Parameters" or len(given) != 1 or not is_object(given[0]):
        raise BadRequest(Issue("required", "One parameter 'meta' with a valueMeta is needed.", "Parameters.parameter"))
    codings = [*_list(given[0], "security"), *_list(given[0], "tag")]
    profiles = _list(given[0], "profile")
    if not all(is_object(each) for each in codings) or not all(isinstance(each, str) for each in profiles):
        raise BadRequest(Issue("structure", "Labels and tags are Codings, profiles are canonical URLs.", "Parameters.parameter"))
    return given[0]


def _list(given: JsonObject, name: str) -> list[Json]:
    said: Json = given.get(name, [])
    if not is_array(said):
        raise BadRequest(Issue("structure", f"'{name}' is a list.", f"Parameters.parameter.value.{name}"))
    return said
