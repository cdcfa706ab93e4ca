"""What FHIRPath asks of the type definitions: which JSON members an element name stands for, and which type is which."""
from functools import lru_cache
from typing import NamedTuple

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.fhirpath.errors import FhirPathError

_TEXT = frozenset({"string", "code", "id", "markdown", "uri", "url", "canonical", "uuid", "oid", "base64Binary", "xhtml"})
_SYSTEM: dict[str, frozenset[str]] = {
    "System.Any": frozenset(),
    "System.Boolean": frozenset({"boolean"}),
    "System.String": _TEXT,
    "System.Integer": frozenset({"integer", "positiveInt", "unsignedInt"}),
    "System.Decimal": frozenset({"decimal"}),
    "System.Date": frozenset({"date"}),
    "System.DateTime": frozenset({"dateTime", "instant"}),
    "System.Time": frozenset({"time"}),
    "System.Quantity": frozenset({"Quantity"}),
}
_ABSTRACT = frozenset({"Resource", "DomainResource"})


class Field(NamedTuple):
    """One JSON member that an element may stand in, and the type that it then has."""

    name: str
    type: str
    primitive: bool
    resource: bool  # the type is that of the resource found there


_EXTRAS = {"extension": (Field("extension", "Extension", primitive=False, resource=False),), "id": (Field("id", "string", True, False),)}


def is_primitive(type_: str) -> bool:
    """Whether a type is one of FHIR's primitives, by FHIR's rule for names."""
    return type_[0].islower()


def is_known(type_: str) -> bool:
    """Whether a name is a FHIR type."""
    try:
        definitions().type(type_)
    except KeyError:
        return False
    return True


def is_resource(type_: str) -> bool:
    """Whether a type is a resource type or an abstract parent of these."""
    return is_a(type_, "Resource")


def specified(name: str) -> str:
    """The type that a type specifier names: `FHIR.Quantity`, `Quantity`, `System.String` or `String`. Raises FhirPathError."""
    bare = name.removeprefix("FHIR.").replace("`", "")
    if f"System.{bare.removeprefix('System.')}" in _SYSTEM and (bare.startswith("System.") or bare != "Quantity"):
        return f"System.{bare.removeprefix('System.')}"
    if not is_known(bare):
        raise FhirPathError(f"'{name}' is not a type.")
    return bare


@lru_cache(maxsize=4096)
def is_a(type_: str, ancestor: str) -> bool:
    """Whether a type is another one, or derives from it."""
    if ancestor in _SYSTEM:
        return type_ in _SYSTEM[ancestor]
    current: str | None = type_
    while current:
        if current == ancestor:
            return True
        try:
            current = definitions().type(current).base
        except KeyError:
            return False
    return False


@lru_cache(maxsize=8192)
def fields(type_: str, name: str) -> tuple[Field, ...]:
    """The members that `name` stands for in a type: one, or one for each type of a choice; none if it has no such element."""
    if is_primitive(type_):
        return _EXTRAS.get(name, ())
    try:
        facts = definitions().type(type_)
    except KeyError:
        return ()
    elements = facts.choices.get(name) or ((facts.elements[name],) if name in facts.elements else ())
    return tuple(_field(element.name, element.type) for element in elements)


@lru_cache(maxsize=1024)
def all_fields(type_: str) -> dict[str, Field]:
    """Every member of a type, by its JSON name."""
    if is_primitive(type_):
        return {name: field[0] for name, field in _EXTRAS.items()}
    try:
        facts = definitions().type(type_)
    except KeyError:
        return {}
    return {name: _field(name, element.type) for name, element in facts.elements.items()}


def _field(name: str, type_: str) -> Field:
    return Field(name, type_, primitive=is_primitive(type_), resource=type_ in _ABSTRACT)
