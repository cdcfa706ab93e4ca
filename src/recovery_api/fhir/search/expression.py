"""The one small language that queries, granular scopes and visibility are lowered to.

An expression is a predicate over one resource. `parse` makes it from a query, `policy` from the access matrix, `match`
gives its meaning in memory, `store.compile` its meaning in SQL; a property test holds the last two together.

A resource is seen through its index rows (what `extract` yields for its search parameters) and its own columns:

========== ======================================================================================================
parameter  index row
========== ======================================================================================================
token      system, value = code. No system: system is ''. boolean: value 'true'/'false'; identifier: value;
           ContactPoint: value. `:text` rows ("Type.code:text"): value = normalised display or text.
           `:of-type` rows ("Type.code:of-type"): system = type system, value = type code, value2 = identifier value.
string     value = normalised (case and accents folded, white space collapsed), value2 = exact text.
reference  system = target type, value = target id; to elsewhere: system '', value = absolute URL; canonical: system '',
           value = URL, value2 = version. `:identifier` rows ("Type.code:identifier"): as a token.
           A row exists for a caller only while they may follow the local reference that it comes from. A row that belongs to a
           reference beside it says so in system2 = target type, value2 = target id: an `:identifier` row, and a token or date
           of an element that goes with a reference in it (`fhir/dropping.py`), as "DocumentReference.relation" does.
uri        value = the URI.
date       low, high = seconds since the epoch, low inclusive, high exclusive end of the implicit range; open ends are
           -inf and +inf stored as -1e18 and 1e18.
number     low = high = the number.
quantity   low = high = the number (Range: its ends), system2 = unit system, value2 = unit code; once more in canonical
           UCUM units with system2 = '=' ; once more with system2 = '' and value2 = the unit's text where it differs.
composite  the columns of its components in one row: token or reference first (system, value), then a token (system2,
           value2), a string (value2), a quantity (system2, value2, low, high) or a date (low, high).
========== ======================================================================================================
"""
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple, TypeAlias
from zlib import crc32

FOREVER = 1e18

RowColumn: TypeAlias = Literal["system", "value", "system2", "value2", "low", "high"]
Comparison: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "prefix", "contains", "extends", "lacks"]


class Bind(NamedTuple):
    """A value that stays open until the request is known: holder, organization, client, creator, now …"""

    name: str


Value: TypeAlias = str | int | float | bool | Bind


class IndexRow(NamedTuple):
    """One row of the search index: what one element says about one parameter. `param` is `param_number(...)`."""

    param: int
    system: str | None = None
    value: str | None = None
    system2: str | None = None
    value2: str | None = None
    low: float | None = None
    high: float | None = None


def param_number(name: str) -> int:
    """The stable number of "Type.code" or "Type.code:modifier" (signed 32 bit); collisions are refused at start."""
    number = crc32(name.encode())
    return number - (1 << 32) if number >= 1 << 31 else number


class Test(NamedTuple):
    """A comparison of one column. `prefix`: the column starts with the value; `contains`: has it within;
    `extends`: the value starts with the column (uri `:above`)."""

    column: RowColumn
    comparison: Comparison
    value: Value


@dataclass(frozen=True, slots=True)
class And:
    """All hold; empty: always."""

    parts: "tuple[Expression, ...]" = ()


@dataclass(frozen=True, slots=True)
class Or:
    """At least one holds; empty: never."""

    parts: "tuple[Expression, ...]" = ()


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Row:
    """Some index row of the parameter ("Type.code", maybe with ":modifier") passes every test."""

    param: str
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Own:
    """A column of the resource itself: `id`, `type`, `client` (str), `last_updated` (µs), `kind` (str), `released` (bool),
    `creator` (str), `labels` (bits). `lacks`: none of the value's bits is set, in a version's own labels or the current ones."""

    column: Literal["id", "type", "client", "last_updated", "kind", "released", "creator", "labels"]
    comparison: Comparison
    value: Value


@dataclass(frozen=True, slots=True)
class Chain:
    """A reference of the parameter points at a readable resource, of one of the target types, for which `where` holds."""

    param: str
    targets: "tuple[tuple[str, Expression], ...]"
    """(target type, what must hold of it) pairs."""


@dataclass(frozen=True, slots=True)
class Has:
    """A readable resource of `type`, for which `where` holds, points here with its reference parameter `param`."""

    type: str
    param: str
    where: "Expression"


# What only policy says --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClientOf:
    """The resource's client stands in a relation of one of the kinds to the holder (and organization) now, or did `lately`: at the
    moment that is bound by that name."""

    kinds: tuple[str, ...]
    holder: Value
    organization: Value | None = None
    qualifiers: tuple[Value, ...] = ()
    """The relation's qualifier is one of these, where any is given."""
    lately: bool = False


@dataclass(frozen=True, slots=True)
class Party:
    """The resource (in this very version) names the holder, a reference "Type/id", in one of the roles."""

    roles: tuple[str, ...]
    holder: Value


@dataclass(frozen=True, slots=True)
class PartyIn:
    """The resource names, in one of the roles, somebody whom the holder has in a relation of one of the kinds now
    (the relation's `client` column holds that somebody's reference)."""

    roles: tuple[str, ...]
    kinds: tuple[str, ...]
    holder: Value


@dataclass(frozen=True, slots=True)
class Via:
    """The resource points, in the role, at some resource that is itself readable (Provenance.target, Binary.securityContext)."""

    role: str


@dataclass(frozen=True, slots=True)
class Consented:
    """The Consents of the resource's client open it to the caller, for the caller's purpose, and none closes it.

    `person`: they open something of the client, and so the Patient. `recipient`: to whom, in place of the caller, for treatment.
    """

    person: bool = False
    recipient: Value | None = None


@dataclass(frozen=True, slots=True)
class DeniedInPerson:
    """A Consent of the resource's client closes it to the caller, whom it names in person."""


@dataclass(frozen=True, slots=True)
class OwnBasis:
    """The resource is a Consent by which something is open to the caller now."""


Expression: TypeAlias = (
    And
    | Or
    | Not
    | Row
    | Own
    | Chain
    | Has
    | ClientOf
    | Party
    | PartyIn
    | Via
    | Consented
    | DeniedInPerson
    | OwnBasis
)

EVERYTHING: Expression = And()
NOTHING: Expression = Or()


def both(*parts: Expression) -> Expression:
    """All of these, flattened; NOTHING swallows the rest."""
    flat: list[Expression] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, And) else (part,))
    if NOTHING in flat:
        return NOTHING
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def either(*parts: Expression) -> Expression:
    """Any of these, flattened; EVERYTHING swallows the rest."""
    flat: list[Expression] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Or) else (part,))
    if EVERYTHING in flat:
        return EVERYTHING
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def openings(rule: Expression) -> tuple[ClientOf, ...]:
    """Relations, of which the client of all that meets the rule stands in one at least; none where that can't be said."""
    parts = rule.parts if isinstance(rule, And) else (rule,)
    direct = next((part for part in parts if isinstance(part, ClientOf)), None)
    if direct is not None:
        return (direct,)
    choices = [[openings(each) for each in part.parts] for part in parts if isinstance(part, Or)]
    return next((tuple(chain(*found)) for found in choices if found and all(found)), ())
