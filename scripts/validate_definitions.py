"""Have our definitions, and the examples of our profiles, judged by another validator: PyPI's `pyrofile-validator`.

    python scripts/validate_definitions.py [FOLDER]

It is no dependency of this project: install it into an environment of its own. FOLDER (default /work/shared/data) holds
`r4/hl7.fhir.r4.core.tgz` and `us-core/hl7.fhir.us.core-7.0.0-noexamples.tgz`. What it says, save for the false alarms that are
known, is printed, and then the exit code is 1.
"""
import json
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from pyrofile_validator import Validator  # pyright: ignore[reportMissingImports] - it has an environment of its own
from pyrofile_validator.config import ValidatorConfig  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).parents[1]
DEFINITIONS = ROOT / "src" / "recovery_api" / "definitions"
EXAMPLES = ROOT / "tests" / "data" / "profiles"

FALSE_ALARMS = {
    r"profile\.element\.cardinality\.max .*": "It counts the values of all parents together.",
    r"cardinality\.min CodeSystem\.concept.*\.property\[\d+\]\.value\[x\]": "It does not see the choice in a nested concept's property.",
    r"profile\.slice\.cardinality\.max .*\.(extension|component):\w+": "It takes every extension or component for the slice.",
    r"profile\.element\.invariant\.unsupported\.txt-[12] .*": "It can't run htmlChecks().",
    r"profile\.pattern (Consent\.scope|DocumentReference\.type|Observation\.code)": "It compares a pattern's codings with their displays.",
    r"profile\.(element\.)?binding\.required DocumentReference\.type": "The value set filters LOINC, which it does not have.",
    r"terminology\.code-system Consent\.category\[1\]\.coding\[0\]": "42CFRPart2CD came into v3-ActCode after R4.",
}
"""What it says wrongly, as regular expressions of code and place, and why it is wrong."""


def main(folder: Path) -> int:
    """The number of problems that are no known false alarms."""
    packages = [folder / "r4" / "hl7.fhir.r4.core.tgz", folder / "us-core" / "hl7.fhir.us.core-7.0.0-noexamples.tgz", DEFINITIONS]
    settings = {"fhirVersion": "4.0.1", "terminology": {"mode": "local"}, "localPackagePaths": [str(path) for path in packages]}
    validator = Validator(ValidatorConfig.load_dict(settings))
    found = 0
    for path in resources():
        with redirect_stdout(StringIO()):
            report = validator.validate_resource(json.loads(path.read_text("utf-8")))
        for issue in report.errors:
            if not any(re.fullmatch(known, f"{issue.code} {issue.path}") for known in FALSE_ALARMS):
                found += 1
                print(f"{path.name}: {issue.code} {issue.path}: {issue.message}")
    return found


def resources() -> Iterator[Path]:
    """The files that hold one FHIR resource each."""
    yield from sorted(DEFINITIONS.glob("[A-Z]*-*.json"))
    yield from sorted(EXAMPLES.glob("*.json"))


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("/work/shared/data")), 1))
