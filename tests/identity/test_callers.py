import asyncio

import pytest

from recovery_api.fhir.errors import Unauthorized
from recovery_api.identity.callers import Callers
from recovery_api.identity.claims import Claims
from recovery_api.identity.tokens import Tokens
from tests.identity.conftest import BASE, MAYA, Clock


class Counted:
    """Verifies, and counts how often."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens, self.times = tokens, 0

    async def verify(self, token: str) -> Claims:
        self.times += 1
        return await self.tokens.verify(token)


@pytest.fixture
def counted(tokens: Tokens) -> Counted:
    return Counted(tokens)


def test_a_token_is_verified_once(counted: Counted, tokens: Tokens, clock: Clock) -> None:
    callers, token = Callers(counted.verify, BASE, clock), tokens.mint(MAYA, 60)
    assert callers.known(token) is None
    maya = asyncio.run(callers.actor(token))
    assert maya.holder == "Practitioner/maya"
    assert asyncio.run(callers.actor(token)) is callers.known(token) is maya
    assert counted.times == 1
    assert callers.known(token[:-1]) is None


def test_expiry_is_checked_each_time(counted: Counted, tokens: Tokens, clock: Clock) -> None:
    callers, token = Callers(counted.verify, BASE, clock), tokens.mint(MAYA, 60)
    asyncio.run(callers.actor(token))
    clock.move(60)
    assert callers.known(token) is None
    with pytest.raises(Unauthorized):
        asyncio.run(callers.actor(token))


def test_what_was_refused_is_not_remembered(counted: Counted, clock: Clock) -> None:
    callers = Callers(counted.verify, BASE, clock)
    for token in ("x", "x", "é", "\ud800", ""):
        with pytest.raises(Unauthorized):
            asyncio.run(callers.actor(token))
        assert callers.known(token) is None
    assert counted.times == 3


def test_a_caller_without_what_the_role_needs_is_refused(counted: Counted, tokens: Tokens, clock: Clock) -> None:
    callers = Callers(counted.verify, BASE, clock)
    with pytest.raises(Unauthorized):
        asyncio.run(callers.actor(tokens.mint(MAYA | {"scope": "recovery/ehr"}, 60)))


def test_the_callers_that_came_last_are_remembered(counted: Counted, tokens: Tokens, clock: Clock) -> None:
    callers = Callers(counted.verify, BASE, clock, most=2)
    first, second, third = (tokens.mint(MAYA, 60) for _ in range(3))
    for token in (first, second, first, third):
        asyncio.run(callers.actor(token))
    assert callers.known(second) is None
    assert callers.known(first)
    assert callers.known(third)
    callers.forget()
    assert callers.known(first) is None


def test_the_organization_of_staff_is_looked_up_where_the_token_names_none(counted: Counted, tokens: Tokens, clock: Clock) -> None:
    asked: list[str] = []

    async def organization_of(holder: str) -> str | None:
        asked.append(holder)
        return "Organization/org-cir"

    callers = Callers(counted.verify, BASE, clock, organization_of)
    token = tokens.mint(MAYA, 60)
    assert asyncio.run(callers.actor(token)).organization == "Organization/org-cir"
    assert asyncio.run(callers.actor(token)).organization == "Organization/org-cir"
    assert asyncio.run(callers.actor(tokens.mint(MAYA | {"organization": "other"}, 60))).organization == "Organization/other"
    asyncio.run(callers.actor(tokens.mint({"sub": "ana", "fhirUser": "Patient/ana", "scope": "recovery/client"}, 60)))
    assert asked == ["Practitioner/maya"]
