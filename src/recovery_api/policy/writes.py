"""The named rules that a write must keep: pure predicates over the caller and the resource before and after.

Each name here stands in `definitions/access-policy.toml`. `before` is None for a create, `after` is None for a delete.
Sources: domain.md 4.1 with its corrections and completions, 4.2, and world.md decisions 10, 12, 19.
"""
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from recovery_api.domain.codes import CANON
from recovery_api.domain.requests import SYSTEM, TERMS
from recovery_api.fhir.errors import Forbidden, Rule
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.fhir.shipped import published_urls
from recovery_api.identity.actor import Actor

HL7_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


class Change(NamedTuple):
    """What a caller wants to do to a resource."""

    actor: Actor
    before: JsonObject | None
    after: JsonObject | None

    @property
    def versions(self) -> list[JsonObject]:
        """The resource before and after, as far as there is one."""
        return [version for version in (self.before, self.after) if version is not None]


class WriteRule(NamedTuple):
    """A rule and the sentence that says what it asks for."""

    says: str
    kept: Callable[[Change], bool]


def rule(name: str) -> Rule:
    """The write rule of this name, as what refuses a change that does not keep it."""
    return Rule(name, Forbidden, RULES[name].says, "forbidden")


def _names(change: Change, path: str) -> bool:
    return all(change.actor.holder in references_at(version, path) for version in change.versions)


def _changed(change: Change) -> set[str]:
    before, after = change.before or {}, change.after or {}
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} - {"meta", "text"}


def _only(change: Change, *elements: str) -> bool:
    return change.before is None or change.after is None or _changed(change) <= set(elements)


def _own_session(change: Change) -> bool:
    return _names(change, "participant.individual")


def _session_moved_by_those_in_it(change: Change) -> bool:
    before, after = change.before, change.after
    if before is None or after is None or not has_coding(after, "type", f"{CANON}/CodeSystem/session-type", "companion-session"):
        return True
    corrected = after.get("status") in (before.get("status"), "cancelled", "entered-in-error")
    return corrected or change.actor.holder in references_at(before, "participant.individual")


def _session_corrected_inside(change: Change) -> bool:
    before, after = change.before or {}, change.after or {}
    return before.get("status") not in {"finished", "cancelled"} or after.get("status") != "entered-in-error"


def _own_observation(change: Change) -> bool:
    session = [has_coding(v, "category", f"{CANON}/CodeSystem/observation-category", "companion-session") for v in change.versions]
    boundary = [has_coding(v, "code", f"{CANON}/CodeSystem/companion-observation", "boundary-event") for v in change.versions]
    survey = change.before is None and change.after is not None and has_coding(change.after, "category", HL7_CATEGORY, "survey")
    allowed = survey or all(session) or (change.before is None and all(boundary) and _boundary_kept_apart(change))
    return allowed and _names(change, "performer")


def _own_response(change: Change) -> bool:
    return all(not version.get("author") or change.actor.holder in references_at(version, "author") for version in change.versions)


def _is_form(resource: JsonObject | None) -> bool:
    return resource is not None and has_coding(resource, "category", f"{CANON}/CodeSystem/document-category", "consent-form")


def _is_counseling(resource: JsonObject | None) -> bool:
    return resource is not None and has_coding(resource, "type", f"{CANON}/CodeSystem/note-type", "counseling-note")


def _own_draft(change: Change) -> bool:
    if _is_counseling(change.after) and change.actor.role != "case-manager":
        return False
    if change.before is None and _is_form(change.after) and change.actor.role == "case-manager":
        return True
    return _names(change, "author") and all(
        version.get("docStatus") == "preliminary" and "authenticator" not in version for version in change.versions
    )


def _own_message(change: Change) -> bool:
    after = change.after or {}
    supervision = has_coding(after, "category", f"{CANON}/CodeSystem/communication-category", "supervision")
    return _names(change, "sender") and (not supervision or change.actor.role != "companion" or bool(after.get("inResponseTo")))


def _own_task(change: Change) -> bool:
    kept = ("supervision-check-in", "escalation")
    return not any(has_coding(version, "code", f"{CANON}/CodeSystem/task-code", code) for version in change.versions for code in kept)


def _acknowledged_by_owner(change: Change) -> bool:
    before, after = change.before or {}, change.after or {}
    accepted = after.get("status") == "accepted" and before.get("status") != "accepted"
    if not accepted or not has_coding(after, "code", f"{CANON}/CodeSystem/task-code", "escalation"):
        return True
    return change.actor.holder in references_at(after, "owner")


def _own_referral(change: Change) -> bool:
    requester = change.actor.holder if change.actor.role == "treatment-team" else change.actor.organization
    if any(requester not in list(references_at(version, "requester")) for version in change.versions):
        return False
    if change.before is None or change.after is None:
        return True
    withdrawn = {"Task": ("cancelled", "entered-in-error"), "ServiceRequest": ("revoked", "entered-in-error")}[change.after["resourceType"]]
    moved = change.before.get("status") != change.after.get("status")
    return _only(change, "status", "statusReason", "note", "input", "lastModified") and (
        not moved or change.after.get("status") in withdrawn
    )


