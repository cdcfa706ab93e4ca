"""Compile what R4 says in words of each element and search parameter of the served types into `definitions/compiled/descriptions.json`.

    python scripts/compile_descriptions.py /work/shared/data

Sources (both CC0-1.0): `r4/hl7.fhir.r4.core.tgz` (FHIR 4.0.1), `us-core/hl7.fhir.us.core-7.0.0-noexamples.tgz`; and `types.json`,
compiled before. The OpenAPI document says them.
"""

import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

from recovery_api.fhir.capability import definition, interactions
from recovery_api.fhir.definitions import ABSTRACT, definitions
from recovery_api.fhir.openapi.schemas import closure
from recovery_api.fhir.search.parameters import ParameterTable

COMPILED = Path(__file__).parents[1] / "src/recovery_api/definitions/compiled"
PACKAGES = ("r4/hl7.fhir.r4.core.tgz", "us-core/hl7.fhir.us.core-7.0.0-noexamples.tgz")
SOURCE = "FHIR R4 4.0.1 (hl7.fhir.r4.core) and US Core 7.0.0 (hl7.fhir.us.core), HL7, CC0-1.0"
OF_TYPE = re.compile(r"\* \[(\w+)\]\([^)]*\):\s*([^\r\n]*)")


def resources(package: Path, type_: str) -> list[dict[str, Any]]:
    """The conformance resources of one type in an npm package."""
    with tarfile.open(package) as archive:
        names = sorted(name for name in archive.getnames() if Path(name).name.startswith(f"{type_}-"))
        return [json.load(archive.extractfile(name) or sys.exit(f"{name} can't be read")) for name in names]


def element_words(data: Path, types: frozenset[str]) -> dict[str, str]:
    """By element path, what the definition of its own type says in short."""
    found: dict[str, str] = {}
    for structure in resources(data / PACKAGES[0], "StructureDefinition"):
        if structure["kind"] in {"resource", "complex-type"} and structure.get("derivation") != "constraint":
            for element in structure["differential"]["element"]:
                owner = element["id"].rpartition(".")[0] or element["id"]
                if (owner in types or element["id"] in types) and ":" not in element["id"]:
                    found[element["id"]] = " ".join(element["short"].split())
    return found


def parameter_words(data: Path, table: ParameterTable) -> dict[str, str]:
    """By the parameter's name ("Type.code"), what the SearchParameter says of that type."""
    said = {found["url"]: found["description"] for package in PACKAGES for found in resources(data / package, "SearchParameter")}
    found: dict[str, str] = {}
    for type_ in table.types:
        for parameter in table[type_].values():
            text = said.get(parameter.url, "")
            words = dict(OF_TYPE.findall(text)).get(type_, "" if text.startswith("Multiple Resources") else text)
            if words and not parameter.code.startswith("_"):
                found[parameter.name] = " ".join(words.replace("**", "").partition(" NOTE")[0].split())
    return found


def written(words: dict[str, str]) -> list[str]:
    """A line for each, in alphabetical order."""
    return [f"{json.dumps(key)}:{json.dumps(text, ensure_ascii=False)}" for key, text in sorted(words.items())]


def main(data: Path) -> None:
    served = interactions(definition())
    groups = {
        "elements": element_words(data, closure(served, definitions()) | ABSTRACT),
        "parameters": parameter_words(data, ParameterTable(served)),
    }
    lines = [json.dumps(name) + ":{\n" + ",\n".join(written(words)) + "}" for name, words in groups.items()]
    (COMPILED / "descriptions.json").write_text("{" + ",\n".join([f'"source":{json.dumps(SOURCE)}', *lines]) + "}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
