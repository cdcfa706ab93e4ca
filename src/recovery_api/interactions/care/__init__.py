"""The work of recovery around a write: what must hold of what is stored already, and what the server then does by itself.

All of it is in the write's own transaction. What can be said of a resource alone is in `domain`; here is what needs the store.
"""
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from recovery_api.interactions.care.appointments import plan_session
from recovery_api.interactions.care.notes import (
    keep_fingerprint,
    not_while_read,
    replaces_what_was_signed,
    reviewed_by_its_operations,
    text_of_own_draft,
)
from recovery_api.interactions.care.session_check_ins import watch
from recovery_api.interactions.care.sessions import be_alone, be_complete, keep_times
from recovery_api.interactions.care.written import Written

Step: TypeAlias = Callable[[Written], Awaitable[None]]

PREPARING: Mapping[str, Sequence[Step]] = MappingProxyType(
    {
        "Binary": (text_of_own_draft,),
        "DocumentReference": (not_while_read,),
        "Encounter": (keep_times,),
        "Task": (reviewed_by_its_operations,),
    }
)
"""By type, what is done before a version is stored: raise where it must not be, or complete it in place."""
FOLLOWING: Mapping[str, Sequence[Step]] = MappingProxyType(
    {
        "Appointment": (plan_session,),
        "Binary": (keep_fingerprint,),
        "DocumentReference": (replaces_what_was_signed,),
        "Encounter": (be_alone, be_complete, watch),
    }
)
"""By type, what is done when a version is stored: make or change what follows from it (`interactions/make.py`)."""
REMOVING: Mapping[str, Sequence[Step]] = MappingProxyType({"DocumentReference": (not_while_read,)})
"""By type, what must hold when a resource is deleted: `before` and `after` are its last version."""


async def prepare(written: Written) -> None:
    """Hold a version that is about to be stored to what is there, and complete it. Raises Unprocessable, Conflict or Forbidden."""
    for step in PREPARING.get(written.type, ()):
        await step(written)


async def let_go(written: Written) -> None:
    """Hold a resource that is about to be deleted to what is there. Raises Conflict."""
    for step in REMOVING.get(written.type, ()):
        await step(written)


async def follow(written: Written) -> None:
    """Do what follows from a version that has been stored. What it raises undoes the write."""
    for step in FOLLOWING.get(written.type, ()):
        await step(written)
