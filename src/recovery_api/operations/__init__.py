"""FHIR operations, one module per operation code; this is where they are registered."""
from recovery_api.fhir.capability import operations
from recovery_api.fhir.errors import Issue, MethodNotAllowed, NotFound
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.operations.break_glass import break_glass
from recovery_api.operations.disclosure_accounting import disclosure_accounting
from recovery_api.operations.everything import everything
from recovery_api.operations.expand import expand
from recovery_api.operations.explain_access import explain_access
from recovery_api.operations.frame import Operating, registered
from recovery_api.operations.lookup import lookup
from recovery_api.operations.meta import meta
from recovery_api.operations.meta_add import meta_add
from recovery_api.operations.meta_delete import meta_delete
from recovery_api.operations.preview import preview
from recovery_api.operations.subsumes import subsumes
from recovery_api.operations.validate import validate
from recovery_api.operations.validate_code import validate_code
from recovery_api.policy.decide import decide_operation

OPERATIONS = registered(
    {
        "break-glass": break_glass,
        "disclosure-accounting": disclosure_accounting,
        "everything": everything,
        "expand": expand,
        "explain-access": explain_access,
        "lookup": lookup,
        "meta": meta,
        "meta-add": meta_add,
        "meta-delete": meta_delete,
        "preview": preview,
        "subsumes": subsumes,
        "validate": validate,
        "validate-code": validate_code,
    },
    operations(),
)


async def operate(server: Server, request: FhirRequest) -> FhirResult:
    """Run an operation.

    Raises NotFound for one that does not exist here, MethodNotAllowed where it can't be asked for by GET, and Forbidden, before
    anything is looked up, for those who may not ask for it.
    """
    operation = OPERATIONS.get(request.operation or "")
    if operation is None or not operation.stands_at(request.type, request.id):
        raise NotFound(Issue("not-supported", f"There is no operation ${(request.operation or '')[:64]} here."))
    if request.method != "POST" and operation.needs_body:
        raise MethodNotAllowed("This operation changes something, or takes what no query holds: ask for it by POST.")
    decide_operation(server.matrix, request.actor, operation.definition["code"], request.type or "")
    return await operation.run(Operating(server, request, operation))
