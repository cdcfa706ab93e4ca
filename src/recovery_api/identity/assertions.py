"""What an API client with a key of its own proves itself with (RFC 7523; SMART App Launch 2.2, asymmetric client authentication).

The key decides the algorithm; keys and addresses that the assertion brings along are never looked at.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from jose import jws
from jose.exceptions import JOSEError

from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.json import JsonObject
from recovery_api.identity.claims import MICROSECONDS, SKEW, ClaimRefused, names_audience, text, time
from recovery_api.identity.endpoints import Endpoints
from recovery_api.identity.keys import CLIENT_ALGORITHMS, VerificationKey, verification_keys
from recovery_api.identity.ledger import Ledger
from recovery_api.identity.published_keys import PublishedKeys, fitting
from recovery_api.identity.registrations import Registration
from recovery_api.identity.secret_texts import digest
from recovery_api.identity.tokens import opened

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFE: Final = 300 * MICROSECONDS
"""How far ahead the end of an assertion may be."""


class Assertions:
    """Verifies the assertions of API clients; each is taken once, by one of all processes."""

    def __init__(self, ledger: Ledger, endpoints: Endpoints, audience: str, clock: Callable[[], int]) -> None:
        """`audience` is the address of the token endpoint, `clock` gives microseconds since the epoch."""
        self._ledger = ledger
        self._endpoints = endpoints
        self._audience = audience
        self._clock = clock
        self._published: dict[str, PublishedKeys] = {}

    async def proves(self, assertion: str, registration: Registration) -> bool:
        """Whether the assertion shows that this API client sent it, now and for the first time."""
        try:
            header, payload = opened(assertion)
            key = await self._key(registration, header.kid, header.algorithm)
            if key is None:
                return False
            jws.verify(assertion, key.key, key.algorithm)
            expires = self._checked(payload, registration.client_id)
        except (BadRequest, ValueError, JOSEError):
            return False
        await self._ledger.prune()
        once = digest(f"{registration.client_id} {payload['jti']}")
        return await self._ledger.add("assertion", once, owner=registration.client_id, expires=expires + SKEW)

    def _checked(self, payload: JsonObject, client_id: str) -> int:
        """When the assertion ends. Raises ClaimRefused."""
        now, expires = self._clock(), time(payload, "exp")
        if not (text(payload, "iss") == text(payload, "sub") == client_id):
            raise ClaimRefused("iss, sub: not this client")
        if not names_audience(payload, self._audience, alone=True):
            raise ClaimRefused("aud is not the token endpoint")
        if not now < expires <= now + LONGEST_LIFE + SKEW:
            raise ClaimRefused("exp is past, or too far ahead")
        if any(name in payload and time(payload, name) > now + SKEW for name in ("nbf", "iat")):
            raise ClaimRefused("nbf, iat: not valid yet")
        text(payload, "jti")
        return expires

    async def _key(self, registration: Registration, kid: str | None, algorithm: str) -> VerificationKey | None:
        if kid is None:
            return None
        if registration.jwks_uri is None:
            return fitting(verification_keys(registration.jwks or {}, CLIENT_ALGORITHMS), kid, algorithm)
        return await self._published_by(registration.jwks_uri).find(kid, algorithm)

    def _published_by(self, uri: str) -> PublishedKeys:
        if uri not in self._published:
            self._published[uri] = PublishedKeys(self._endpoints, self._clock, _at(uri), CLIENT_ALGORITHMS)
        return self._published[uri]


def _at(uri: str) -> Callable[[], Awaitable[str]]:
    async def address() -> str:
        return uri

    return address
