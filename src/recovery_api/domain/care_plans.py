"""The life cycle of a care plan or safety plan (domain.md 1.2, step 5)."""
from types import MappingProxyType

from recovery_api.domain.life_cycle import LifeCycle

CARE_PLAN = LifeCycle(
    name="care-plan",
    what="A care plan",
    at="CarePlan.status",
    starts=frozenset({"draft", "active"}),
    moves=MappingProxyType(
        {
            "draft": frozenset({"active", "revoked", "entered-in-error"}),
            "active": frozenset({"on-hold", "completed", "revoked", "entered-in-error"}),
            "on-hold": frozenset({"active", "completed", "revoked", "entered-in-error"}),
            "completed": frozenset({"entered-in-error"}),
            "revoked": frozenset({"entered-in-error"}),
            "entered-in-error": frozenset[str](),
            "unknown": frozenset({"draft", "active", "on-hold", "completed", "revoked", "entered-in-error"}),
        }
    ),
)
