"""The life cycle of a referral (domain.md 5): a Task of code fulfill or inquiry, and the order that it carries out.

The table says who may move it from where to where, what the server then states as businessStatus, what the move needs, and what becomes
of the order (the ServiceRequest in `focus`). What is rejected or has failed leaves the order active: its clinic may ask elsewhere.
"""
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from recovery_api.domain.codes import CANON, concept, local
from recovery_api.fhir.errors import Conflict, Forbidden, Rule, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at, has_coding, objects_at, references_at

FULFILL, INQUIRY = ("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"), (f"{CANON}/CodeSystem/task-code", "inquiry")
BUSINESS_STATUS: Final = "referral-business-status"
STATUS_REASON: Final = f"{CANON}/CodeSystem/referral-status-reason"
REASONS: Final = frozenset({"no-capacity", "out-of-area", "higher-level-of-care", "client-declined", "lost-contact", "error"})
FIXED: Final = ("code", "focus", "for", "requester")
"""What makes a Task this referral, and nobody changes."""
NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "2.0": "Service request created",
        "3.0": "Service request accepted",
        "4.0": "Service request declined",
        "5.1.1": "Event scheduled",
        "5.1.2": "Event unattended",
        "5.1.3": "Event cancelled",
        "5.2": "Cancellation requested",
        "6.0": "Service request not fulfilled",
        "7.0": "Service request fulfilled",
    }
)
"""The codes of referral-business-status."""

STAYS = Rule("referral-fixed", Unprocessable, "A referral stays that of its order, client and requester.")
PARTY = Rule("referral-party", Forbidden, "A referral is moved by the clinic that requests it, and by case managers.", "forbidden")
START = Rule("referral-start", Unprocessable, "A referral does not begin as {}.")
MOVE = Rule("referral-move", Conflict, "A referral that is {} can't become {}.")
OUTPUT = Rule("referral-output", Unprocessable, "A referral is completed with what came of it: output.")
REASON = Rule("referral-reason", Unprocessable, f"It needs a statusReason, like {', '.join(sorted(REASONS))}.")

CLINIC, INTAKE, REQUESTER = "clinic", "intake", "requester"


class Move(NamedTuple):
    """A row of the table. Of several values of `business` the first is stated where the mover says none of them."""

    by: frozenset[str]
    business: tuple[str, ...] = ()
    needs: str = ""
    order: str = ""


_OURS, _EITHER, _ITS_REQUESTER = frozenset({INTAKE}), frozenset({CLINIC, INTAKE}), frozenset({REQUESTER})
_IN_ERROR = Move(_ITS_REQUESTER, order="entered-in-error")

MOVES: Final[Mapping[tuple[str | None, str], Move]] = MappingProxyType(
    {
        (None, "requested"): Move(_EITHER, ("2.0",), order="active"),
        ("requested", "accepted"): Move(_OURS, ("3.0",)),
        ("requested", "rejected"): Move(_OURS, ("4.0",), needs="statusReason"),
        ("requested", "cancelled"): Move(_EITHER, order="revoked"),
        ("requested", "entered-in-error"): _IN_ERROR,
        ("accepted", "in-progress"): Move(_OURS, ("5.1.1",)),
        ("accepted", "cancelled"): Move(_EITHER, order="revoked"),
        ("accepted", "entered-in-error"): _IN_ERROR,
        ("in-progress", "on-hold"): Move(_OURS, ("5.1.3", "5.1.2")),
        ("in-progress", "completed"): Move(_OURS, ("7.0",), needs="output", order="completed"),
        ("in-progress", "failed"): Move(_OURS, ("6.0",), needs="statusReason"),
        ("in-progress", "cancelled"): Move(_EITHER, ("5.2",), order="revoked"),
        ("in-progress", "entered-in-error"): _IN_ERROR,
        ("on-hold", "in-progress"): Move(_OURS, ("5.1.1",)),
        ("on-hold", "entered-in-error"): _IN_ERROR,
    }
)
OPEN: Final = frozenset(before for before, _ in MOVES if before)
"""The states from which a referral can still move; every other one is its end."""


def is_referral(task: JsonObject | None) -> bool:
    """Whether a Task is a referral, or an inquiry without a clinic."""
    return task is not None and (has_coding(task, "code", *FULFILL) or has_coding(task, "code", *INQUIRY))


def check(before: JsonObject | None, after: JsonObject, parties: Collection[str]) -> Move | None:
    """The move that a change makes by somebody who is these parties; None where the status stays.

    Raises Unprocessable for a wrong start, a change of what is fixed and a need that is not met, Conflict for a move that is not in the
    table or not theirs, Forbidden where they are none of the parties. (What a clinic may never write, its access row forbids.)
    """
    if before is not None and any(before.get(name) != after.get(name) for name in FIXED):
        raise STAYS.broken(at="Task")
    was, status = (before or {}).get("status"), after["status"]
    if was == status:
        return None
    if not parties:
        raise PARTY.broken(at="Task.status")
    move = MOVES.get((was, status))
    if move is None or not move.by & set(parties):
        if was is None:
            raise START.broken(status, at="Task.status")
        raise MOVE.broken(str(was), status, at="Task.status")
    _check_needs(move, after)
    return move


def _check_needs(move: Move, after: JsonObject) -> None:
    if move.needs == "output" and not after.get("output"):
        raise OUTPUT.broken(at="Task.output")
    if move.needs == "statusReason":
        reasons = objects_at(after, "statusReason.coding")
        unknown = any(one.get("system") == STATUS_REASON and one.get("code") not in REASONS for one in reasons)
        if unknown or not (any(one.get("code") for one in reasons) or at(after, "statusReason.text")):
            raise REASON.broken(at="Task.statusReason")


def stated(before: JsonObject | None, after: JsonObject, move: Move | None) -> JsonObject | None:
    """The businessStatus of a referral, which is the server's to say: by its move, else as it was; None for none."""
    if move is None or not move.business:
        return (before or {}).get("businessStatus")
    said = [one.get("code") for one in objects_at(after, "businessStatus.coding")]
    code = next((code for code in move.business if code in said), move.business[0])
    return concept(local(BUSINESS_STATUS, code, NAMES[code]))


def order_of(task: JsonObject) -> str | None:
    """The ServiceRequest that a referral carries out, "ServiceRequest/id"."""
    return next((one for one in references_at(task, "focus") if one.startswith("ServiceRequest/")), None)


def client_of(task: JsonObject) -> str | None:
    """The Patient whom a referral is for, "Patient/id"."""
    return next((one for one in references_at(task, "for") if one.startswith("Patient/")), None)
