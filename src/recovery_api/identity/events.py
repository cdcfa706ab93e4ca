"""What the authorization server did, told to whoever keeps the audit before it is answered."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias


class SignIn(NamedTuple):
    """Somebody tried to sign in. `username` is as it was typed, whether there is such an account or not."""

    username: str
    address: str
    succeeded: bool
    fhir_user: str | None = None


class SignOut(NamedTuple):
    """Somebody signed out: of one session, or of all."""

    username: str
    everywhere: bool


class Decision(NamedTuple):
    """Somebody let an API client have access (`scope` is what was granted), or refused it (`scope` is '')."""

    username: str
    client_id: str
    scope: str
    patient: str | None = None


class TokenIssued(NamedTuple):
    """An access token went out. `subject` is the sub of the token."""

    client_id: str
    subject: str
    grant_type: str
    scope: str
    jti: str
    patient: str | None = None


class TokenRefused(NamedTuple):
    """A token was asked for and refused; `client_id` is as it was sent, '' where none was."""

    client_id: str
    grant_type: str
    error: str
    description: str


class TokenRevoked(NamedTuple):
    """Tokens count no more: those of a grant, or one by its jti. `why` is revocation, reuse or sign-out."""

    client_id: str
    mark: str
    why: str


Event: TypeAlias = SignIn | SignOut | Decision | TokenIssued | TokenRefused | TokenRevoked
Record: TypeAlias = Callable[[Event], Awaitable[None]]
"""Keeps an event durably; what it raises fails the request."""


async def unrecorded(event: Event) -> None:
    """Keeps nothing."""
    del event
