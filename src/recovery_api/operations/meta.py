"""$meta: the profiles, tags and security labels of a resource (https://hl7.org/fhir/R4/resource-operation-meta.html)."""
from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.json import load
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.present import present
from recovery_api.interactions.shown import shown
from recovery_api.operations.frame import Operating


async def meta(operating: Operating) -> FhirResult:
    """The `meta` of the current version, as the caller would read it. Raises NotFound as a read does."""
    operating.given()
    server, request = operating.server, operating.request
    async with server.store.reader(server.grants.sight(request.actor, "r", server.clock())) as reader:
        record = await reader.read(request.type or "", request.id or "")
        if record is None:
            raise NotFound
        resource = load(await present(server, request.actor, reader, record))
        told = await shown(reader, [record])
    return operating.answer(**{"return": resource["meta"]})._replace(shown=told)
