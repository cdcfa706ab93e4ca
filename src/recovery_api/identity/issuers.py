"""External OpenID providers whose tokens are taken: their keys by JWKS, their claims in our words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

from recovery_api.fhir.json import Json, JsonObject
from recovery_api.identity.actor import ROLES
from recovery_api.identity.claims import ClaimRefused
from recovery_api.identity.endpoints import EndpointRefused, Endpoints
from recovery_api.identity.keys import VerificationKey
from recovery_api.identity.published_keys import PublishedKeys
from recovery_api.identity.scopes import ROLE_PREFIX, Scopes


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
        self._scopes_of = scopes_of
        self._keys = PublishedKeys(endpoints, clock, self._address)

    async def key(self, kid: str | None, algorithm: str) -> VerificationKey | None:
        """The issuer's key of that name and algorithm; without a name, its only one of the algorithm. None: it has none now."""
        return await self._keys.find(kid, algorithm)

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

    async def _address(self) -> str:
        if self._trusted.jwks_uri is not None:
            return self._trusted.jwks_uri
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
