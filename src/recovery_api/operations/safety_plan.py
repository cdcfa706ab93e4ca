"""Patient/{id}/$safety-plan: what is needed when it gets hard, in one call (domain.md 1.2, step 5; 2.1)."""
from recovery_api.domain.codes import SCT, THO
from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.json import load
from recovery_api.fhir.paths import has_coding
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.collected import all_of, collection
from recovery_api.operations.frame import Operating
from recovery_api.policy.decide import allowed_types
from recovery_api.store.records import Record

CRISIS_PLAN = ("category", f"{SCT}|736253002")
SAFETY = (f"{THO}flag-category", "safety")
ACTIVE = ("status", "active")


async def safety_plan(operating: Operating) -> FhirResult:
    """A collection: the active crisis plans, and the active safety Flags as far as the caller reads Flags.

    Raises NotFound where the Patient is not there for the caller.
    """
    server, request = operating.server, operating.request
    async with server.store.reader(server.grants.sight(request.actor, "r", server.clock())) as reader:
        if await reader.read("Patient", request.id or "") is None:
            raise NotFound
        plans = await all_of(operating, reader, "CarePlan", CRISIS_PLAN, ACTIVE)
        flags = await all_of(operating, reader, "Flag") if "Flag" in allowed_types(server.matrix, request.actor, "r") else []
        return await collection(operating, reader, [*plans, *filter(_warns, flags)])


def _warns(record: Record) -> bool:
    flag = load(record.body or b"")
    return flag["status"] == "active" and has_coding(flag, "category", *SAFETY)
