"""Callers that were let in before: a token is verified once, and known by its SHA-256 as long as it is valid."""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from recovery_api.fhir.errors import Unauthorized
from recovery_api.identity.actor import Actor, actor
from recovery_api.identity.claims import Claims


class Callers:
    """The callers behind bearer tokens, the most recent `most` of them remembered."""

    def __init__(
        self,
        verify: Callable[[str], Awaitable[Claims]],
        base: str,
        clock: Callable[[], int],
        organization_of: Callable[[str], Awaitable[str | None]] | None = None,
        revoked: Callable[[Collection[str | None]], Awaitable[bool]] | None = None,
        most: int = 10_000,
    ) -> None:
        """`verify` gives a token's claims or raises Unauthorized, `base` is the server's FHIR base, `clock` gives microseconds
        since the epoch. `organization_of` is asked, once per token, for the organization of staff whose token names none;
        `revoked` is asked at each request whether one of a token's jti, grant and client_id was revoked.
        """
        self._verify = verify
        self._base = base
        self._clock = clock
        self._organization_of = organization_of
        self._revoked = revoked
        self._most = most
        self._known: OrderedDict[bytes, Actor] = OrderedDict()

    def known(self, token: str) -> Actor | None:
        """The caller behind a token that was verified before and has not expired; None where it must be verified."""
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        caller = self._known.get(digest)
        if caller is None:
            return None
        if caller.expires <= self._clock():
            del self._known[digest]
            return None
        self._known.move_to_end(digest)
        return caller

    async def actor(self, token: str) -> Actor:
        """The caller behind a token. Raises Unauthorized."""
        caller = self.known(token) or await self._verified(token)
        if self._revoked is not None and await self._revoked((caller.jti, caller.grant, caller.client_id)):
            raise Unauthorized
        return caller

    async def of(self, claims: Claims) -> Actor:
        """The caller that verified claims speak of, with the organization of staff. Raises Unauthorized."""
        caller = actor(claims, self._base)
        if caller.organization is None and self._organization_of is not None and caller.holder.startswith("Practitioner/"):
            return replace(caller, organization=await self._organization_of(caller.holder))
        return caller

    def forget(self) -> None:
        """Verify every token again when it comes next: after a revocation, or when a person's organization changed."""
        self._known.clear()

    async def _verified(self, token: str) -> Actor:
        if not token.isascii():
            raise Unauthorized
        caller = await self.of(await self._verify(token))
        self._known[hashlib.sha256(token.encode()).digest()] = caller
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return caller
