"""What people granted to API clients: the code that stands for it once, the refresh tokens that follow each other, and its end."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from secrets import compare_digest
from typing import Final

import msgspec
from uuid_utils import uuid7

from recovery_api.identity.claims import MICROSECONDS
from recovery_api.identity.events import Record, TokenRevoked
from recovery_api.identity.ledger import Entry, Ledger, Records
from recovery_api.identity.oauth_errors import OAuthError
from recovery_api.identity.revocations import Revocations
from recovery_api.identity.secret_texts import digest, new_secret

CODE_LIFETIME: Final = 60 * MICROSECONDS
OFFLINE_LIFETIME: Final = 90 * 86_400 * MICROSECONDS
"""How long a grant with offline_access is good for: after 90 days the person is asked again."""

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody granted. `subject` is their fhirUser; `scope` is what was granted; `patient` and `encounter` are logical ids,
    `context` are references; `session` names the session whose end ends online access; `challenge` is PKCE's S256.
    """

    id: str = ""
    client_id: str
    username: str
    subject: str
    scope: str
    redirect_uri: str
    challenge: str
    authenticated: int
    session: str
    nonce: str | None = None
    patient: str | None = None
    encounter: str | None = None
    context: tuple[str, ...] = ()

    def has(self, scope: str) -> bool:
        """Whether a scope of one word, like openid, was granted."""
        return scope in self.scope.split(" ")


class Grants:
    """The grants of one server."""

    def __init__(self, ledger: Ledger, revocations: Revocations, clock: Callable[[], int], token_ttl: int, record: Record) -> None:
        """`clock` gives microseconds since the epoch; `token_ttl` is the longest life of an access token, in seconds."""
        self._ledger = ledger
        self._records = Records(ledger, "grant", Grant)
        self._revocations = revocations
        self._clock = clock
        self._token_life = token_ttl * MICROSECONDS
        self._record = record

    async def begin(self, grant: Grant, session_end: int) -> str:
        """Keep a grant, and give the code for it, which is good for a minute and for one use."""
        kept, code, now = msgspec.structs.replace(grant, id=str(uuid7())), new_secret(), self._clock()
        ends = OFFLINE_LIFETIME + now if grant.has("offline_access") else now + CODE_LIFETIME + self._token_life
        await self._records.add(kept.id, kept, owner=kept.username, expires=max(ends, session_end) if grant.has("online_access") else ends)
        await self._ledger.add("code", digest(code), owner=kept.id, expires=now + CODE_LIFETIME)
        return code

    async def redeem(self, code: str, client_id: str, redirect_uri: str, verifier: str) -> Grant:
        """The grant that a code stands for. A code that comes again ends the grant.

        Raises OAuthError (invalid_grant).
        """
        grant = await self._of(await self._ledger.find("code", digest(code)), client_id)
        is_verified = _VERIFIER.fullmatch(verifier) and compare_digest(challenge(verifier), grant.challenge)
        if redirect_uri != grant.redirect_uri or not is_verified:
            raise OAuthError("invalid_grant", "The code was issued for another redirect_uri or code_challenge.")
        await self._once("code", code, grant)
        return grant

    async def find_refreshable(self, refresh_token: str, client_id: str) -> Grant:
        """The grant that a refresh token belongs to. Raises OAuthError (invalid_grant)."""
        entry = await self._ledger.find("refresh", digest(refresh_token))
        grant = await self._of(entry, client_id)
        if entry is not None and entry.used is not None:
            await self._once("refresh", refresh_token, grant)
        return grant

    async def spend(self, refresh_token: str, grant: Grant) -> None:
        """Use the refresh token up. One that comes again ends the grant. Raises OAuthError (invalid_grant)."""
        await self._once("refresh", refresh_token, grant)

    async def new_refresh_token(self, grant: Grant) -> str:
        """The next refresh token of a grant."""
        token = new_secret()
        await self._ledger.add("refresh", digest(token), owner=grant.id, expires=self._clock() + OFFLINE_LIFETIME)
        return token

    async def find(self, id_: str) -> Grant | None:
        """The grant of an id, while it lasts."""
        return await self._records.find(id_)

    async def of_refresh_token(self, refresh_token: str) -> Grant | None:
        """The grant that a refresh token was issued under, while it lasts."""
        entry = await self._ledger.find("refresh", digest(refresh_token))
        return await self._records.find(entry.owner) if entry else None

    async def end(self, grant: Grant, why: str) -> None:
        """All tokens of the grant count no more, in any process."""
        await self._end([grant], why)

    async def end_all(self, username: str, why: str, session: str | None = None) -> None:
        """End all grants of an account; with a session, those that give access only while it lasts."""
        entries = await self._ledger.entries_of("grant", username)
        grants = [grant for entry in entries if (grant := await self._records.find(entry.key))]
        if session is not None:
            grants = [grant for grant in grants if grant.session == session and not grant.has("offline_access")]
        await self._end(grants, why)

    async def _end(self, grants: list[Grant], why: str) -> None:
        if not grants:
            return
        for grant in grants:
            await self._record(TokenRevoked(grant.client_id, grant.id, why))
            await self._ledger.drop("grant", grant.id)
            await self._ledger.drop_of("refresh", grant.id)
        await self._revocations.add(*(grant.id for grant in grants), until=self._clock() + self._token_life)

    async def _of(self, entry: Entry | None, client_id: str) -> Grant:
        grant = await self._records.find(entry.owner) if entry else None
        if grant is None or grant.client_id != client_id:
            raise OAuthError("invalid_grant", "This is not good, or not good any more.")
        return grant

    async def _once(self, kind: str, token: str, grant: Grant) -> None:
        entry = await self._ledger.use(kind, digest(token))
        if entry is None or entry.used is not None:
            await self.end(grant, "reuse")
            raise OAuthError("invalid_grant", "This was used before; all that was issued for it is revoked.")


def challenge(verifier: str) -> str:
    """PKCE's S256 of a verifier (RFC 7636, section 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode(errors="surrogatepass")).digest()).rstrip(b"=").decode()
