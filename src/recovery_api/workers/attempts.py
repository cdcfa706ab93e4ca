"""Work in the background that may fail: what went wrong is in the log, and it is tried again."""
import asyncio
import logging
from collections.abc import Awaitable, Callable

from recovery_api.fhir.errors import FhirError

log = logging.getLogger(__name__)


async def attempt(task: Callable[[], Awaitable[object]], complaint: str) -> None:
    """Do a task, or log the complaint: with what went wrong, where nobody foresaw it."""
    try:
        await task()
    except FhirError:
        log.warning(complaint)
    except Exception:
        log.exception(complaint)


async def again(task: Callable[[], Awaitable[object]], complaint: str, pause: float) -> None:
    """Do a task again and again, with so many seconds between, until it is cancelled."""
    while True:
        await attempt(task, complaint)
        await asyncio.sleep(pause)
