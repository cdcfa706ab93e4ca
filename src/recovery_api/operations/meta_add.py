"""$meta-add: profiles, tags and labels more, without a new version (https://hl7.org/fhir/R4/resource-operation-meta-add.html)."""
from recovery_api.interactions import meta
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating


async def meta_add(operating: Operating) -> FhirResult:
    """The resulting `meta`. Raises what `interactions/meta.py` says."""
    found = await meta.add(operating.server, operating.request, operating.given().one("meta"))
    return operating.answer(**{"return": found})._replace(recorded=True)
