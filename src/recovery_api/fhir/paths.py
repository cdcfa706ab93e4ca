"""Values at dotted paths of element names, for what needs no FHIRPath: access rules and life cycles."""
from collections.abc import Iterator
from typing import cast

from recovery_api.fhir.json import Json, JsonObject


def at(resource: JsonObject, path: str) -> list[Json]:
    """The values at a dotted path of element names, repetitions flattened."""
    first, _, rest = path.partition(".")
    found: Json = resource.get(first)
    if found is None:
        return []
    values = cast("list[Json]", found) if isinstance(found, list) else [found]
    if not rest:
        return values
    return [below for value in _objects(values) for below in at(value, rest)]


def objects_at(resource: JsonObject, path: str) -> list[JsonObject]:
    """The objects at a dotted path of element names, repetitions flattened."""
    return _objects(at(resource, path))


def references_at(resource: JsonObject, path: str) -> Iterator[str]:
    """The literal references to this server at a path, "Type/id", without their version."""
    for value in objects_at(resource, path):
        literal: Json = value.get("reference")
        if isinstance(literal, str) and len(parts := literal.split("/")) in (2, 4) and parts[0].isalpha():
            yield f"{parts[0]}/{parts[1]}"


def has_coding(resource: JsonObject, path: str, system: str, code: str) -> bool:
    """Whether a CodeableConcept at the path has this coding."""
    codings = objects_at(resource, f"{path}.coding")
    return any(coding.get("system") == system and coding.get("code") == code for coding in codings)


def _objects(values: list[Json]) -> list[JsonObject]:
    return [cast("JsonObject", value) for value in values if isinstance(value, dict)]
