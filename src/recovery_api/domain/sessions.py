"""The life cycle of a session (domain.md 1.3): an Encounter of type companion-session.

A client who asks for a break or declines is neutral: `onleave` and `cancelled` are states like the others.
"""
from types import MappingProxyType

from recovery_api.domain.life_cycle import LifeCycle

SESSION_TYPE = ("https://recovery-api.example.org/fhir/CodeSystem/session-type", "companion-session")

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
