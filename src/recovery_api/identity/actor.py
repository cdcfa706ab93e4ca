"""Who is calling: what a verified token says of its bearer, checked against what its role needs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from recovery_api.fhir.errors import Unauthorized
from recovery_api.identity.claims import Claims
from recovery_api.identity.scopes import Condition, Scopes

_REFERENCE = re.compile(r"(?P<type>[A-Z][A-Za-z]{1,63})/(?P<id>[A-Za-z0-9\-.]{1,64})")


class Role(NamedTuple):
    """What a role's tokens are like: the contexts whose scopes count (the first is its own), the types that `fhirUser` may
    name, whether it is a system (which needs a client_id and an organization), and its usual purpose of use.
    """

    contexts: tuple[str, ...]
    users: frozenset[str]
    system: bool = False
    purpose: str = "TREAT"


_STAFF = Role(("user", "patient"), frozenset({"Practitioner"}), purpose="CAREMGT")
_SYSTEM = Role(("system",), frozenset({"Device"}), system=True)

ROLES: Mapping[str, Role] = {
    "companion": _STAFF,
    "case-manager": _STAFF,
    "treatment-team": _STAFF._replace(purpose="TREAT"),
    "ehr": _SYSTEM,
    "referrer": _SYSTEM,
    "client": Role(("patient", "user"), frozenset({"Patient", "RelatedPerson"})),
    "auditor": _STAFF,
    "admin": _STAFF,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """One caller. `holder` is the reference that relations name (`Practitioner/maya`; a system without a fhirUser:
    `client:` and its client_id), `organization` a reference or None, `patient` the logical id that `patient/` scopes are
    bound to. `expires` is in microseconds since the epoch.
    """

    role: str
    holder: str
    organization: str | None
    patient: str | None
    client_id: str | None
    scopes: Scopes
    purpose: str
    medical_personnel: bool
    jti: str
    expires: int
    grant: str | None = None
    """What the token was issued under; None for a token of no grant."""

    def allows(self, type_: str, letter: str) -> tuple[Condition, ...]:
        """On what conditions (one of them must be met) the token's scopes open a letter of cruds on a type; none: not at all.

        A condition `in_patient` is never given to a caller whose token names no patient.
        """
        conditions = self.scopes.allows(type_, letter)
        return conditions if self.patient else tuple(condition for condition in conditions if not condition.in_patient)


def actor(claims: Claims, base: str) -> Actor:
    """The caller that verified claims speak of. `base` is the server's FHIR base, which absolute references begin with.

    Raises Unauthorized where the claims don't make one caller: not exactly one role scope, or what the role needs is missing.
    """
    scopes = Scopes.parse(claims.scope)
    role = ROLES.get(scopes.roles[0]) if len(scopes.roles) == 1 else None
    user = local_reference(claims.fhir_user, base, role.users) if role and claims.fhir_user is not None else None
    organization = claims.organization and local_reference(claims.organization, base, {"Organization"}, plain=True)
    patient = claims.patient and local_reference(claims.patient, base, {"Patient"}, plain=True)
    holder = user or (f"client:{claims.client_id}" if role and role.system and claims.client_id else None)
    own = user if user and user.startswith("Patient/") else None
    if (
        role is None
        or holder is None
        or (claims.fhir_user is not None and user is None)
        or (claims.organization is not None and not organization)
        or (claims.patient is not None and not patient)
        or (role.system and not (claims.client_id and organization))
        or (own and patient and own != patient)
    ):
        raise Unauthorized
    bound = patient or own
    return Actor(
        role=scopes.roles[0],
        holder=holder,
        organization=organization,
        patient=bound.removeprefix("Patient/") if bound else None,
        client_id=claims.client_id,
        scopes=scopes.within(role.contexts),
        purpose=claims.purpose_of_use or role.purpose,
        medical_personnel=claims.medical_personnel,
        jti=claims.jti,
        expires=claims.expires,
        grant=claims.grant,
    )


def local_reference(text: str, base: str, types: "frozenset[str] | set[str]", *, plain: bool = False) -> str | None:
    """The reference `Type/id` to one of the types on this server that a text is, absolute or relative; else None.

    `plain`: a bare id is taken too, as one of the only type.
    """
    relative = text.removeprefix(f"{base}/")
    if plain and "/" not in relative:
        relative = f"{next(iter(types))}/{relative}"
    found = _REFERENCE.fullmatch(relative)
    return relative if found and found["type"] in types else None
