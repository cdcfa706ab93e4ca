"""The official examples that the project carries, by source."""
import gzip
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from recovery_api.fhir.json import JsonObject, parse

FOLDER = Path(__file__).parent.parent / "data" / "examples"
SOURCES = ("r4", "us-core-6.1.0", "us-core-7.0.0", "us-core-8.0.0")

DEFECTS = {
    ("r4", "Observation/clinical-gender"): "Observation.performer[0]",  # refers to an Encounter, which performer may not
    ("r4", "Questionnaire/zika-virus-exposure-assessment"): "Questionnaire.text.div",  # txt-2: nothing but white space
}
"""Official examples that break R4's own rules, and the place where they do."""


@cache
def lines(source: str) -> tuple[bytes, ...]:
    """The examples of a source, as compact JSON."""
    return tuple(gzip.decompress((FOLDER / f"{source}.ndjson.gz").read_bytes()).splitlines())


def examples(source: str) -> Iterator[JsonObject]:
    """The examples of a source."""
    return (parse(line) for line in lines(source))


def name(resource: JsonObject) -> str:
    """Type/id."""
    return f"{resource['resourceType']}/{resource.get('id')}"
