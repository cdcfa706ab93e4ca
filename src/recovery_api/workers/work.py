"""Background work, done again and again until the server stops. What several workers may do at once is kept apart by the database."""
import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from recovery_api.fhir.errors import FhirError
from recovery_api.interactions.audit_events import project
from recovery_api.interactions.care import check_ins, expiring_consents
from recovery_api.interactions.context import Server

PAUSE: Final = 60.0
"""Seconds between two rounds."""

log = logging.getLogger(__name__)


WORK: Final[Mapping[str, Callable[[Server], Awaitable[object]]]] = {
    "The audit records can't be made AuditEvents now.": project,
    "The next check-ins can't be planned now.": check_ins.plan_all,
    "Whose consents end soon can't be told now.": expiring_consents.tell_all,
}
"""What is done in each round, by what is said where it can't be done."""


async def work(server: Server) -> None:
    """All background work, a round each minute, until it is cancelled."""
    await asyncio.gather(*(again(partial(task, server), complaint) for complaint, task in WORK.items()))


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
