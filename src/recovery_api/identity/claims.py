"""What an access token says, read strictly: a claim of another kind than it must be makes the whole token invalid."""

import re
from decimal import Decimal
from typing import NamedTuple, cast

from recovery_api.fhir.json import JsonObject

MICROSECONDS = 1_000_000
SKEW = 5 * MICROSECONDS
"""How far ahead of ours the clock of an issuer may be (`iat`, `nbf`); `exp` is exact."""

_LATEST = 1 << 40  # seconds; a date beyond any, and small enough for all arithmetic
_LONGEST = 1024
_PURPOSE = re.compile(r"[A-Z][A-Z0-9\-]{0,31}")


class ClaimRefused(ValueError):
    """A claim is missing, of the wrong kind, or not for us now; the message names the claim and never its value."""


class Claims(NamedTuple):
    """The claims of a verified token. `issued` and `expires` are microseconds since the epoch; references are as they came."""

    issuer: str
    subject: str
    jti: str
    issued: int
    expires: int
    scope: str
    fhir_user: str | None = None
    organization: str | None = None
    client_id: str | None = None
    patient: str | None = None
    purpose_of_use: str | None = None
    medical_personnel: bool = False
    grant: str | None = None


def read(payload: JsonObject, now: int) -> Claims:
    """The claims in a token's payload, whose issuer and audience were checked. `now` is in microseconds since the epoch.

    Raises ClaimRefused.
    """
    issued, expires = time(payload, "iat"), time(payload, "exp")
    if expires <= now:
        raise ClaimRefused("exp: the token has expired")
    if issued > now + SKEW or ("nbf" in payload and time(payload, "nbf") > now + SKEW):
        raise ClaimRefused("iat, nbf: the token is not valid yet")
    medical_personnel = payload.get("medical_personnel", False)
    if not isinstance(medical_personnel, bool):
        raise ClaimRefused("medical_personnel is not a boolean")
    purpose = _optional(payload, "purpose_of_use")
    if purpose is not None and not _PURPOSE.fullmatch(purpose):
        raise ClaimRefused("purpose_of_use is not a code")
    return Claims(
        issuer=text(payload, "iss"),
        subject=text(payload, "sub"),
        jti=text(payload, "jti"),
        issued=issued,
        expires=expires,
        scope=text(payload, "scope", longest=1 << 16),
        fhir_user=_optional(payload, "fhirUser"),
        organization=_optional(payload, "organization"),
        client_id=_optional(payload, "client_id"),
        patient=_optional(payload, "patient"),
        purpose_of_use=purpose,
        medical_personnel=medical_personnel,
        grant=_optional(payload, "grant"),
    )


def names_audience(payload: JsonObject, audience: str, *, alone: bool) -> bool:
    """Whether the token is for the audience; `alone`: for no other beside it."""
    named = payload.get("aud")
    audiences = cast(list[object], named) if isinstance(named, list) else [named]
    return audience in audiences and not (alone and len(audiences) > 1)


def text(payload: JsonObject, name: str, longest: int = _LONGEST) -> str:
    """A claim that is a text. Raises ClaimRefused."""
    value = payload.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise ClaimRefused(f"{name} is not a text, or missing")
    return value


def _optional(payload: JsonObject, name: str) -> str | None:
    return text(payload, name) if payload.get(name) is not None else None


def time(payload: JsonObject, name: str) -> int:
    """A claim that is a date, in microseconds since the epoch. Raises ClaimRefused."""
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < _LATEST:
        raise ClaimRefused(f"{name} is not a date in seconds, or missing")
    return int(value * MICROSECONDS)
