"""An engagement from referral to discharge: the life cycles of EpisodeOfCare and CareTeam, and what ends with them (domain.md 1.2)."""
from types import MappingProxyType

from recovery_api.domain.codes import concept, local, structure
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.domain.requests import TERMS
from recovery_api.fhir.errors import Rule, Unprocessable
from recovery_api.fhir.json import JsonObject

EPISODE = LifeCycle(
    name="episode",
    what="An episode of care",
    at="EpisodeOfCare.status",
    starts=frozenset({"planned", "waitlist", "active"}),
    moves=MappingProxyType(
        {
            "planned": frozenset({"waitlist", "active", "cancelled", "entered-in-error"}),
            "waitlist": frozenset({"planned", "active", "cancelled", "entered-in-error"}),
            "active": frozenset({"onhold", "finished", "entered-in-error"}),
            "onhold": frozenset({"active", "finished", "cancelled", "entered-in-error"}),
            "finished": frozenset({"entered-in-error"}),
            "cancelled": frozenset({"entered-in-error"}),
            "entered-in-error": frozenset[str](),
        }
    ),
)
CARE_TEAM = LifeCycle(
    name="care-team",
    what="A care team",
    at="CareTeam.status",
    starts=frozenset({"proposed", "active"}),
    moves=MappingProxyType(
        {
            "proposed": frozenset({"active", "inactive", "entered-in-error"}),
            "active": frozenset({"suspended", "inactive", "entered-in-error"}),
            "suspended": frozenset({"active", "inactive", "entered-in-error"}),
            "inactive": frozenset({"entered-in-error"}),
            "entered-in-error": frozenset[str](),
        }
    ),
)
UNDER_WAY = ("planned", "waitlist", "active", "onhold")
DISCHARGE_REASON = structure("discharge-reason")
REASONS = frozenset({"planned", "client-initiated", "lost-contact", "higher-level-of-care", "deceased"})
REASON = Rule("discharge-reason", Unprocessable, f"The reason of a discharge is one of {', '.join(sorted(REASONS))}.")
STAYING = frozenset({"escalation", "emergency-review", "session-timer", *TERMS})
"""Task codes of ours that a discharge does not end: an escalation is closed with its outcome, a companion who is in a session is waited
for, a review and an answer to what the client has asked of their record are owed to the law."""


def check_episode(before: JsonObject | None, after: JsonObject) -> None:
    """Raise Conflict for a move that is not in the table, Unprocessable for a start that is none and a reason that is not known."""
    EPISODE.check(before["status"] if before else None, after["status"])
    said = [each.get("valueCode") for each in after.get("extension", ()) if each.get("url") == DISCHARGE_REASON]
    if len(said) > 1 or not REASONS.issuperset(said):
        raise REASON.broken(at="EpisodeOfCare.extension")


def check_care_team(before: JsonObject | None, after: JsonObject) -> None:
    """Raise Conflict for a move that is not in the table; a team without a status is active."""
    CARE_TEAM.check(before.get("status", "active") if before else None, after.get("status", "active"))


def with_history(before: JsonObject | None, after: JsonObject, moment: str) -> JsonObject:
    """The episode with the states that it has been through: the server's own word, whatever was sent. `moment`: now, an instant."""
    past: list[JsonObject] = list(before.get("statusHistory", ())) if before else []
    if before and before["status"] != after["status"]:
        since = past[-1]["period"].get("end") if past else before.get("period", {}).get("start", before["meta"]["lastUpdated"])
        past = [*past, {"status": before["status"], "period": {"start": since, "end": moment}}]
    kept = {name: value for name, value in after.items() if name != "statusHistory"}
    return kept | ({"statusHistory": past} if past else {})


def begun(episode: JsonObject, moment: str) -> JsonObject:
    """The episode when its first session begins: active, with what it was before."""
    return with_history(episode, {**episode, "status": "active"}, moment)


def closed_team(team: JsonObject, moment: str, still: frozenset[int]) -> JsonObject:
    """The team when its engagement ends: inactive, and over for all who were members now. `still`: their places."""
    members: list[JsonObject] = [
        {**each, "period": {**each.get("period", {}), "end": moment}} if place in still else each
        for place, each in enumerate(team.get("participant", ()))
    ]
    said = {**team, "status": "inactive", "period": {**team.get("period", {}), "end": moment}}
    return said | ({"participant": members} if members else {})


def ended_task(task: JsonObject, moment: str) -> JsonObject:
    """A Task that the end of an engagement cancels."""
    reason = concept(local("task-status-reason", "discharge", "The engagement ended"))
    return {**task, "status": "cancelled", "statusReason": reason, "lastModified": moment}
