"""The keys that somebody publishes as a JWK Set: fetched when they are needed, and kept as long as their sender says."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from recovery_api.identity.claims import MICROSECONDS
from recovery_api.identity.endpoints import EndpointRefused, Endpoints
from recovery_api.identity.keys import ISSUER_ALGORITHMS, Algorithms, VerificationKey, verification_keys

USUALLY_KEPT, SHORTEST_KEPT, LONGEST_KEPT = 3600, 60, 86_400
"""Seconds that keys are kept: where their sender does not say, at least, and at most."""

PAUSE = 30
"""Seconds between two fetches that were not due: an unknown `kid`, or a fetch that failed."""

_logger = logging.getLogger(__name__)


class PublishedKeys:
    """The keys of one JWK Set, as it is published now."""

    def __init__(
        self,
        endpoints: Endpoints,
        clock: Callable[[], int],
        address: Callable[[], Awaitable[str]],
        algorithms: Algorithms = ISSUER_ALGORITHMS,
    ) -> None:
        """`clock` gives microseconds since the epoch; `address` gives where the set is, or raises EndpointRefused."""
        self._endpoints = endpoints
        self._clock = clock
        self._address = address
        self._algorithms = algorithms
        self._keys: tuple[VerificationKey, ...] = ()
        self._due = 0
        self._next = 0
        self._fetching = asyncio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> VerificationKey | None:
        """The key of that name and algorithm; without a name, the only one of the algorithm. None: there is none now."""
        found = fitting(self._keys, kid, algorithm)
        if found is not None and self._clock() < self._due:
            return found
        async with self._fetching:
            now = self._clock()
            if now >= self._next and (now >= self._due or fitting(self._keys, kid, algorithm) is None):
                await self._fetch(now)
        return fitting(self._keys, kid, algorithm) if self._clock() < self._due else None

    async def _fetch(self, now: int) -> None:
        self._next = now + PAUSE * MICROSECONDS
        try:
            fetched = await self._endpoints.fetch(await self._address())
            self._keys = verification_keys(fetched.value, self._algorithms)
        except (EndpointRefused, ValueError) as error:
            _logger.warning("Published keys can't be had: %s", error)
            return
        kept = USUALLY_KEPT if fetched.max_age is None else fetched.max_age
        self._due = now + min(max(kept, SHORTEST_KEPT), LONGEST_KEPT) * MICROSECONDS


def fitting(keys: tuple[VerificationKey, ...], kid: str | None, algorithm: str) -> VerificationKey | None:
    """The one key of that name (None: any) and algorithm, if there is exactly one."""
    found = [key for key in keys if key.algorithm == algorithm and kid in {None, key.kid}]
    return found[0] if len(found) == 1 else None
