"""The life cycle of a session (domain.md 1.3): an Encounter of type companion-session.

A client who asks for a break or declines is neutral: `onleave` and `cancelled` are states like the others.
"""
from collections.abc import Mapping
from types import MappingProxyType

SESSION_TYPE = ("https://recovery-api.example.org/fhir/CodeSystem/session-type", "companion-session")

STARTS: frozenset[str] = frozenset({"planned", "arrived", "in-progress", "finished"})
"""The states in which a session may be recorded first; `finished` for one that took place without the server."""

MOVES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "planned": frozenset({"arrived", "cancelled", "entered-in-error"}),
        "arrived": frozenset({"in-progress", "cancelled", "entered-in-error"}),
        "in-progress": frozenset({"onleave", "finished", "entered-in-error"}),
        "onleave": frozenset({"in-progress", "finished", "entered-in-error"}),
        "finished": frozenset({"entered-in-error"}),
        "cancelled": frozenset({"entered-in-error"}),
        "entered-in-error": frozenset[str](),
    }
)


def may_move(before: str, after: str) -> bool:
    """Whether a session in state `before` may become `after`; staying is no move."""
    return before == after or after in MOVES.get(before, frozenset())
