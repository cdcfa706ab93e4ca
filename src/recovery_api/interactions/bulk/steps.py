"""A step of a job: what a worker does at a time, and what it has come to by then."""
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from recovery_api.interactions.context import Server
from recovery_api.policy.audit import Facts
from recovery_api.store.jobs import Job, JobFile
from recovery_api.store.writer import Writer


class Withdrawn(Exception):
    """What the job rests on holds no more: there shall be nothing of it."""


class Step(NamedTuple):
    """What a step came to: it is kept as a whole, in one transaction, or not at all."""

    progress: bytes
    files: Sequence[JobFile] = ()
    facts: Sequence[Facts] = ()
    """What was disclosed, for the audit."""
    is_last: bool = False
    also: Callable[[Writer], Awaitable[None]] | None = None
    """What else is written."""


Steps: TypeAlias = Callable[[Server, Job], Awaitable[Step]]
"""Does the next step of a job. Raises Withdrawn."""
