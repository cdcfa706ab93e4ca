"""The rules that a written resource is held to beyond FHIR's own, by its type."""
from collections.abc import Callable, Mapping
from types import MappingProxyType

from recovery_api.domain.consents import CONSENT, check_complete
from recovery_api.domain.episodes import check_care_team, check_episode
from recovery_api.domain.sessions import SESSION, SESSION_TYPE
from recovery_api.domain.supervision import check_cadence, check_task
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding


def check(before: JsonObject | None, after: JsonObject) -> None:
    """Raise Unprocessable or Conflict where a change breaks a rule. `before` is None for a new resource."""
    rule = RULES.get(after["resourceType"])
    if rule is not None:
        rule(before, after)


def _consent(before: JsonObject | None, after: JsonObject) -> None:
    check_complete(after)
    CONSENT.check(before["status"] if before else None, after["status"])


def _practitioner_role(_: JsonObject | None, after: JsonObject) -> None:
    check_cadence(after)


def _encounter(before: JsonObject | None, after: JsonObject) -> None:
    if has_coding(after, "type", *SESSION_TYPE):
        SESSION.check(before["status"] if before else None, after["status"])


RULES: Mapping[str, Callable[[JsonObject | None, JsonObject], None]] = MappingProxyType(
    {
        "CareTeam": check_care_team,
        "Consent": _consent,
        "Encounter": _encounter,
        "EpisodeOfCare": check_episode,
        "PractitionerRole": _practitioner_role,
        "Task": check_task,
    }
)
