"""What clients may ask for about their record: to amend it, or to restrict who sees it (45 CFR 164.522, 164.526; 42 CFR 2.26).

Each is a Task that the client makes or withdraws and a case manager decides, by a deadline that the server sets.
"""
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from recovery_api.domain.codes import CANON
from recovery_api.fhir.errors import Conflict, Rule, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at, has_coding

SYSTEM: Final = f"{CANON}/CodeSystem/task-code"
FIXED: Final = ("authoredOn", "code", "description", "for", "input", "owner", "requester")
"""What was asked, by whom, of whom: nobody changes it."""

STAYS = Rule("request-fixed", Unprocessable, "What a client has asked for stays as it was asked.")
START = Rule("request-start", Unprocessable, "A request does not begin as {}.")
MOVE = Rule("request-move", Conflict, "A request that is {} can't become {}.")
OUTPUT = Rule("request-output", Unprocessable, "It is completed with what was done: output.")
REASON = Rule("request-reason", Unprocessable, "The client is told why: statusReason, in plain words.")


class Term(NamedTuple):
    """In how many days a request must be decided, and how many more there may be, once, with a reason (0: none)."""

    days: int
    extension: int = 0


TERMS: Final[Mapping[str, Term]] = MappingProxyType(
    {
        "amendment-request": Term(60, 30),  # 45 CFR 164.526(b)(2)
        "restriction-request": Term(30),  # the law names no term: this is ours
    }
)


class Move(NamedTuple):
    """A row of the table: the roles that may move a request so, and the element that the move needs."""

    roles: frozenset[str]
    needs: str = ""


_EITHER, _STAFF, _CLIENT = frozenset({"client", "case-manager"}), frozenset({"case-manager"}), frozenset({"client"})

MOVES: Final[Mapping[tuple[str | None, str], Move]] = MappingProxyType(
    {
        (None, "requested"): Move(_EITHER),
        ("requested", "accepted"): Move(_STAFF),
        ("requested", "rejected"): Move(_STAFF, needs="statusReason"),
        ("requested", "on-hold"): Move(_STAFF, needs="statusReason"),  # the term is extended
        ("requested", "cancelled"): Move(_CLIENT),
        ("on-hold", "accepted"): Move(_STAFF),
        ("on-hold", "rejected"): Move(_STAFF, needs="statusReason"),
        ("on-hold", "cancelled"): Move(_CLIENT),
        ("accepted", "completed"): Move(_STAFF, needs="output"),
    }
)


def code_of(task: JsonObject | None) -> str | None:
    """The code of a client's request; None for any other Task."""
    return next((code for code in TERMS if task is not None and has_coding(task, "code", SYSTEM, code)), None)


def check(before: JsonObject | None, after: JsonObject, role: str) -> None:
    """Hold a request to the table. Raises Unprocessable and Conflict."""
    code, was, status = code_of(after), (before or {}).get("status"), after["status"]
    if before is not None and (code_of(before) != code or any(before.get(name) != after.get(name) for name in FIXED)):
        raise STAYS.broken(at="Task")
    if was == status:
        return
    move = MOVES.get((was, status))
    if was is None and move is None:
        raise START.broken(status, at="Task.status")
    if move is None or role not in move.roles or (status == "on-hold" and not TERMS[code or ""].extension):
        raise MOVE.broken(str(was), status, at="Task.status")
    if move.needs == "output" and not after.get("output"):
        raise OUTPUT.broken(at="Task.output")
    told = at(after, "statusReason.text") or at(after, "statusReason.coding.code")
    if move.needs == "statusReason" and (not told or after["statusReason"] == (before or {}).get("statusReason")):
        raise REASON.broken(at="Task.statusReason")


def deadline(code: str, asked: datetime, status: str) -> datetime:
    """When a request must be decided; `on-hold` has the extension too."""
    term = TERMS[code]
    return asked + timedelta(days=term.days + (term.extension if status == "on-hold" else 0))
