"""Passwords, kept as Argon2id hashes (RFC 9106). Hashing takes long on purpose, so it runs in a thread."""

import asyncio
import secrets
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

SHORTEST, LONGEST = 8, 256

_hashes = PasswordHash((Argon2Hasher(),))


class PasswordRefused(ValueError):
    """A password that can't be taken; the message is one sentence."""


def new_password() -> str:
    """A password that nobody guesses, and that can be typed."""
    return "-".join(secrets.token_hex(2) for _ in range(5))


async def hashed(password: str) -> str:
    """What is kept of a password. Raises PasswordRefused."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordRefused(f"A password has {SHORTEST} to {LONGEST} characters.")
    return await asyncio.to_thread(_hashes.hash, password)


async def fits(password: str, kept: str | None) -> bool:
    """Whether it is the password that was kept. Without one it takes as long, and the answer is no."""
    return await asyncio.to_thread(_fits, password, kept)


def _fits(password: str, kept: str | None) -> bool:
    nobody = _nobodys()
    return len(password) <= LONGEST and _hashes.verify(password, kept or nobody) and kept is not None


@cache
def _nobodys() -> str:
    return _hashes.hash(secrets.token_hex(32))
