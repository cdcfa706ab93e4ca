"""Compile the search parameters of FHIR R4 and US Core 7, and R4's compartments, into `definitions/compiled/search.json`.

    python scripts/compile_search.py /work/shared/data

Sources (both CC0-1.0): `r4/hl7.fhir.r4.core.tgz` (FHIR 4.0.1), `us-core/hl7.fhir.us.core-7.0.0-noexamples.tgz`; and, compiled
before, `types.json` and `codes.json`. A parameter whose expression reads what can't be indexed is listed under "left out".
"""

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

from recovery_api.fhir.search.compile_parameter import NotIndexable, Resolved, resolve
from recovery_api.fhir.search.paths import NotAPath, elements_in

COMPILED = Path(__file__).parents[1] / "src/recovery_api/definitions/compiled"
PACKAGES = ("r4/hl7.fhir.r4.core.tgz", "us-core/hl7.fhir.us.core-7.0.0-noexamples.tgz")
SOURCE = "FHIR R4 4.0.1 (hl7.fhir.r4.core) and US Core 7.0.0 (hl7.fhir.us.core), HL7, CC0-1.0"


def resources(package: Path, type_: str) -> list[dict[str, Any]]:
    """The conformance resources of one type in an npm package."""
    with tarfile.open(package) as archive:
        names = sorted(name for name in archive.getnames() if Path(name).name.startswith(f"{type_}-"))
        return [json.load(archive.extractfile(name) or sys.exit(f"{name} can't be read")) for name in names]


def main(data: Path) -> None:
    types: dict[str, Any] = json.loads((COMPILED / "types.json").read_bytes())
    codes: dict[str, Any] = json.loads((COMPILED / "codes.json").read_bytes())
    definitions = [found for package in PACKAGES for found in resources(data / package, "SearchParameter")]
    by_url = {definition["url"]: definition for definition in definitions}
    concrete = sorted(name for name, facts in types.items() if facts["kind"] == "resource" and name not in ("Resource", "DomainResource"))
    compiled: dict[str, dict[str, Any]] = {type_: {} for type_ in concrete}
    left_out: dict[str, str] = {}
    elements = elements_in(types)
    for definition in sorted(definitions, key=lambda found: (found["url"].startswith("http://hl7.org/fhir/us/"), found["url"])):
        for base in definition.get("base", ()):
            if base in compiled and not definition["code"].startswith("_") and definition["code"] not in compiled[base]:
                try:
                    resolved: Resolved = resolve(definition, base, by_url, elements, types, codes)
                    compiled[base][definition["code"]] = resolved.as_json()
                except (NotAPath, NotIndexable) as reason:
                    left_out[f"{base}.{definition['code']}"] = str(reason)
    compartments = {
        found["code"]: {entry["code"]: entry["param"] for entry in found["resource"] if "param" in entry}
        for found in resources(data / PACKAGES[0], "CompartmentDefinition")
        if found["url"].startswith("http://hl7.org/fhir/CompartmentDefinition/")
    }
    text = {"source": SOURCE, "left out": left_out, "compartments": compartments}
    lines = [f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'), sort_keys=True)}" for key, value in text.items()]
    by_type = [
        f"{json.dumps(type_)}:{{\n"
        + ",\n".join(f"{json.dumps(code)}:{json.dumps(facts, separators=(',', ':'))}" for code, facts in sorted(found.items()))
        + "}"
        for type_, found in compiled.items()
    ]
    (COMPILED / "search.json").write_text("{" + ",\n".join([*lines, '"types":{' + ",\n".join(by_type) + "}"]) + "}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
