"""The work of recovery around a write: what must hold of what is stored already, and what the server then does by itself.

All of it is in the write's own transaction. What can be said of a resource alone is in `domain`; here is what needs the store.
"""
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from recovery_api.interactions.care.escalations import complete_task, follow_observation
from recovery_api.interactions.care.instruments import score_response
from recovery_api.interactions.care.written import Written

Step: TypeAlias = Callable[[Written], Awaitable[None]]

PREPARING: Mapping[str, Sequence[Step]] = MappingProxyType(
    {
        "Task": (complete_task,),
    }
)
"""By type, what is done before a version is stored: raise where it must not be, or complete it in place."""
FOLLOWING: Mapping[str, Sequence[Step]] = MappingProxyType(
    {
        "Observation": (follow_observation,),
        "QuestionnaireResponse": (score_response, follow_observation),
    }
)
"""By type, what is done when a version is stored: make or change what follows from it (`interactions/make.py`)."""


async def prepare(written: Written) -> None:
    """Hold a version that is about to be stored to what is there, and complete it. Raises Unprocessable, Conflict or Forbidden."""
    for step in PREPARING.get(written.type, ()):
        await step(written)


async def follow(written: Written) -> None:
    """Do what follows from a version that has been stored. What it raises undoes the write."""
    for step in FOLLOWING.get(written.type, ()):
        await step(written)
