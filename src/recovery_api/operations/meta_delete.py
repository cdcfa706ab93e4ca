"""$meta-delete: profiles, tags and labels less, without a new version (https://hl7.org/fhir/R4/resource-operation-meta-delete.html)."""
from recovery_api.interactions import meta
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating


async def meta_delete(operating: Operating) -> FhirResult:
    """The resulting `meta`. Raises what `interactions/meta.py` says."""
    found = await meta.delete(operating.server, operating.request, operating.given().one("meta"))
    return operating.answer(**{"return": found})._replace(recorded=True)
