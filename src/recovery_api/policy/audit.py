"""What an audit record says: facts about who asked for what, and what came of it (domain.md 3.4). Pure functions.

Ids and codes only: no name, narrative or value of a resource. What is refused says no more than what was asked, so that a record of
something hidden and one of something absent are alike.
"""
from base64 import b64encode
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlencode

import msgspec

from recovery_api.identity.actor import Actor
from recovery_api.policy.matrix import EXTERNAL_ROLES

LONGEST_QUERY: Final = 8_192
"""Characters of a query that are recorded."""

READING: Final = frozenset({"read", "vread", "history-instance", "history-type", "history-system"})
SEARCHES: Final = frozenset({"search-type", "search-system"})


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event. What is not known, or does not apply, has its default."""

    kind: str = "rest"
    """rest, disclosure, export, sign-in, sign-out, token, consent or emergency."""
    action: str = ""
    """How (https://hl7.org/fhir/R4/restful-interaction), or what of its kind."""
    status: int = 200
    """The HTTP status of the answer."""
    permitted: bool = True
    holder: str = ""
    role: str = ""
    organization: str = ""
    client_id: str = ""
    token: str = ""
    """The `jti` of the access token."""
    address: str = ""
    """The network address of the caller's program."""
    purpose: str = ""
    request: str = ""
    """The X-Request-Id."""
    patients: tuple[str, ...] = ()
    """Logical ids of Patients."""
    type: str = ""
    """The resource type, where no one resource is named."""
    data: tuple[str, ...] = ()
    """References to resources, with a version where it is known."""
    consents: tuple[str, ...] = ()
    """References to the Consents on which a disclosure rests."""
    query: str = ""
    """What was searched for, in base64."""
    operation: str = ""


class Shown(Protocol):
    """A version that an answer held, or that was written. `client`: the logical id of the Patient that it belongs to, or ''."""

    @property
    def type(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def client(self) -> str: ...


class Saved(NamedTuple):
    """A version that was written; see Shown."""

    type: str
    id: str
    version: int
    client: str


class Decision(NamedTuple):
    """What was decided on Consents, or by them."""

    patient: str
    """The logical id of the Patient."""
    consents: tuple[str, ...]
    """References to the Consents, with a version where it is known."""
    permitted: bool
    """Something is permitted by them."""


class Asked(NamedTuple):
    """What a request asks for, and how it came."""

    interaction: str = ""
    type: str = ""
    id: str = ""
    operation: str = ""
    query: str = ""
    """Path and parameters below the base, where the request has parameters."""
    request: str = ""
    address: str = ""


def encoded(facts: Facts) -> bytes:
    """The facts as a record keeps them: compact JSON."""
    return _encode(facts)


def decoded(body: bytes) -> Facts:
    """The facts in a record."""
    return _decode(body)


def is_external(actor: Actor) -> bool:
    """What this caller reads of a client leaves the agency."""
    return actor.role in EXTERNAL_ROLES or actor.holder.startswith("RelatedPerson/")


def answered(actor: Actor, asked: Asked, status: int, shown: Collection[Shown], consents: Iterable[str] = ()) -> Facts:
    """The facts of a request that was done: what it showed or wrote, and of whom."""
    reading = asked.interaction in READING
    searching = asked.interaction in SEARCHES
    patients = tuple(dict.fromkeys([one.client for one in shown if one.client]))
    disclosed = bool(patients) and is_external(actor) and (reading or searching or asked.interaction == "operation")
    named = shown if disclosed or not (searching or asked.interaction.startswith("history")) else ()
    data = tuple(dict.fromkeys([f"{one.type}/{one.id}/_history/{one.version}" for one in named])) or _asked_for(asked)
    return _facts(
        actor,
        asked,
        kind="disclosure" if disclosed else "rest",
        status=status,
        patients=patients,
        type="" if data else asked.type,
        data=data,
        consents=tuple(consents) if disclosed else (),
    )


def refused(actor: Actor | None, asked: Asked, status: int) -> Facts:
    """The facts of a request that was refused or went wrong: what it asked for, and not whether that is there.

    Without an actor nobody knows who asked.
    """
    data = _asked_for(asked)
    return _facts(actor, asked, status=status, permitted=False, type="" if data else asked.type, data=data)


def consent_decided(actor: Actor, asked: Asked, decision: Decision) -> Facts:
    """A Consent was decided on, or Consents of a patient were weighed for a caller (IHE BALP, AuthZconsent)."""
    return _facts(actor, asked, kind="consent", permitted=decision.permitted, patients=(decision.patient,), consents=decision.consents)


def emergency(actor: Actor, asked: Asked, *, patient: str, data: Sequence[str] = (), started: bool = True) -> Facts:
    """Emergency access to a patient started or ended; `data` may name what was recorded about it (a Task, say)."""
    action = "start" if started else "stop"
    return _facts(actor, asked, kind="emergency", action=action, patients=(patient,), data=tuple(data))


def exported(operator: str, types: Iterable[str], what: str) -> list[Facts]:
    """An operator of this machine took what is stored of the types out of the store; `what` says how."""
    return [Facts(kind="export", action="export", holder=operator, type=type, operation=what) for type in types]


def _facts(
    actor: Actor | None,
    asked: Asked,
    *,
    kind: str = "rest",
    action: str = "",
    status: int = 200,
    permitted: bool = True,
    patients: tuple[str, ...] = (),
    type: str = "",
    data: tuple[str, ...] = (),
    consents: tuple[str, ...] = (),
) -> Facts:
    query = b64encode(asked.query[:LONGEST_QUERY].encode(errors="replace")).decode() if asked.query else ""
    return Facts(
        kind=kind,
        action=action or asked.interaction,
        status=status,
        permitted=permitted,
        holder=actor.holder if actor else "",
        role=actor.role if actor else "",
        organization=(actor.organization or "") if actor else "",
        client_id=(actor.client_id or "") if actor else "",
        token=actor.jti if actor else "",
        address=asked.address,
        purpose=actor.purpose if actor else "",
        request=asked.request,
        patients=patients,
        type=type,
        data=data,
        consents=consents,
        query=query,
        operation=asked.operation,
    )


def _asked_for(asked: Asked) -> tuple[str, ...]:
    return (f"{asked.type}/{asked.id}",) if asked.type and asked.id else ()


def query_text(path: str, pairs: Sequence[tuple[str, str]]) -> str:
    """A search as an address below the base; '' where it has no parameters."""
    return f"{path}?{urlencode(pairs, safe=':,|/$')}" if pairs else path


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Facts).decode
