"""Select the elements that US Core's profiles ask servers to support into `tests/data/us-core-must-support.json`: ids, by profile.

    python scripts/select_must_support.py PACKAGE

PACKAGE is hl7.fhir.us.core-7.0.0 (HL7, CC0-1.0), with or without examples.
"""
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "tests/data/us-core-must-support.json"


def selected(package: Path) -> dict[str, list[str]]:
    """The must-support element ids of each profile of a resource, by its canonical URL."""
    found: dict[str, list[str]] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            if Path(member.name).name.startswith("StructureDefinition-") and (file := archive.extractfile(member)):
                said: dict[str, Any] = json.load(file)
                if said["kind"] == "resource" and said["derivation"] == "constraint":
                    found[said["url"]] = [each["id"] for each in said["snapshot"]["element"] if each.get("mustSupport")]
    return dict(sorted(found.items()))


if __name__ == "__main__":
    chosen = selected(Path(sys.argv[1]))
    TARGET.write_text(json.dumps(chosen, indent=1) + "\n", encoding="utf-8")
    print(f"{sum(map(len, chosen.values()))} elements of {len(chosen)} profiles in {TARGET.name}")
