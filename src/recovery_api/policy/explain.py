"""The rules of visibility on somebody else's behalf: what they open to whom, asked without a token of theirs (domain.md 4.2, 7)."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from recovery_api.fhir.search.expression import (
    EVERYTHING,
    NOTHING,
    And,
    Bind,
    ClientOf,
    Consented,
    Expression,
    Not,
    Or,
    OwnBasis,
    Party,
    PartyIn,
)
from recovery_api.identity.actor import Actor
from recovery_api.policy.grant import Grants
from recovery_api.policy.matrix import EXTERNAL_ROLES, Matrix
from recovery_api.policy.relations import RULES
from recovery_api.store.explaining import Like, judged
from recovery_api.store.reader import Reader
from recovery_api.store.visibility import Visibility

COMPANIONS = frozenset({"companion"})
MANAGERS = frozenset({"case-manager", "supervised", "supervises-practitioner"})
DISCLOSED_BY = frozenset({"consent-permit", "treatment-team", "treatment-organization"})
"""The relations of those outside the agency, to whom Consents open what they see."""
RECIPIENT_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "CareTeam": "treatment-team",
        "Organization": "ehr",
        "Practitioner": "treatment-team",
        "PractitionerRole": "treatment-team",
        "RelatedPerson": "client",
    }
)
"""As what those whom a Consent names come in, by the type of the reference."""


class Standing(NamedTuple):
    """Somebody who might ask: a role, who they are, for whom they work (references), and for which purpose."""

    role: str
    holder: str
    organization: str
    purpose: str

    @classmethod
    def of(cls, role: str, who: str, organization: str, purpose: str) -> "Standing":
        """Of a person, or of an organization, whose systems are nobody whom a resource or a Consent names in person."""
        return cls(role, f"client:{who}" if who.startswith("Organization/") else who, organization, purpose)

    @property
    def external(self) -> bool:
        """What they see of a client who is not themselves is what Consents open."""
        return self.role in EXTERNAL_ROLES or self.role == "client"


def roles_of(holder: str, kinds: frozenset[str]) -> tuple[str, ...]:
    """The roles of somebody ("Type/id") who stands in relations of these kinds to anybody."""
    if not holder.startswith("Practitioner/"):
        return (RECIPIENT_ROLES[holder.partition("/")[0]],)
    found = [role for role, those in (("companion", COMPANIONS), ("case-manager", MANAGERS)) if kinds & those]
    if "treatment-team" in kinds or not found:
        found.append("treatment-team")
    return tuple(found)


def purpose_of(role: str) -> str:
    """The purpose for which the role usually asks (v3-ActReason)."""
    return "CAREMGT" if role in {"companion", "case-manager"} else "TREAT"


def sight_of(matrix: Matrix, standing: Standing, client: str, type: str, now: int, lately: int, *, named: bool) -> Visibility:
    """What they see of the type. `named`: of resources that name them as the rule asks for; else, of others. `lately`: see `Grants`."""
    row = matrix.of(standing.role, type)
    party = EVERYTHING if named else NOTHING
    rule = NOTHING if row is None or "r" not in row.may else _replaced(RULES[row.rows].opens, lambda one: _naming(one, party))
    return Visibility(
        key=("explained", standing.role, type, named),
        rules=MappingProxyType({type: rule}),
        binds={
            "holder": standing.holder,
            "emergency": standing.holder,
            "organization": standing.organization,
            "client": client,
            "creator": standing.holder,
            "purpose": standing.purpose,
            "now": now,
            "lately": lately,
        },
    )


def recipients(matrix: Matrix, named: Iterable[str]) -> dict[str, Visibility]:
    """What Consents open to those whom they name (references): `recipient` and `client` are left open."""
    roles = {one: RECIPIENT_ROLES.get(one.partition("/")[0]) for one in sorted(named)}
    sights = {role: _recipients_sight(matrix, role) for role in {*roles.values()} if role}
    return {one: sights[role] for one, role in roles.items() if role}


def _recipients_sight(matrix: Matrix, role: str) -> Visibility:
    types = {"Patient", *matrix.client}
    rows = {type: row.rows for (holder, type), row in matrix.access.items() if holder == role and type in types and "r" in row.may}
    rules = {type: RULES[named].opens for type, named in rows.items()}
    opened = {type: _replaced(rule, _disclosing) for type, rule in rules.items() if _consented(rule)}
    return Visibility(key=("recipients", role), rules=MappingProxyType(opened))


async def has_client(grants: Grants, reader: Reader, actor: Actor, client: str, now: int) -> bool:
    """Whether the client is there for the caller, with their Consents; `reader` has the system's sight.

    An auditor, who reads no Patient, has all; a client has themselves.
    """
    if actor.role == "auditor":
        return await reader.read("Patient", client) is not None
    if await reader.seeing(grants.sight(actor, "r", now)).read("Patient", client) is None:
        return False
    if actor.role == "client":
        return actor.holder == f"Patient/{client}"
    return await judged(reader.seeing(grants.rows(actor, now)), Like(client, "Consent"))


def _naming(one: Expression, party: Expression) -> Expression | None:
    return party if isinstance(one, Party | PartyIn | OwnBasis) else None


def _disclosing(one: Expression) -> Expression | None:
    match one:
        case ClientOf(kinds):
            return EVERYTHING if set(kinds) <= DISCLOSED_BY else NOTHING
        case Consented(person):
            return Consented(person, Bind("recipient"))
        case Party() | PartyIn():
            return EVERYTHING
        case OwnBasis():
            return NOTHING
        case _:
            return None


def _consented(rule: Expression) -> bool:
    match rule:
        case And(parts) | Or(parts):
            return any(map(_consented, parts))
        case _:
            return isinstance(rule, Consented)


def _replaced(rule: Expression, replace: Callable[[Expression], Expression | None]) -> Expression:
    """The rule with what `replace` gives in place of its parts."""
    match rule:
        case And(parts):
            return And(tuple(_replaced(part, replace) for part in parts))
        case Or(parts):
            return Or(tuple(_replaced(part, replace) for part in parts))
        case Not(part):
            return Not(_replaced(part, replace))
        case _:
            return replace(rule) or rule
