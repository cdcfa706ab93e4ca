"""Background work, done again and again until the server stops. What several workers may do at once is kept apart by the database."""
import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from recovery_api.fhir.errors import FhirError
from recovery_api.interactions.audit_events import project
from recovery_api.interactions.care.identity import screen
from recovery_api.interactions.context import Server

PAUSE: Final = 60.0
"""Seconds between two rounds."""

log = logging.getLogger(__name__)


async def work(server: Server) -> None:
    """All background work, a round each minute, until it is cancelled."""
    await asyncio.gather(
        again(lambda: project(server), "The audit records can't be made AuditEvents now."),
        again(lambda: screen(server), "Referrals can't be matched now."),
    )


async def keep_anchored(server: Server) -> None:
    """Anchor this process's audit chain each minute, until it is cancelled."""
    await again(server.audit.anchor, "The audit chain can't be anchored now.")


async def again(task: Callable[[], Awaitable[object]], complaint: str) -> None:
    """Do a task each minute, also when it failed before."""
    while True:
        try:
            await task()
        except FhirError:
            log.warning(complaint)
        except Exception:
            log.exception(complaint)
        await asyncio.sleep(PAUSE)
