"""Subscribers are told what happens: each second what was written is matched, and the endpoints that are due are called."""
import asyncio
import logging
from typing import Final

from recovery_api.fhir.errors import FhirError
from recovery_api.interactions.context import Server
from recovery_api.interactions.notifying.delivering import attend
from recovery_api.interactions.notifying.matching import match_all
from recovery_api.store.subscriptions import due

PAUSE: Final = 1.0
"""Seconds between two looks."""
MOST: Final = 50
"""Endpoints that are called at once."""

log = logging.getLogger(__name__)


async def deliver(server: Server) -> None:
    """Match and call, until it is cancelled. A slow endpoint holds up nobody else's."""
    called: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as calls:
        while True:
            called = {id: call for id, call in called.items() if not call.done()}
            for id in await _due(server):
                if id not in called and len(called) < MOST:
                    called[id] = calls.create_task(_attend(server, id))
            await asyncio.sleep(PAUSE)


async def _due(server: Server) -> list[str]:
    try:
        await match_all(server)
        async with server.store.reader(server.grants.system) as reader:
            return await due(reader, server.clock())
    except FhirError:
        log.warning("What was written can't be matched now.")
    except Exception:
        log.exception("What was written can't be matched now.")
    return []


async def _attend(server: Server, id: str) -> None:
    try:
        await attend(server, id)
    except FhirError:
        log.warning("A subscriber can't be told now.")
    except Exception:
        log.exception("A subscriber can't be told now.")
