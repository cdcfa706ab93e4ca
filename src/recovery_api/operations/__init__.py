"""FHIR operations, one module per operation code; this is where they are registered."""
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from recovery_api.fhir.errors import Issue, NotFound
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.operations.meta_change import meta_add, meta_delete
from recovery_api.operations.validate import validate

OPERATIONS: Mapping[str, Callable[[Server, FhirRequest], Awaitable[FhirResult]]] = MappingProxyType(
    {"meta-add": meta_add, "meta-delete": meta_delete, "validate": validate}
)


async def operate(server: Server, request: FhirRequest) -> FhirResult:
    """Run an operation. Raises NotFound for one that does not exist here."""
    operation = OPERATIONS.get(request.operation or "")
    if operation is None:
        raise NotFound(Issue("not-supported", f"There is no operation ${(request.operation or '')[:64]} here."))
    return await operation(server, request)
