"""One-time codes as a second factor (TOTP, RFC 6238: SHA-1, six digits, 30 seconds)."""

from collections.abc import Callable
from typing import Final

from pyotp import random_base32
from pyotp.exceptions import OTPVerificationError
from pyotp.totp import TOTP

from recovery_api.identity.claims import MICROSECONDS
from recovery_api.identity.keys import Sealer
from recovery_api.identity.ledger import Ledger

STEP: Final = 30
NAME: Final = "Recovery"
"""How authenticator apps call this server."""


class SecondFactor:
    """Makes keys for people's authenticators, and checks codes: each is taken once."""

    def __init__(self, ledger: Ledger, sealer: Sealer, clock: Callable[[], int]) -> None:
        """`sealer` hides the keys in the database; `clock` gives microseconds since the epoch."""
        self._ledger = ledger
        self._sealer = sealer
        self._clock = clock

    def new_key(self) -> str:
        """A new key, in base 32."""
        return random_base32()

    def sealed(self, key: str, username: str) -> str:
        """The key as an account keeps it."""
        return self._sealer.seal(key.encode(), username.encode())

    def address(self, key: str, username: str) -> str:
        """The otpauth: address that an authenticator takes."""
        return TOTP(key).provisioning_uri(name=username, issuer_name=NAME)

    async def fits(self, code: str, sealed: str, username: str) -> bool:
        """Whether it is a code of the key for this half minute, or the one before or after, and was not used yet."""
        key = self._sealer.unseal(sealed, username.encode())
        if key is None:
            return False
        seconds = self._clock() // MICROSECONDS
        try:
            step = TOTP(key.decode()).verify_and_get_timecode(code.replace(" ", ""), for_time=seconds, valid_window=1)
        except OTPVerificationError:
            return False
        return await self._ledger.add("one-time-code", f"{username} {step}", expires=(step + 3) * STEP * MICROSECONDS)
