"""The rules that a written resource is held to beyond FHIR's own, by its type."""
from collections.abc import Callable, Mapping
from types import MappingProxyType

from recovery_api.domain.consents import CONSENT, check_complete
from recovery_api.domain.notes import check_document
from recovery_api.domain.sessions import check_session
from recovery_api.fhir.json import JsonObject


def check(before: JsonObject | None, after: JsonObject) -> None:
    """Raise Unprocessable or Conflict where a change breaks a rule. `before` is None for a new resource."""
    rule = RULES.get(after["resourceType"])
    if rule is not None:
        rule(before, after)


def _consent(before: JsonObject | None, after: JsonObject) -> None:
    check_complete(after)
    CONSENT.check(before["status"] if before else None, after["status"])


RULES: Mapping[str, Callable[[JsonObject | None, JsonObject], None]] = MappingProxyType(
    {"Consent": _consent, "DocumentReference": check_document, "Encounter": check_session}
)
