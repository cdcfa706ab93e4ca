"""Subscribers are told what happens: each second what was written is matched, and the endpoints that are due are called."""
import asyncio
from functools import partial
from typing import Final

from recovery_api.interactions.context import Server
from recovery_api.interactions.notifying.delivering import attend
from recovery_api.interactions.notifying.matching import match_all
from recovery_api.store.subscriptions import due
from recovery_api.workers.attempts import attempt

PAUSE: Final = 1.0
"""Seconds between two looks."""
MOST: Final = 50
"""Endpoints that are called at once."""


async def deliver(server: Server) -> None:
    """Match and call, until it is cancelled. A slow endpoint holds up nobody else's."""
    called: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as calls:

        async def call_the_due() -> None:
            async with server.store.reader(server.grants.system) as reader:
                waiting = await due(reader, server.clock())
            for id in waiting:
                if id not in called and len(called) < MOST:
                    called[id] = calls.create_task(attempt(partial(attend, server, id), "A subscriber can't be told now."))

        while True:
            await attempt(partial(match_all, server), "What was written can't be matched now.")
            for id in [id for id, call in called.items() if call.done()]:
                del called[id]
            await attempt(call_the_due, "Subscribers can't be told now.")
            await asyncio.sleep(PAUSE)
