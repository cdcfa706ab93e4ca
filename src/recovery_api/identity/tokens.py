"""Access tokens: signed, and verified to the last claim (RFC 7519, RFC 8725, RFC 9068).

The key decides the algorithm, never the token: a key is found by its issuer and `kid` alone, verifies with one algorithm, and
the header must say the same. Keys that a header brings along (jwk, jku, x5c, x5u) are never looked at; `crit` is refused.
"""

import logging
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jose import jws
from jose.exceptions import JOSEError
from uuid_utils import uuid7

from recovery_api.fhir import json
from recovery_api.fhir.errors import BadRequest, Unauthorized
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.identity import claims as read_claims
from recovery_api.identity.claims import MICROSECONDS, ClaimRefused, Claims, names_audience
from recovery_api.identity.issuers import Issuers
from recovery_api.identity.keys import KeyRing

LONGEST = 8192
"""Characters of the longest token that is looked at."""

TYPE = "at+jwt"

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_logger = logging.getLogger(__name__)


class Header(NamedTuple):
    """What counts of a JWS header (RFC 7515, section 4)."""

    kid: str | None
    algorithm: str
    type: str


class Tokens:
    """Mints the server's own access tokens, and verifies them and those of trusted issuers."""

    def __init__(self, ring: KeyRing, public_url: str, clock: Callable[[], int], issuers: Issuers | None = None) -> None:
        """`public_url` is our own issuer name, and with `/fhir` the audience; `clock` gives microseconds since the epoch."""
        self._ring = ring
        self._issuer = public_url
        self._audience = f"{public_url}/fhir"
        self._clock = clock
        self._issuers = issuers

    def mint(self, claims: Mapping[str, Json], lifetime: int) -> str:
        """A token for these claims that lasts `lifetime` seconds from now. iss, aud, iat, exp and jti are set where not given."""
        key = self._ring.signing()
        now = self._clock() // MICROSECONDS
        own = {"iss": self._issuer, "aud": self._audience, "iat": now, "exp": now + lifetime, "jti": str(uuid7())}
        return jws.sign(own | dict(claims), key.key, headers={"kid": key.kid, "typ": TYPE}, algorithm=key.algorithm)

    def mint_id_token(self, claims: Mapping[str, Json], lifetime: int) -> str:
        """An id token (OpenID Connect Core, section 2) for these claims, signed with RS256. iss, iat and exp are set."""
        key = self._ring.signing("RS256")
        now = self._clock() // MICROSECONDS
        own = {"iss": self._issuer, "iat": now, "exp": now + lifetime}
        return jws.sign(own | dict(claims), key.key, headers={"kid": key.kid}, algorithm=key.algorithm)

    async def verify(self, token: str) -> Claims:
        """The claims of a token that was meant for us, is signed by whom it says, and is valid now.

        Raises Unauthorized, which is the same whatever was wrong.
        """
        try:
            header, payload = opened(token)
            if payload.get("iss") == self._issuer:
                return self._own(token, header, payload)
            return await self._external(token, header, payload)
        except (BadRequest, ValueError, JOSEError) as refusal:
            _logger.debug("A token was refused: %s", refusal)
            raise Unauthorized from None

    def _own(self, token: str, header: Header, payload: JsonObject) -> Claims:
        key = self._ring.find(header.kid) if header.kid else None
        if key is None or header.algorithm != key.algorithm or header.type != TYPE:
            raise ClaimRefused("kid, alg, typ: no key of ours signs so")
        jws.verify(token, key.key, key.algorithm)
        if not names_audience(payload, self._audience, alone=True):
            raise ClaimRefused("aud is not this server")
        return read_claims.read(payload, self._clock())

    async def _external(self, token: str, header: Header, payload: JsonObject) -> Claims:
        issuer = self._issuers.find(payload.get("iss")) if self._issuers else None
        key = await issuer.key(header.kid, header.algorithm) if issuer else None
        if issuer is None or key is None:
            raise ClaimRefused("iss, kid, alg: no trusted issuer signs so")
        jws.verify(token, key.key, key.algorithm)
        if not names_audience(payload, issuer.audience, alone=False):
            raise ClaimRefused("aud is not this server")
        return read_claims.read(issuer.mapped(payload), self._clock())


def opened(token: str) -> tuple[Header, JsonObject]:
    """What a compact JWS says, before anything of it is believed. Raises ClaimRefused or BadRequest."""
    compact = _COMPACT.fullmatch(token) if len(token) <= LONGEST else None
    if compact is None:
        raise ClaimRefused("no JWS in compact form")
    header, payload = (json.parse(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in compact.groups())
    kid, algorithm, type_ = header.get("kid"), header.get("alg"), header.get("typ", "")
    if "crit" in header or not isinstance(algorithm, str) or not isinstance(type_, str) or not isinstance(kid, str | None):
        raise ClaimRefused("a header that is not understood")
    return Header(kid, algorithm, type_.lower().removeprefix("application/")), payload
