"""A ring of keys, a clock that stands still until it is moved, and tokens made well and badly."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recovery_api.identity.claims import Claims
from recovery_api.identity.keys import KeyRing
from recovery_api.identity.tokens import Tokens

PUBLIC_URL = "https://recovery.test"
BASE = f"{PUBLIC_URL}/fhir"
T0 = 1_794_312_000_000_000
"""2026-11-10T12:00:00Z in microseconds."""

MAYA = {"sub": "Practitioner/maya", "fhirUser": "Practitioner/maya", "scope": "recovery/companion user/Patient.rs"}


class Clock:
    """Microseconds since the epoch; moved by seconds."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> int:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys")


@pytest.fixture
def tokens(ring: KeyRing, clock: Clock) -> Tokens:
    return Tokens(ring, PUBLIC_URL, clock)


@pytest.fixture
def verified(tokens: Tokens) -> Callable[[str], Claims]:
    return lambda token: asyncio.run(tokens.verify(token))


def payload(**changes: Any) -> dict[str, Any]:
    """A complete payload of maya's at T0; None leaves a claim out."""
    whole = MAYA | {"iss": PUBLIC_URL, "aud": BASE, "jti": "j", "iat": T0 // 1_000_000, "exp": T0 // 1_000_000 + 900} | changes
    return {name: value for name, value in whole.items() if value is not None}
