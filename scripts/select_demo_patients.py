"""Select a few realistic patients from a folder of synthetic NDJSON, with everything that is theirs and the directory they refer to.

    python scripts/select_demo_patients.py ../shared/data/synthea-ndjson src/recovery_api/demo/data/patients.ndjson.gz

Lines are copied as they stand. A reference to a resource that the collection does not hold stays as it is.
"""

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PATIENTS = (
    "86f2513f-a6eb-433f-9e84-c2074fcc6701",
    "bf5adf99-de94-48ae-975f-7fa4da00483d",
    "97ae65f6-09d7-4f70-9e4f-a63b7e2f9c54",
)
DIRECTORY = ("Organization", "Practitioner", "PractitionerRole", "Location")
OF_A_PATIENT = re.compile(r'"reference": ?"Patient/([0-9a-f-]{36})"')
REFERENCE = re.compile(r'"reference": ?"([A-Za-z]+/[0-9a-f-]{36})"')


def lines(folder: Path, resource_type: str) -> Iterator[str]:
    with gzip.open(folder / f"{resource_type}.ndjson.gz", "rt", encoding="utf-8") as file:
        yield from file


def identity(resource_type: str, line: str) -> str:
    return f"{resource_type}/{json.loads(line)['id']}"


def select(folder: Path) -> list[str]:
    """The chosen lines: first the directory that they refer to, then the patients, then what is theirs."""
    chosen = {f"Patient/{id}" for id in PATIENTS}
    types = sorted(path.name.removesuffix(".ndjson.gz") for path in folder.glob("*.ndjson.gz"))
    patients = [line for line in lines(folder, "Patient") if identity("Patient", line) in chosen]
    theirs = [
        line
        for resource_type in types
        if resource_type not in ("Patient", *DIRECTORY)
        for line in lines(folder, resource_type)
        if any(f"Patient/{id}" in chosen for id in OF_A_PATIENT.findall(line))
    ]
    wanted = {reference for line in (*patients, *theirs) for reference in REFERENCE.findall(line)}
    directory: list[str] = []
    for resource_type in reversed(DIRECTORY):
        found = [line for line in lines(folder, resource_type) if identity(resource_type, line) in wanted]
        wanted |= {reference for line in found for reference in REFERENCE.findall(line)}
        directory = found + directory
    return directory + patients + theirs


def main(folder: str, target: str) -> None:
    text = "".join(line if line.endswith("\n") else line + "\n" for line in select(Path(folder)))
    Path(target).write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
