"""A caller who is remembered: what their token opened goes on opening it, until what they were given is taken back.

What somebody asks the server to do later (a Subscription) is done with the rights of the token that asked. The token itself expires; the
rights end with the API client, the grant, the token that was revoked, or the account.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from recovery_api.identity.accounts import Account
from recovery_api.identity.actor import ROLES, Actor
from recovery_api.identity.ledger import Ledger, Records
from recovery_api.identity.revocations import LEASE, Revocations
from recovery_api.identity.scopes import Scopes

_LATEST: Final = 1 << 62


class _Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    role: str
    holder: str
    organization: str | None = None
    patient: str | None = None
    client_id: str | None = None
    scopes: str
    purpose: str
    jti: str
    grant: str | None = None


def kept(actor: Actor) -> bytes:
    """The caller as bytes, without their token. Rights of emergencies are not among what is kept."""
    names = ("role", "holder", "organization", "patient", "client_id", "purpose", "jti", "grant")
    return msgspec.json.encode(_Kept(scopes=actor.scopes.text, **{name: getattr(actor, name) for name in names}))


def recalled(content: bytes) -> Actor:
    """The caller that was kept."""
    said = msgspec.json.decode(content, type=_Kept)
    return Actor(
        role=said.role,
        holder=said.holder,
        organization=said.organization,
        patient=said.patient,
        client_id=said.client_id,
        scopes=Scopes.parse(said.scopes).within(ROLES[said.role].contexts),
        purpose=said.purpose,
        medical_personnel=False,
        jti=said.jti,
        expires=_LATEST,
        grant=said.grant,
    )


class Remembered:
    """Knows whose rights have ended, and asks again when what it knows is older than LEASE."""

    def __init__(self, ledger: Ledger, clock: Callable[[], int]) -> None:
        """`clock` gives microseconds since the epoch."""
        self._revocations = Revocations(ledger, clock)
        self._accounts = Records(ledger, "account", Account)
        self._clock = clock
        self._asked = -LEASE
        self._disabled: frozenset[str] = frozenset()

    async def counts(self, actor: Actor) -> bool:
        """Whether what the caller was given still counts. Who has no account here is known by API client and grant alone."""
        if await self._revocations.include((actor.jti, actor.grant, actor.client_id)):
            return False
        if not 0 <= self._clock() - self._asked < LEASE:
            accounts = await self._accounts.all()
            able = {one.fhir_user for one in accounts if not one.disabled}
            self._asked, self._disabled = self._clock(), frozenset(one.fhir_user for one in accounts) - able
        return actor.holder not in self._disabled
