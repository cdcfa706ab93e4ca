"""The rules that a written resource is held to beyond FHIR's own, by its type."""
from collections.abc import Callable, Mapping
from types import MappingProxyType

from recovery_api.domain import escalations, patient_tasks
from recovery_api.domain.care_plans import CARE_PLAN
from recovery_api.domain.consents import CONSENT, check_complete
from recovery_api.domain.episodes import check_care_team, check_episode
from recovery_api.domain.escalation_rules import is_rule, rule_of
from recovery_api.domain.goals import GOAL
from recovery_api.domain.instruments import RESPONSE, check_response
from recovery_api.domain.notes import check_document
from recovery_api.domain.sessions import check_session
from recovery_api.domain.subscriptions import check_subscription
from recovery_api.domain.supervision import check_cadence, check_task
from recovery_api.fhir.json import JsonObject


def check(before: JsonObject | None, after: JsonObject) -> None:
    """Raise Unprocessable or Conflict where a change breaks a rule. `before` is None for a new resource."""
    rule = RULES.get(after["resourceType"])
    if rule is not None:
        rule(before, after)


def _care_plan(before: JsonObject | None, after: JsonObject) -> None:
    CARE_PLAN.check(before["status"] if before else None, after["status"])


def _consent(before: JsonObject | None, after: JsonObject) -> None:
    check_complete(after)
    CONSENT.check(before["status"] if before else None, after["status"])


def _goal(before: JsonObject | None, after: JsonObject) -> None:
    GOAL.check(before["lifecycleStatus"] if before else None, after["lifecycleStatus"])


def _plan_definition(before: JsonObject | None, after: JsonObject) -> None:
    del before
    if is_rule(after):
        rule_of(after)


def _questionnaire_response(before: JsonObject | None, after: JsonObject) -> None:
    if check_response(after):
        RESPONSE.check(before["status"] if before else None, after["status"])


def _task(before: JsonObject | None, after: JsonObject) -> None:
    patient_tasks.check(after)
    if escalations.is_escalation(before) or escalations.is_escalation(after):
        escalations.check(before, after)
    else:
        check_task(before, after)


def _practitioner_role(_: JsonObject | None, after: JsonObject) -> None:
    check_cadence(after)


RULES: Mapping[str, Callable[[JsonObject | None, JsonObject], None]] = MappingProxyType(
    {
        "CarePlan": _care_plan,
        "CareTeam": check_care_team,
        "Consent": _consent,
        "DocumentReference": check_document,
        "Encounter": check_session,
        "EpisodeOfCare": check_episode,
        "Goal": _goal,
        "PlanDefinition": _plan_definition,
        "PractitionerRole": _practitioner_role,
        "QuestionnaireResponse": _questionnaire_response,
        "Subscription": check_subscription,
        "Task": _task,
    }
)
