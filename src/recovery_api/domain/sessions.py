"""Sessions (domain.md 1.3): an Encounter of type companion-session, its life cycle, and the times that go with it.

A client who asks for a break or declines is neutral: `onleave` and `cancelled` are states like the others.
"""
from collections.abc import Iterator
from itertools import pairwise
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from recovery_api.domain.codes import CANON, PARTICIPATION, concept, local
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.fhir.errors import Rule, Unprocessable
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at, has_coding, references_at
from recovery_api.fhir.search.dates import implicit_range

SESSION_TYPE: Final = (f"{CANON}/CodeSystem/session-type", "companion-session")
GOING_ON: Final = frozenset({"in-progress", "onleave"})
TO_COME: Final = frozenset({"planned", "arrived"})
CANCELLED: Final = "http://hl7.org/fhir/StructureDefinition/encounter-reasonCancelled"
"""The extension of R4 that says why a planned Encounter was cancelled."""
REASONS: Final = MappingProxyType(
    {
        "client-declined": "The client chose not to meet",
        "companion-unavailable": "The companion could not come",
        "engagement-ended": "The engagement ended",
        "unsafe-environment": "The place was not safe",
    }
)
"""Why a session is cancelled, in the words that people read."""
REASON_SYSTEM: Final = f"{CANON}/CodeSystem/session-cancellation"

STAYS = Rule("session-type", Unprocessable, "A session stays a session: its type can't be taken away.")
SAYS_WHY = Rule(
    "session-cancellation",
    Unprocessable,
    f"A cancelled session says why: the extension {CANCELLED} with one of {', '.join(REASONS)}.",
)
TO_BE = Rule("session-times", Unprocessable, "That is still to come.")
SAYS_WHEN = Rule("session-times", Unprocessable, "A finished session says when it began and ended.")
ENDS_LATER = Rule("session-times", Unprocessable, "A session ends after it began.")
HISTORY = Rule(
    "session-history",
    Unprocessable,
    "The history is not one that a session can have: states that follow each other, each with its period.",
)
SESSION = LifeCycle(
    name="session",
    what="A session",
    at="Encounter.status",
    starts=frozenset({"planned", "arrived", "in-progress", "finished"}),  # finished: it took place without the server
    moves=MappingProxyType(
        {
            "planned": frozenset({"arrived", "cancelled", "entered-in-error"}),
            "arrived": frozenset({"in-progress", "cancelled", "entered-in-error"}),
            "in-progress": frozenset({"onleave", "finished", "entered-in-error"}),
            "onleave": frozenset({"in-progress", "finished", "entered-in-error"}),
            "finished": frozenset({"entered-in-error"}),
            "cancelled": frozenset({"entered-in-error"}),
            "entered-in-error": frozenset[str](),
        }
    ),
)


def is_session(encounter: JsonObject | None) -> bool:
    """Whether the Encounter, if there is one, is a companion's session."""
    return encounter is not None and has_coding(encounter, "type", *SESSION_TYPE)


def companions_of(session: JsonObject) -> list[str]:
    """Who holds the session: participants without a type, or primary performers ("Practitioner/id")."""
    holding = [each for each in session.get("participant", ()) if "type" not in each or has_coding(each, "type", PARTICIPATION, "PPRF")]
    return [who for each in holding for who in references_at(each, "individual") if who.startswith("Practitioner/")]


def check_session(before: JsonObject | None, after: JsonObject) -> None:
    """Hold a change of an Encounter to the life cycle where it is, or was, a session. Raises Unprocessable or Conflict."""
    if is_session(before) and not is_session(after):
        raise STAYS.broken(at="Encounter.type")
    if is_session(after):
        if after["status"] == "cancelled" and cancellation_of(after) not in REASONS:
            raise SAYS_WHY.broken(at="Encounter.extension")
        SESSION.check(before["status"] if before else None, after["status"])


def cancellation_of(session: JsonObject) -> str | None:
    """The code that says why the session is cancelled."""
    for extension in session.get("extension", ()):
        if extension.get("url") == CANCELLED:
            for coding in at(extension, "valueCodeableConcept.coding"):
                if coding.get("system") == REASON_SYSTEM:
                    return coding.get("code")
    return None


