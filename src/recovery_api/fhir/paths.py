"""Values at dotted paths of element names, for what needs no FHIRPath: access rules and life cycles."""
from collections.abc import Iterator
from typing import Any

from recovery_api.fhir.json import JsonObject


def at(resource: JsonObject, path: str) -> Iterator[Any]:
    """The values at a dotted path of element names, repetitions flattened."""
    values: list[Any] = [resource]
    for name in path.split("."):
        found = [value[name] for value in values if isinstance(value, dict) and name in value]
        values = [one for value in found for one in (value if isinstance(value, list) else (value,))]
    return iter(values)


def references_at(resource: JsonObject, path: str) -> Iterator[str]:
    """The literal references to this server at a path, "Type/id", without their version."""
    for value in at(resource, path):
        literal = value.get("reference") if isinstance(value, dict) else None
        if isinstance(literal, str) and len(parts := literal.split("/")) in (2, 4) and parts[0].isalpha():
            yield f"{parts[0]}/{parts[1]}"


def has_coding(resource: JsonObject, path: str, system: str, code: str) -> bool:
    """Whether a CodeableConcept at the path has this coding."""
    return any(
        isinstance(coding, dict) and coding.get("system") == system and coding.get("code") == code
        for coding in at(resource, f"{path}.coding")
    )
