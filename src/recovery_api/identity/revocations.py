"""What was revoked before its time: no process honours it any more when the revocation is answered.

A process asks for the list when what it knows is older than LEASE, and not at every request. A revocation is therefore answered
when LEASE has passed since it was written: by then every process has asked again (docs/decisions/0020).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from recovery_api.identity.claims import MICROSECONDS
from recovery_api.identity.ledger import Ledger

LEASE: Final = MICROSECONDS // 2
"""Microseconds that a process may rely on what it was told."""

_KIND: Final = "revoked"


class Revocations:
    """The marks (a token's jti, a grant, a client_id) whose tokens count no more."""

    def __init__(self, ledger: Ledger, clock: Callable[[], int], pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """`clock` gives microseconds since the epoch; `pause` waits for some seconds."""
        self._ledger = ledger
        self._clock = clock
        self._pause = pause
        self._asked = -LEASE
        self._marks: frozenset[str] = frozenset()
        self._asking = asyncio.Lock()

    async def include(self, marks: Collection[str | None]) -> bool:
        """Whether one of the marks was revoked, in whatever process."""
        if not self._is_fresh():
            async with self._asking:
                if not self._is_fresh():
                    await self._ask()
        return not self._marks.isdisjoint(marks)

    async def add(self, *marks: str, until: int) -> None:
        """Revoke the marks; returns when that holds in every process. `until`: the stamp at which the last of their tokens expires."""
        for mark in marks:
            await self._ledger.add(_KIND, mark, expires=until)
        self._marks |= set(marks)
        await self._pause(LEASE / MICROSECONDS)

    def _is_fresh(self) -> bool:
        return 0 <= self._clock() - self._asked < LEASE

    async def _ask(self) -> None:
        now = self._clock()
        self._marks = frozenset(entry.key for entry in await self._ledger.entries(_KIND))
        self._asked = now
