"""Carry the official examples of the served types in the project, as compact NDJSON.

    python scripts/select_examples.py [FOLDER]

FOLDER (default /work/shared/data) holds `examples/*.tgz`. Numbers keep their precision; of examples that several versions of
US Core share, the first is kept. The same input gives the same bytes.
"""
import gzip
import json
import sys
import tarfile
from pathlib import Path

from recovery_api.fhir.json import dump, parse

PROJECT = Path(__file__).parent.parent
OUTPUT = PROJECT / "tests" / "data" / "examples"
CAPABILITIES = PROJECT / "src" / "recovery_api" / "definitions" / "CapabilityStatement-recovery-api.json"
SOURCES = ("r4", "us-core-7.0.0", "us-core-8.0.0", "us-core-6.1.0")
EXCHANGED = frozenset({"Bundle"})


def examples(archive: Path) -> list[bytes]:
    """The resources in an archive of examples, by file name."""
    with tarfile.open(archive) as files:
        members = sorted((member for member in files if member.name.endswith(".json")), key=lambda member: member.name)
        streams = [files.extractfile(member) for member in members]
        return [dump(parse(stream.read())) for stream in streams if stream is not None]


def main(folder: Path) -> None:
    """Write one file for each source."""
    served = {one["type"] for one in json.loads(CAPABILITIES.read_text())["rest"][0]["resource"]} | EXCHANGED
    OUTPUT.mkdir(parents=True, exist_ok=True)
    seen: set[bytes] = set()
    for source in SOURCES:
        lines = [line for line in examples(folder / "examples" / f"{source}-examples-half.tgz") if line not in seen]
        seen.update(lines)
        chosen = [line for line in lines if json.loads(line)["resourceType"] in served]
        (OUTPUT / f"{source}.ndjson.gz").write_bytes(gzip.compress(b"\n".join(chosen) + b"\n", 9, mtime=0))
        print(f"{source}: {len(chosen)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("/work/shared/data"))
