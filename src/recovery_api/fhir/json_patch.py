"""JSON Patch (RFC 6902) on a resource, by the jsonpatch library."""
from copy import deepcopy
from typing import cast

import jsonpatch
from jsonpointer import JsonPointerException

from recovery_api.fhir.empties import without_empties
from recovery_api.fhir.errors import BadRequest, Issue, TooLarge, Unprocessable
from recovery_api.fhir.json import Json, JsonObject

_MEMBERS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}
_MOST_VALUES = 200_000
_EMPTYING = frozenset({"remove", "move"})


def apply(resource: JsonObject, patch: list[Json]) -> Json:
    """The changed copy; what `remove` and `move` leave empty is left out. Raises BadRequest and Unprocessable."""
    operations = [_checked(index, operation) for index, operation in enumerate(_operations(patch))]
    document: Json = deepcopy(resource)
    for index, operation in enumerate(operations):
        document = _applied(document, index, operation)
        if operation["op"] == "copy" and _values(document) > _MOST_VALUES:
            raise TooLarge("The copies of the JSON Patch make the resource too large.")
    return without_empties(document) if any(operation["op"] in _EMPTYING for operation in operations) else document


def _operations(patch: Json) -> list[Json]:
    if not isinstance(patch, list) or not patch:
        raise BadRequest("A JSON Patch must be an array of at least one operation.")
    return cast(list[Json], patch)


def _checked(index: int, operation: Json) -> JsonObject:
    if not isinstance(operation, dict):
        raise BadRequest(f"Operation {index} of the JSON Patch is not an object.")
    fields = cast(JsonObject, operation)
    kind = fields.get("op")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise BadRequest(f"Operation {index} of the JSON Patch has no known 'op': {', '.join(_MEMBERS)} are known.")
    for name in _MEMBERS[kind]:
        if name not in fields:
            raise BadRequest(f"Operation {index} of the JSON Patch, '{kind}', needs '{name}'.")
        pointer = fields[name]
        if name != "value" and (not isinstance(pointer, str) or (pointer and not pointer.startswith("/"))):
            raise BadRequest(f"'{name}' of operation {index} of the JSON Patch is not a JSON Pointer such as '/name/0/family'.")
    return deepcopy(fields)


def _values(document: Json) -> int:
    """How many values a JSON value holds, as far as it matters."""
    count, open_ = 0, [document]
    while open_ and count <= _MOST_VALUES:
        value = open_.pop()
        count += 1
        if isinstance(value, dict | list):
            open_ += cast(list[Json], list(value.values() if isinstance(value, dict) else value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    return count


def _applied(document: Json, index: int, operation: JsonObject) -> Json:
    kind, path = operation["op"], operation["path"]
    try:
        return jsonpatch.JsonPatch([operation]).apply(document, in_place=True)
    except jsonpatch.JsonPatchTestFailed:
        raise Unprocessable(Issue("processing", f"The test of operation {index} failed: '{path}' holds another value.")) from None
    except (jsonpatch.JsonPatchConflict, JsonPointerException, TypeError, KeyError, IndexError):
        place = f"'{operation['from']}' or '{path}'" if "from" in operation else f"'{path}'"
        raise Unprocessable(Issue("processing", f"Operation {index} ('{kind}') can't be applied: {place} is not there.")) from None
    except jsonpatch.InvalidJsonPatch:
        raise BadRequest(f"Operation {index} of the JSON Patch is malformed.") from None
