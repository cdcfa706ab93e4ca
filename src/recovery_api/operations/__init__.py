"""FHIR operations, one module per operation code; this is where they are registered."""
from recovery_api.fhir.capability import operations
from recovery_api.fhir.errors import Issue, MethodNotAllowed, NotFound
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.operations.break_glass import break_glass
from recovery_api.operations.check_in import check_in
from recovery_api.operations.cosign import cosign
from recovery_api.operations.cover import cover
from recovery_api.operations.disclosure_accounting import disclosure_accounting
from recovery_api.operations.docref import docref
from recovery_api.operations.document import document
from recovery_api.operations.evaluate_escalation import evaluate_escalation
from recovery_api.operations.evaluate_measure import evaluate_measure
from recovery_api.operations.events import events
from recovery_api.operations.everything import everything
from recovery_api.operations.expand import expand
from recovery_api.operations.explain_access import explain_access
from recovery_api.operations.export import export
from recovery_api.operations.frame import Operating, registered
from recovery_api.operations.get_ws_binding_token import get_ws_binding_token
from recovery_api.operations.goal_progress import goal_progress
from recovery_api.operations.handover import handover
from recovery_api.operations.import_ import import_
from recovery_api.operations.language_check import language_check
from recovery_api.operations.lastn import lastn
from recovery_api.operations.lookup import lookup
from recovery_api.operations.match import match
from recovery_api.operations.match_companion import match_companion
from recovery_api.operations.meta import meta
from recovery_api.operations.meta_add import meta_add
from recovery_api.operations.meta_delete import meta_delete
from recovery_api.operations.outcome_series import outcome_series
from recovery_api.operations.preview import preview
from recovery_api.operations.return_note import return_note
from recovery_api.operations.safety_plan import safety_plan
from recovery_api.operations.session_summary import session_summary
from recovery_api.operations.set_pace import set_pace
from recovery_api.operations.status import status
from recovery_api.operations.submit import submit
from recovery_api.operations.subsumes import subsumes
from recovery_api.operations.supervision_worklist import supervision_worklist
from recovery_api.operations.trigger_timeline import trigger_timeline
from recovery_api.operations.validate import validate
from recovery_api.operations.validate_code import validate_code
from recovery_api.policy.decide import decide_operation

OPERATIONS = registered(
    {
        "break-glass": break_glass,
        "check-in": check_in,
        "cosign": cosign,
        "cover": cover,
        "disclosure-accounting": disclosure_accounting,
        "docref": docref,
        "document": document,
        "evaluate-escalation": evaluate_escalation,
        "evaluate-measure": evaluate_measure,
        "events": events,
        "everything": everything,
        "expand": expand,
        "explain-access": explain_access,
        "get-ws-binding-token": get_ws_binding_token,
        "export": export,
        "goal-progress": goal_progress,
        "handover": handover,
        "language-check": language_check,
        "group-export": export,
        "import": import_,
        "lastn": lastn,
        "lookup": lookup,
        "match": match,
        "match-companion": match_companion,
        "meta": meta,
        "meta-add": meta_add,
        "meta-delete": meta_delete,
        "outcome-series": outcome_series,
        "patient-export": export,
        "preview": preview,
        "return-note": return_note,
        "safety-plan": safety_plan,
        "session-summary": session_summary,
        "set-pace": set_pace,
        "status": status,
        "submit": submit,
        "subsumes": subsumes,
        "supervision-worklist": supervision_worklist,
        "trigger-timeline": trigger_timeline,
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
    named = (one for one in OPERATIONS.values() if one.definition["code"] == request.operation)
    operation = next((one for one in named if one.stands_at(request.type, request.id)), None)
    if operation is None:
        raise NotFound(Issue("not-supported", f"There is no operation ${(request.operation or '')[:64]} here."))
    if request.method != "POST" and operation.needs_body:
        raise MethodNotAllowed("This operation changes something, or takes what no query holds: ask for it by POST.")
    decide_operation(server.matrix, request.actor, operation.definition["code"], request.type or "")
    return await operation.run(Operating(server, request, operation))
