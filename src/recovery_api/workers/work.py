"""Background work, done again and again until the server stops. What several workers may do at once is kept apart by the database."""
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from recovery_api.interactions.audit_events import project
from recovery_api.interactions.care import expiring_consents, missed_sessions, supervision_check_ins
from recovery_api.interactions.care.identity import screen
from recovery_api.interactions.care.session_check_ins import miss
from recovery_api.interactions.care.unacknowledged import reassign_due
from recovery_api.interactions.context import Server
from recovery_api.interactions.notifying.delivering import sweep
from recovery_api.workers import jobs
from recovery_api.workers.attempts import again
from recovery_api.workers.deliver import deliver

PAUSE: Final = 60.0
"""Seconds between two rounds."""

ROUNDS: Final[Sequence[tuple[Callable[[Server], Awaitable[object]], str]]] = (
    (project, "The audit records can't be made AuditEvents now."),
    (reassign_due, "The escalations that are due can't be passed on now."),
    (miss, "The check-ins that were missed can't be told now."),
    (missed_sessions.tell, "The sessions that were missed can't be told now."),
    (supervision_check_ins.plan_all, "The next check-ins can't be planned now."),
    (expiring_consents.tell_all, "Whose consents end soon can't be told now."),
    (screen, "Referrals can't be matched now."),
    (sweep, "The Subscriptions that have ended can't be closed now."),
    (jobs.sweep, "Jobs that have expired can't be forgotten now."),
)
"""What is done each minute, and what is said where it fails."""


async def work(server: Server) -> None:
    """All background work, until it is cancelled: a round each minute; subscribers are told at once, and jobs are done as they come."""
    async with asyncio.TaskGroup() as rounds:
        rounds.create_task(deliver(server))
        for task, complaint in ROUNDS:
            rounds.create_task(again(partial(task, server), complaint, PAUSE))
        rounds.create_task(jobs.run(server))


async def keep_anchored(server: Server) -> None:
    """Anchor this process's audit chain each minute, until it is cancelled."""
    await again(server.audit.anchor, "The audit chain can't be anchored now.", PAUSE)
