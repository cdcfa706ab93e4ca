"""What stands for people and records in tables: the same for the same one, and nobody's name without the secret."""
import hmac
from dataclasses import dataclass

LENGTH = 16
"""Bytes of a pseudonym; it is written in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Gives the pseudonym of "Type/id": an HMAC-SHA256 (RFC 2104) of it under the secret."""

    secret: bytes

    def __call__(self, reference: str) -> str:
        return hmac.digest(self.secret, reference.encode(), "sha256")[:LENGTH].hex()
