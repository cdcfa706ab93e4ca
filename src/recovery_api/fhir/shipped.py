"""The definitions that the package publishes, FHIR resources one file each: OperationDefinitions, ValueSets and so on."""
from importlib.resources import files

import msgspec

from recovery_api.fhir.json import JsonObject

PUBLISHED = ("OperationDefinition",)
"""The types whose definitions everybody may read here by their id; none of them is stored."""


def shipped(type: str) -> list[JsonObject]:
    """The definitions of one type, by their file's name."""
    found = [file for file in (files("recovery_api") / "definitions").iterdir() if file.name.startswith(f"{type}-")]
    return [msgspec.json.decode(file.read_bytes()) for file in sorted(found, key=lambda file: file.name)]


def enumerated(value_set: JsonObject) -> frozenset[str]:
    """The codes that a ValueSet lists one by one, without their systems."""
    return frozenset(concept["code"] for include in value_set["compose"]["include"] for concept in include["concept"])
