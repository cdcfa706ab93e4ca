"""The API clients that may ask for tokens, as the operator registered them (RFC 7591's words)."""

import re
from collections.abc import Callable
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from recovery_api.fhir.json import JsonObject
from recovery_api.identity.actor import ROLES, local_reference
from recovery_api.identity.keys import CLIENT_ALGORITHMS, verification_keys
from recovery_api.identity.ledger import Ledger, Records
from recovery_api.identity.scopes import Scopes
from recovery_api.identity.secret_texts import digest, new_secret

Kind = Literal["public", "confidential-symmetric", "confidential-asymmetric", "backend"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
WITH_KEYS: Final = frozenset({"confidential-asymmetric", "backend"})
"""The kinds that authenticate with a key of their own (private_key_jwt)."""

_CLIENT_ID = re.compile(r"[A-Za-z0-9._~\-]{1,255}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class RegistrationRefused(ValueError):
    """A registration that can't be made; the message is one sentence."""


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """One API client. `scope` limits what it may be granted ('': all that the role may have); `role` is the one role of its
    tokens (needed for a backend), `organization` a reference; `secret` is a digest; `created` is in microseconds since the epoch.
    """

    client_id: str
    name: str
    kind: Kind
    redirect_uris: tuple[str, ...] = ()
    launch_uri: str | None = None
    scope: str = ""
    role: str | None = None
    organization: str | None = None
    jwks: JsonObject | None = None
    jwks_uri: str | None = None
    secret: str | None = None
    created: int = 0
    revoked: bool = False


class Registrations:
    """The registrations of one server."""

    def __init__(self, ledger: Ledger, base: str, clock: Callable[[], int]) -> None:
        """`base` is the FHIR base, `clock` gives microseconds since the epoch."""
        self._records = Records(ledger, "registration", Registration)
        self._base = base
        self._clock = clock

    async def find(self, client_id: str) -> Registration | None:
        """The registration that counts now; None where there is none, or it was revoked."""
        found = await self._records.find(client_id)
        return found if found and not found.revoked else None

    async def all(self) -> list[Registration]:
        """Every registration, revoked ones too."""
        return await self._records.all()

    async def launched_by(self, role: str) -> list[Registration]:
        """Those that people of a role can open with a patient (EHR launch)."""
        return [one for one in await self.all() if one.launch_uri and not one.revoked and one.role in {None, role}]

    async def add(self, registration: Registration) -> str | None:
        """Register it, and give its secret, where the kind has one. Raises RegistrationRefused."""
        checked = self._checked(registration)
        secret = new_secret() if checked.kind == "confidential-symmetric" else None
        kept = msgspec.structs.replace(checked, secret=secret and digest(secret), created=self._clock())
        if not await self._records.add(kept.client_id, kept):
            raise RegistrationRefused(f"There is an API client {kept.client_id} already.")
        return secret

    async def rotate(self, client_id: str) -> str:
        """A new secret; the old one opens nothing from now on. Raises RegistrationRefused."""
        found = await self._known(client_id)
        if found.kind != "confidential-symmetric":
            raise RegistrationRefused(f"{client_id} has no secret: it is {found.kind}.")
        secret = new_secret()
        await self._change(found, msgspec.structs.replace(found, secret=digest(secret)))
        return secret

    async def revoke(self, client_id: str) -> None:
        """The client gets no more tokens. Raises RegistrationRefused."""
        found = await self._known(client_id)
        await self._change(found, msgspec.structs.replace(found, revoked=True))

    async def _known(self, client_id: str) -> Registration:
        found = await self.find(client_id)
        if found is None:
            raise RegistrationRefused(f"There is no API client {client_id}, or it was revoked.")
        return found

    async def _change(self, found: Registration, changed: Registration) -> None:
        if not await self._records.replace(found.client_id, changed, found):
            raise RegistrationRefused(f"{found.client_id} was changed meanwhile; try again.")

    def _checked(self, given: Registration) -> Registration:
        """The registration, its role and organization in our words."""
        if not _CLIENT_ID.fullmatch(given.client_id):
            raise RegistrationRefused("A client id has 1 to 255 letters, digits, and . _ ~ -")
        if not given.name.strip():
            raise RegistrationRefused("An API client needs a name, which people see.")
        _check_uris(given)
        _check_keys(given)
        role = _role(given)
        organization = given.organization and local_reference(given.organization, self._base, {"Organization"}, plain=True)
        if given.organization and not organization:
            raise RegistrationRefused(f"This is not the id of an Organization: {given.organization}")
        if given.kind == "backend" and not (role and organization):
            raise RegistrationRefused("A backend needs a role (ehr or referrer) and an organization.")
        return msgspec.structs.replace(given, role=role, organization=organization)


def _role(given: Registration) -> str | None:
    scopes = Scopes.parse(given.scope)
    if scopes.malformed:
        raise RegistrationRefused(f"This is no SMART scope: {scopes.malformed[0]}")
    named = {role for role in (given.role, *scopes.roles) if role}
    if len(named) > 1:
        raise RegistrationRefused(f"An API client has one role, and not {' and '.join(sorted(named))}.")
    role = next(iter(named), None)
    if role is None:
        return None
    if role not in ROLES:
        raise RegistrationRefused(f"{role} is not one of the roles {', '.join(ROLES)}.")
    if ROLES[role].system != (given.kind == "backend"):
        raise RegistrationRefused(f"The role {role} is {'' if ROLES[role].system else 'not '}for backends.")
    return role


def _check_uris(given: Registration) -> None:
    if given.kind == "backend" and (given.redirect_uris or given.launch_uri):
        raise RegistrationRefused("A backend has no redirect URI and no launch URI.")
    if given.kind != "backend" and not given.redirect_uris:
        raise RegistrationRefused(f"An API client that is {given.kind} needs a redirect URI.")
    for uri in given.redirect_uris:
        if not _is_web_address(uri) and not _is_private_scheme(uri):
            raise RegistrationRefused(f"A redirect URI is https, http on this machine, or like com.example.app:/…, and not {uri}")
    if given.launch_uri is not None and not _is_web_address(given.launch_uri):
        raise RegistrationRefused(f"A launch URI is https, or http on this machine, and not {given.launch_uri}")


def _is_web_address(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return False
    plain = uri.isascii() and uri.isprintable() and " " not in uri and "#" not in uri and parts.username is None
    return plain and bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK))


def _is_private_scheme(uri: str) -> bool:
    """RFC 8252, section 7.1: the scheme is a domain name in reverse order."""
    return re.fullmatch(r"[a-z][a-z0-9+\-]*(?:\.[a-z0-9+\-]+)+:/[\x21\x22\x24-\x7e]*", uri) is not None


def _check_keys(given: Registration) -> None:
    if given.kind not in WITH_KEYS:
        if given.jwks is not None or given.jwks_uri is not None:
            raise RegistrationRefused(f"An API client that is {given.kind} has no keys.")
        return
    if (given.jwks is None) == (given.jwks_uri is None):
        raise RegistrationRefused(f"An API client that is {given.kind} needs a JWK Set, or the address of one.")
    if given.jwks_uri is not None and not _is_web_address(given.jwks_uri):
        raise RegistrationRefused(f"The address of a JWK Set is https, or http on this machine, and not {given.jwks_uri}")
    if given.jwks is not None:
        _check_jwks(given.jwks)


def _check_jwks(jwks: JsonObject) -> None:
    try:
        keys = verification_keys(jwks, CLIENT_ALGORITHMS)
    except ValueError:
        raise RegistrationRefused('A JWK Set is an object with a list of "keys".') from None
    if any(_PRIVATE_MEMBERS & key.keys() for key in jwks["keys"] if isinstance(key, dict)):
        raise RegistrationRefused("The JWK Set holds a private key, which nobody but its owner may have.")
    if not keys or not all(key.kid for key in keys):
        raise RegistrationRefused("The JWK Set holds no key for RS384, ES384, RS256 or ES256 with a kid.")
