"""What an export gives in the end: the list of its files.

The members are those of Bulk Data 2.0.0 (https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status), with what version
4 adds; `outcome` is its name for `error`.
"""
from collections.abc import Iterable, Sequence
from typing import Final

from recovery_api.domain.codes import CANON
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.bulk.export import OUTCOME, OUTPUT, SCOPE
from recovery_api.store.jobs import JobFile

TYPE: Final = "http://hl7.org/fhir/uv/bulkdata/StructureDefinition/BulkDataManifest"
NDJSON: Final = "application/fhir+ndjson"
CONSENTS: Final = f"{CANON}/StructureDefinition/export-consents"


def manifest(base: str, request: str, time: int, files: Sequence[JobFile]) -> JsonObject:
    """The manifest of an export. `time` is the stamp up to which everything is in the files; `base` is the server's."""
    outcomes, scope = ([*_listed(base, files, part)] for part in (OUTCOME, SCOPE))
    return {
        "manifestType": TYPE,
        "transactionTime": instant(time),
        "request": request,
        "requiresAccessToken": True,
        "outputFormat": NDJSON,
        "output": [*_listed(base, files, OUTPUT)],
        "error": outcomes,
        "outcome": outcomes,
        **({"extension": {CONSENTS: scope}} if scope else {}),
    }


def file_name(file: JobFile) -> str:
    """The name of a file in its address."""
    return f"{file.number}.{file.type}.ndjson"


def _listed(base: str, files: Iterable[JobFile], part: str) -> Iterable[JsonObject]:
    for file in files:
        if file.part == part:
            address = f"{base}/_jobs/{file.job}/{file_name(file)}"
            yield {"type": file.type, "url": address, "count": file.resources, "fileSize": file.size}
