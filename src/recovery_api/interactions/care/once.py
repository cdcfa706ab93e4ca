"""What a round of a worker does once for each thing, whatever other workers do."""
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.context import Server
from recovery_api.store.writer import Writer

Act: TypeAlias = Callable[[Server, Writer, JsonObject], Awaitable[None]]


async def each_once(server: Server, things: Mapping[str, JsonObject], act: Act) -> None:
    """Do this for each thing, in a transaction of its own, unless it was done. The keys are the claims that stay when it is done.

    An act that could not be done releases its claim: it is tried again in the next round.
    """
    async with server.store.reader(server.grants.system) as reader:
        done = await reader.claimed(list(things))
    for claim, thing in things.items():
        if claim not in done:
            async with server.store.writer(server.grants.system) as writer:
                if await writer.claim(claim):
                    await act(server, writer, thing)