def cancelled(session: JsonObject, reason: str) -> JsonObject:
    """The session, cancelled for one of REASONS."""
    why = {"url": CANCELLED, "valueCodeableConcept": concept(local("session-cancellation", reason, REASONS[reason]))}
    return session | {"status": "cancelled", "extension": [*session.get("extension", ()), why]}


def begin(session: JsonObject, now: str) -> None:
    """Complete a new session, in place, that begins at the instant `now`. One that is finished is taken as it is told."""
    if session["status"] != "finished":
        session.pop("statusHistory", None)
    if session["status"] in GOING_ON:
        session["period"] = {"start": session.get("period", {}).get("start", now)}


def go_on(before: JsonObject, after: JsonObject, began: str, now: int, zone: ZoneInfo) -> None:
    """Complete the next version of a session, in place: its history is the server's, and so are times that nobody tells.

    `began` is when the state before it began, `now` is in microseconds, UTC. What was planned gives way to when it began; a time to
    come, of a clock that is ahead or of a plan, is now.
    """
    moves, moment = before["status"] != after["status"], instant(now)

    def past(told: str | None) -> str:
        return moment if told is None or implicit_range(told, zone).low > now else told

    gone = [{"status": before["status"], "period": {"start": began, "end": moment}}] if moves else []
    after.pop("statusHistory", None)
    if history := [*before.get("statusHistory", ()), *gone]:
        after["statusHistory"] = history
    period: JsonObject = before.get("period", {}) | after.get("period", {})
    if after["status"] in GOING_ON and before["status"] in TO_COME:
        is_told = after.get("period") != before.get("period")
        after["period"] = {"start": past(period.get("start") if is_told else None)}
    elif after["status"] in GOING_ON:
        after["period"] = {"start": past(period.get("start"))}
    elif after["status"] == "finished" and moves:
        after["period"] = period | {"start": past(period.get("start")), "end": past(period.get("end"))}


def state_began(session: JsonObject) -> str | None:
    """When the present state began, as the history tells; None where it has no past."""
    return next(reversed(at(session, "statusHistory.period.end")), None)


def check_times(session: JsonObject, now: int, zone: ZoneInfo) -> None:
    """Raise Unprocessable where something began or ended later than `now` (microseconds, UTC), or before what came first.

    A session that is told when it is over says when it was, and its history is one that could have been.
    """
    issues = [TO_BE.issue(at=place) for place, moment in _moments(session) if implicit_range(moment, zone).low > now]
    period = session.get("period", {})
    if session["status"] == "finished":
        issues += [SAYS_WHEN.issue(at=f"Encounter.period.{name}") for name in ("start", "end") if name not in period]
        if not issues and implicit_range(period["end"], zone).high < implicit_range(period["start"], zone).low:
            issues = [ENDS_LATER.issue(at="Encounter.period")]
    if issues:
        raise Unprocessable(*issues)


def check_history(session: JsonObject, zone: ZoneInfo) -> None:
    """Raise Unprocessable where the states that a session tells of itself could not have followed each other."""
    told: list[JsonObject] = session.get("statusHistory", [])
    states = [*(each["status"] for each in told), session["status"]]
    starts = [implicit_range(start, zone).low for start in at(session, "statusHistory.period.start")]
    follow = all(after in SESSION.moves.get(before, ()) for before, after in pairwise(states))
    if told and (states[0] not in SESSION.starts or not follow or len(starts) != len(told) or starts != sorted(starts)):
        raise HISTORY.broken(at="Encounter.statusHistory")


def _moments(session: JsonObject) -> Iterator[tuple[str, str]]:
    """What has happened already, as the session tells: where that stands, and when it was."""
    if session["status"] in GOING_ON | {"finished"}:
        yield from ((f"Encounter.period.{name}", moment) for name, moment in session.get("period", {}).items() if name in {"start", "end"})
    for path in ("start", "end"):
        yield from ((f"Encounter.statusHistory.period.{path}", moment) for moment in at(session, f"statusHistory.period.{path}"))
