"""The definitions that the package publishes, FHIR resources one file each: OperationDefinitions, ValueSets and so on."""
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import msgspec

from recovery_api.fhir.json import JsonObject

PUBLISHED = ("CodeSystem", "ConceptMap", "Measure", "OperationDefinition", "Questionnaire", "StructureDefinition", "ValueSet")
"""The types whose definitions are stored with the package's own content, to be read and searched (`interactions/publish.py`)."""


def shipped(type: str) -> list[JsonObject]:
    """The definitions of one type, by their file's name."""
    found = [file for file in (files("recovery_api") / "definitions").iterdir() if file.name.startswith(f"{type}-")]
    return [msgspec.json.decode(file.read_bytes()) for file in sorted(found, key=lambda file: file.name)]


def published() -> Iterator[JsonObject]:
    """The definitions of the published types."""
    for type in PUBLISHED:
        yield from shipped(type)


@cache
def published_urls() -> frozenset[tuple[str, str]]:
    """Type and canonical URL of each."""
    return frozenset((one["resourceType"], one["url"]) for one in published())
