"""External OpenID providers whose tokens are taken: their keys by JWKS, their claims in our words."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

from recovery_api.fhir.json import Json, JsonObject
from recovery_api.identity.actor import ROLES
from recovery_api.identity.claims import MICROSECONDS, ClaimRefused
from recovery_api.identity.endpoints import EndpointRefused, Endpoints
from recovery_api.identity.keys import VerificationKey, verification_keys
from recovery_api.identity.scopes import ROLE_PREFIX, Scopes

USUALLY_KEPT, SHORTEST_KEPT, LONGEST_KEPT = 3600, 60, 86_400
"""Seconds that keys are kept: where their sender does not say, at least, and at most."""

PAUSE = 30
"""Seconds between two fetches for the same issuer that were not due: an unknown `kid`, or a fetch that failed."""

_logger = logging.getLogger(__name__)


class Trusted(Protocol):
    """What the setting TRUSTED_ISSUERS says of one issuer."""

    @property
    def issuer(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def jwks_uri(self) -> str | None: ...
    @property
    def claims(self) -> Mapping[str, str]: ...
    @property
    def roles(self) -> Mapping[str, str]: ...


class Issuer:
    """One trusted issuer, with the keys that it publishes now."""

    def __init__(self, trusted: Trusted, endpoints: Endpoints, clock: Callable[[], int], scopes_of: Callable[[str], str]) -> None:
        """`clock` gives microseconds since the epoch; `scopes_of` gives all the scopes that a role may be granted."""
        self.audience = trusted.audience
        self._trusted = trusted
        self._endpoints = endpoints
        self._clock = clock
        self._scopes_of = scopes_of
        self._keys: tuple[VerificationKey, ...] = ()
        self._due = 0
        self._next = 0
        self._fetching = asyncio.Lock()

    async def key(self, kid: str | None, algorithm: str) -> VerificationKey | None:
        """The issuer's key of that name and algorithm; without a name, its only one of the algorithm. None: it has none now."""
        found = self._find(kid, algorithm)
        if found is not None and self._clock() < self._due:
            return found
        async with self._fetching:
            now = self._clock()
            if now >= self._next and (now >= self._due or self._find(kid, algorithm) is None):
                await self._fetch(now)
        return self._find(kid, algorithm) if self._clock() < self._due else None

    def mapped(self, payload: JsonObject) -> JsonObject:
        """The payload in our words: fhirUser and organization from the claims that the setting names, one role from theirs.

        Resource scopes are its own; a token that has none gets all that its role may be granted.
        Raises ClaimRefused where not exactly one of our roles is meant.
        """
        names = self._trusted.claims
        words = _words(payload.get(names.get("role", "role")))
        roles = {self._trusted.roles[word] for word in words if word in self._trusted.roles}
        if len(roles) != 1:
            raise ClaimRefused("the role claim means no role, or several")
        role = roles.pop()
        asked = Scopes.parse(" ".join(_words(payload.get("scope", payload.get("scp")))))
        scope = " ".join((ROLE_PREFIX + role, *map(str, asked.resources))) if asked.resources else self._scopes_of(role)
        ours = {name: payload.get(names.get(name, name)) for name in ("fhirUser", "organization")}
        return payload | ours | {"scope": scope}

    def _find(self, kid: str | None, algorithm: str) -> VerificationKey | None:
        fitting = [key for key in self._keys if key.algorithm == algorithm and kid in {None, key.kid}]
        return fitting[0] if len(fitting) == 1 else None

    async def _fetch(self, now: int) -> None:
        self._next = now + PAUSE * MICROSECONDS
        try:
            fetched = await self._endpoints.fetch(self._trusted.jwks_uri or await self._discovered())
            self._keys = verification_keys(fetched.value)
        except (EndpointRefused, ValueError) as error:
            _logger.warning("The keys of a trusted issuer can't be had: %s", error)
            return
        kept = USUALLY_KEPT if fetched.max_age is None else fetched.max_age
        self._due = now + min(max(kept, SHORTEST_KEPT), LONGEST_KEPT) * MICROSECONDS

    async def _discovered(self) -> str:
        address = f"{self._trusted.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = (await self._endpoints.fetch(address)).value
        if found.get("issuer") != self._trusted.issuer or not isinstance(found.get("jwks_uri"), str):
            raise EndpointRefused(f"{address} speaks of another issuer, or names no jwks_uri.")
        return found["jwks_uri"]


class Issuers:
    """All the trusted issuers."""

    def __init__(self, trusted: Sequence[Trusted], endpoints: Endpoints, clock: Callable[[], int], scopes_of: Callable[[str], str]) -> None:
        """As for Issuer, for each of them. Raises ValueError where a role of ours that a setting names is none."""
        for entry in trusted:
            if unknown := set(entry.roles.values()) - ROLES.keys():
                raise ValueError(f"RECOVERY_TRUSTED_ISSUERS maps to the unknown role {min(unknown)!r}; there are {', '.join(ROLES)}.")
        self._issuers = {entry.issuer: Issuer(entry, endpoints, clock, scopes_of) for entry in trusted}

    def find(self, name: Json) -> Issuer | None:
        """The issuer of that very name (`iss`), if it is trusted."""
        return self._issuers.get(name) if isinstance(name, str) else None


def _words(value: Json) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [word for word in cast(list[object], value) if isinstance(word, str)] if isinstance(value, list) else []
