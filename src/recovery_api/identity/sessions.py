"""Signing in with a password (and a one-time code), and the sessions that follow: kept by the server, known by a cookie."""

import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from recovery_api.identity.accounts import Account, Accounts
from recovery_api.identity.claims import MICROSECONDS
from recovery_api.identity.events import Record, SignIn
from recovery_api.identity.ledger import Ledger, Records
from recovery_api.identity.passwords import fits
from recovery_api.identity.second_factor import SecondFactor
from recovery_api.identity.secret_texts import digest, new_secret

LIFETIME: Final = 8 * 3600 * MICROSECONDS
"""Microseconds that a session lasts at most: a working day."""
WINDOW: Final = 15 * 60 * MICROSECONDS
"""Microseconds that a failed attempt counts against whoever made it."""
MOST_PER_ACCOUNT, MOST_PER_ADDRESS = 10, 100
"""Failed attempts within the window, after which no more are looked at."""


class TooManyAttempts(Exception):
    """Nobody signs in under this name, or from this address, for a while."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody is signed in. `key` names the session and opens nothing; `authenticated` is in microseconds since the epoch;
    `complete` is False where the second factor must be set up first.
    """

    key: str
    username: str
    authenticated: int
    complete: bool = True


class Sessions:
    """Signing in and out."""

    def __init__(
        self,
        ledger: Ledger,
        accounts: Accounts,
        second_factor: SecondFactor,
        clock: Callable[[], int],
        record: Record,
        *,
        require_second_factor: bool,
    ) -> None:
        """`clock` gives microseconds since the epoch; `require_second_factor`: of everybody but clients."""
        self._ledger = ledger
        self._records = Records(ledger, "session", Session)
        self._accounts = accounts
        self._second_factor = second_factor
        self._clock = clock
        self._record = record
        self._required = require_second_factor

    async def sign_in(self, username: str, password: str, code: str, address: str) -> str | None:
        """The secret of a new session; None where something does not fit, which takes the same time whatever it is.

        `address` is where the attempt comes from. Raises TooManyAttempts.
        """
        name = username.strip().lower()[:256]
        try:
            attempts = [await self._count(owner, most) for owner, most in self._limits(name, address)]
        except TooManyAttempts:
            await self._record(SignIn(name, address, succeeded=False))
            raise
        account = await self._accounts.find(name)
        known = await fits(password, account.password if account else None)
        if account is None or not known or not await self._passes(account, code):
            await self._record(SignIn(name, address, succeeded=False))
            return None
        for attempt in attempts:
            await self._ledger.drop("attempt", attempt)
        await self._record(SignIn(name, address, succeeded=True, fhir_user=account.fhir_user))
        return await self._opened(account)

    async def find(self, secret: str) -> Session | None:
        """The session of the secret, while it lasts."""
        return await self._records.find(digest(secret)) if secret else None

    async def find_by_key(self, key: str) -> Session | None:
        """The session of that name, while it lasts."""
        return await self._records.find(key)

    async def account(self, session: Session) -> Account | None:
        """Whose session it is; None where the account is disabled."""
        return await self._accounts.find(session.username)

    async def set_second_factor(self, session: Session, key: str, code: str) -> bool:
        """Take the key as the account's second factor, where the code shows that it is in the person's hands."""
        sealed = self._second_factor.sealed(key, session.username)
        if not await self._second_factor.fits(code, sealed, session.username):
            return False
        await self._accounts.change(session.username, second_factor=sealed)
        await self._records.replace(session.key, msgspec.structs.replace(session, complete=True), session)
        return True

    async def close(self, session: Session) -> None:
        """End the session."""
        await self._ledger.drop("session", session.key)

    async def close_all(self, username: str) -> None:
        """End every session of the account."""
        await self._ledger.drop_of("session", username)

    async def _opened(self, account: Account) -> str:
        secret, now = new_secret(), self._clock()
        complete = not (self._required and account.is_staff and account.second_factor is None)
        session = Session(key=digest(secret), username=account.username, authenticated=now, complete=complete)
        await self._records.add(session.key, session, owner=account.username, expires=now + LIFETIME)
        await self._ledger.prune()
        return secret

    async def _passes(self, account: Account, code: str) -> bool:
        sealed = account.second_factor
        return sealed is None or await self._second_factor.fits(code, sealed, account.username)

    def _limits(self, name: str, address: str) -> tuple[tuple[str, int], ...]:
        return (f"account {name}", MOST_PER_ACCOUNT), (f"address {address}", MOST_PER_ADDRESS)

    async def _count(self, owner: str, most: int) -> str:
        """Count an attempt before it is judged, so that many at once are no way around. Raises TooManyAttempts."""
        attempt = secrets.token_hex(16)
        if len(await self._ledger.entries_of("attempt", owner)) >= most:
            raise TooManyAttempts
        await self._ledger.add("attempt", attempt, owner=owner, expires=self._clock() + WINDOW)
        if len(await self._ledger.entries_of("attempt", owner)) > most:
            raise TooManyAttempts
        return attempt
