"""read and vread (https://hl7.org/fhir/R4/http.html#read, #vread)."""
from recovery_api.fhir.errors import Gone, NotFound
from recovery_api.fhir.json import load
from recovery_api.fhir.media_types import FHIR_JSON
from recovery_api.interactions import renditions
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.disclosure import disclosure
from recovery_api.interactions.preconditions import not_modified
from recovery_api.interactions.present import copied, looks_the_same, present
from recovery_api.interactions.shown import shown
from recovery_api.interactions.unit import Reading
from recovery_api.store.records import Record


async def read(reading: Reading) -> FhirResult:
    """The current version. Raises NotFound, or Gone for those who may read the last version before its deletion."""
    request = reading.request
    record = await reading.reader.read(request.type or "", request.id or "")
    if record is None or record.body is None:
        if await reading.reader.deleted(request.type or "", request.id or "") is not None:
            raise Gone
        raise NotFound
    return await _found(reading, record)


async def vread(reading: Reading) -> FhirResult:
    """One version. Raises NotFound, or Gone where the version is a deletion."""
    request, server = reading.request, reading.server
    text = request.version or ""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise NotFound
    record = await reading.reader.vread(request.type or "", request.id or "", int(text))
    if record is None:
        raise NotFound
    if record.body is None:
        raise Gone
    if server.grants.is_granular(request.actor, "r", record.type) and not server.grants.admits(
        request.actor, "r", copied(server, request.actor, record).seen, record.client
    ):
        raise NotFound
    return await _found(reading, record)


async def _found(reading: Reading, record: Record) -> FhirResult:
    told = await shown(reading.reader, (record,))
    wanted = renditions.chosen(reading.request, renditions.offered_of(load(record.body or b""))) if reading.request.accept else FHIR_JSON
    if wanted == FHIR_JSON and looks_the_same(reading.server, reading.request.actor, record) and not_modified(reading.request, record):
        return FhirResult(304, None, record.version, record.last_updated, shown=told)
    body = await present(reading.server, reading.request.actor, reading.reader, record)
    consents, noticed = disclosure(reading.request.actor, (record,))
    result = FhirResult(200, body, record.version, record.last_updated, shown=told, consents=consents, noticed=noticed)
    if wanted == FHIR_JSON:
        return result
    return await renditions.of_binary(reading.server, reading.request, reading.reader, result, wanted)
