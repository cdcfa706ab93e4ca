"""Texts that open something to whoever has them: made from 256 random bits, and kept as their SHA-256 only."""

import hashlib
import secrets


def new_secret() -> str:
    """A new one: 43 letters that need no escape in a form or an address."""
    return secrets.token_urlsafe(32)


def digest(text: str) -> str:
    """What is kept of it. So much chance needs no slow hash."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def is_same(text: str, kept: str) -> bool:
    """Whether a text is the one that was kept; takes the same time whatever it is."""
    return secrets.compare_digest(digest(text), kept)
