"""Rules of writing are asked before anybody looks at structure: whatever JSON was sent, they answer."""
import pytest

from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import Json
from recovery_api.identity.actor import Actor
from recovery_api.identity.scopes import Scopes
from recovery_api.policy.writes import RULES, Change

WRONG: tuple[Json, ...] = ([], {}, [[]], None, True, 3, "", [{"reference": []}])
ELEMENTS = (
    "status", "lifecycleStatus", "docStatus", "url", "code", "category", "type", "participant", "performer", "author", "focus", "link",
)  # fmt: skip
TYPES = {"own-referral": "Task"}


def caller(role: str) -> Actor:
    return Actor(role, "Practitioner/maya", "Organization/org-cir", None, None, Scopes.parse(""), "TREAT", False, "jti", 0)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("role", ["companion", "case-manager", "referrer"])
def test_every_rule_says_yes_or_no_of_whatever_was_sent(name: str, role: str) -> None:
    type = TYPES.get(name, "Encounter")
    session = {"coding": [{"system": f"{CANON}/CodeSystem/session-type", "code": "companion-session"}]}
    before = {"resourceType": type, "status": "planned", "type": [session], "requester": {"reference": "Organization/org-cir"}}
    for element in ELEMENTS:
        for wrong in WRONG:
            sent = before | {element: wrong}
            for change in (Change(caller(role), None, sent), Change(caller(role), before, sent)):
                assert RULES[name].kept(change) in {True, False}
