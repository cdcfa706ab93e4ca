"""The people who sign in here: who they are, and with which one role."""

import re
from collections.abc import Callable

import msgspec

from recovery_api.identity.actor import ROLES, local_reference
from recovery_api.identity.ledger import Ledger, Records
from recovery_api.identity.passwords import hashed

_USERNAME = re.compile(r"[a-z0-9._@+\-]{1,64}")


class AccountRefused(ValueError):
    """An account that can't be made or changed so; the message is one sentence."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One person. `fhir_user` and `organization` are references, `patient` is a logical id; `password` is a hash, `second_factor`
    a sealed key; `created` is in microseconds since the epoch.
    """

    username: str
    role: str
    fhir_user: str
    patient: str | None = None
    organization: str | None = None
    medical_personnel: bool = False
    password: str = ""
    second_factor: str | None = None
    disabled: bool = False
    created: int = 0

    @property
    def is_staff(self) -> bool:
        """Whether it is somebody who works here or elsewhere, and no client."""
        return self.role != "client"


class Accounts:
    """The accounts of one server."""

    def __init__(self, ledger: Ledger, base: str, clock: Callable[[], int]) -> None:
        """`base` is the FHIR base, `clock` gives microseconds since the epoch."""
        self._records = Records(ledger, "account", Account)
        self._base = base
        self._clock = clock

    async def find(self, username: str) -> Account | None:
        """The account that counts now; None where there is none, or it is disabled."""
        found = await self._records.find(username.strip().lower())
        return found if found and not found.disabled else None

    async def all(self) -> list[Account]:
        """Every account, disabled ones too."""
        return await self._records.all()

    async def add(self, account: Account, password: str) -> None:
        """Make an account. Raises AccountRefused or PasswordRefused."""
        checked = self._checked(account)
        kept = msgspec.structs.replace(checked, password=await hashed(password), created=self._clock())
        if not await self._records.add(kept.username, kept):
            raise AccountRefused(f"There is an account {kept.username} already.")

    async def set_password(self, username: str, password: str) -> None:
        """The password is another from now on. Raises AccountRefused or PasswordRefused."""
        await self.change(username, password=await hashed(password))

    async def change(self, username: str, **changes: str | bool | None) -> Account:
        """The account with these changes, which are kept. Raises AccountRefused where there is none."""
        found = await self._records.find(username.strip().lower())
        if found is None:
            raise AccountRefused(f"There is no account {username}.")
        changed = msgspec.structs.replace(found, **changes)
        if not await self._records.replace(found.username, changed, found):
            raise AccountRefused(f"The account {username} was changed meanwhile; try again.")
        return changed

    def _checked(self, given: Account) -> Account:
        username, role = given.username.strip().lower(), ROLES.get(given.role)
        if not _USERNAME.fullmatch(username):
            raise AccountRefused("A username has 1 to 64 letters, digits, and . _ @ + -")
        if role is None or role.system:
            raise AccountRefused(f"{given.role} is not one of {', '.join(name for name, one in ROLES.items() if not one.system)}.")
        patient = given.patient and local_reference(given.patient, self._base, {"Patient"}, plain=True)
        user = local_reference(given.fhir_user or (patient or "" if given.role == "client" else ""), self._base, role.users)
        organization = given.organization and local_reference(given.organization, self._base, {"Organization"}, plain=True)
        if not user:
            needed = " or ".join(f"{type_}/ID" for type_ in sorted(role.users))
            raise AccountRefused(f"The role {given.role} needs a reference like {needed}.")
        if given.patient and not patient:
            raise AccountRefused(f"This is not the id of a Patient: {given.patient}")
        if given.organization and not organization:
            raise AccountRefused(f"This is not the id of an Organization: {given.organization}")
        own = user if user.startswith("Patient/") else patient
        if (given.role == "client") != bool(own) or (own and patient and own != patient):
            raise AccountRefused("A client, and nobody else, has one Patient of their own.")
        return msgspec.structs.replace(
            given, username=username, fhir_user=user, patient=own and own.removeprefix("Patient/"), organization=organization
        )