def _own_request(change: Change) -> bool:
    codes = [next((code for code in TERMS if has_coding(one, "code", SYSTEM, code)), None) for one in change.versions]
    if not all(codes) or not _names(change, "requester"):
        return False
    withdrawn = change.after is not None and change.after.get("status") == "cancelled"
    return change.before is None or (withdrawn and _only(change, "status", "statusReason", "note", "lastModified"))


def _referral_content(change: Change) -> bool:
    return change.after is None or "link" not in change.after


def _proposed_goal(change: Change) -> bool:
    if change.before is None:
        return change.after is not None and change.after.get("lifecycleStatus") == "proposed"
    return _only(change, "achievementStatus", "statusDate", "statusReason", "note", "outcomeCode", "outcomeReference")


def _own_survey(change: Change) -> bool:
    return all(has_coding(version, "category", HL7_CATEGORY, "survey") for version in change.versions) and _names(change, "performer")


def _revocation(change: Change) -> bool:
    after = change.after or {}
    return after.get("status") == "inactive" and _only(change, "status", "extension", "verification")


def _own_consent(change: Change) -> bool:
    return _names(change, "performer") if change.before is None else _revocation(change)


def _never_revoked_by_staff(change: Change) -> bool:
    before, after = change.before or {}, change.after or {}
    return after.get("status") != "inactive" or before.get("status") == "inactive"


def _boundary_kept_apart(change: Change) -> bool:
    return all(
        "subject" not in version and any(holder.startswith("Practitioner/") for holder in references_at(version, "focus"))
        for version in change.versions
        if has_coding(version, "code", f"{CANON}/CodeSystem/companion-observation", "boundary-event")
    )


def _own_delete(change: Change) -> bool:
    return change.after is not None or _names(change, "performer")


def _switched_off(change: Change) -> bool:
    return change.after is not None and change.after.get("status") == "off" and _only(change, "status")


def _not_published(change: Change) -> bool:
    said = [(version["resourceType"], version.get("url")) for version in change.versions]
    return all(url is None or (type, str(url)) not in published_urls() for type, url in said)


RULES: Mapping[str, WriteRule] = MappingProxyType(
    {
        "own-session": WriteRule("A companion writes the sessions in which she takes part herself.", _own_session),
        "session-corrected": WriteRule("A session that is over is corrected by a case manager.", _session_corrected_inside),
        "session-moved": WriteRule(
            "Those who take part take a session from state to state; a case manager cancels or corrects it.", _session_moved_by_those_in_it
        ),
        "own-observation": WriteRule(
            "A companion writes Observations of category companion-session or survey, or boundary events about staff, as their performer.",
            _own_observation,
        ),
        "own-response": WriteRule("A QuestionnaireResponse is written by its author.", _own_response),
        "own-draft": WriteRule(
            "A note is written by its author, and only while it is preliminary and not signed; a counseling note by a case manager.",
            _own_draft,
        ),
        "own-message": WriteRule(
            "A Communication is written by its sender; a companion writes about supervision in response to one about herself.", _own_message
        ),
        "own-task": WriteRule("A check-in or an escalation is written by the case manager who holds it.", _own_task),
        "acknowledged-by-owner": WriteRule("An escalation is accepted by its owner.", _acknowledged_by_owner),
        "own-referral": WriteRule(
            "A referral is written by the organization that requests it, which may then withdraw it or add notes and input.", _own_referral
        ),
        "own-request": WriteRule(
            "A client asks, as the Task's requester, to amend or to restrict their record, and may withdraw what they asked.", _own_request
        ),
        "referral-content": WriteRule("What comes with a referral is linked to no other Patient.", _referral_content),
        "proposed-goal": WriteRule("A goal is proposed here, and only its progress is updated.", _proposed_goal),
        "own-survey": WriteRule("The client adds survey Observations as their performer.", _own_survey),
        "own-consent": WriteRule("A consent is given by its performer, and then only revoked (status inactive).", _own_consent),
        "revocation-only": WriteRule("A privacy officer may only revoke a consent (status inactive).", _revocation),
        "never-revoked-by-staff": WriteRule(
            "Only the client, their representative or a privacy officer revokes a consent.", _never_revoked_by_staff
        ),
        "boundary-kept-apart": WriteRule("A boundary event has no subject and is about a Practitioner (focus).", _boundary_kept_apart),
        "not-published": WriteRule("The definitions that come with the program change with the program alone.", _not_published),
        "switched-off": WriteRule("An operator switches a Subscription off (status off), and changes nothing else in it.", _switched_off),
        "own-delete": WriteRule("Only its performer deletes an Observation.", _own_delete),
    }
)
