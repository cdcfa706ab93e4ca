"""What the R4 definitions say about each type, from the compact facts that the package carries.

The facts are compiled by `scripts/compile_definitions.py` from the official packages; `definitions/compiled/README.md` names
sources and licences. A type's facts are built when they are first asked for.
"""
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Literal, NamedTuple

import msgspec

from recovery_api.fhir.json import JsonObject, load

Kind = Literal["resource", "complex", "primitive", "backbone"]

ABSTRACT = frozenset({"Resource", "DomainResource", "Element", "BackboneElement"})


class Element(NamedTuple):
    """One JSON property of a type; a choice such as value[x] is one Element for each of its types."""

    name: str
    """The JSON property: "status", "valueQuantity"."""
    path: str
    """The path in the definition: "Observation.value[x]"."""
    type: str
    """A type's name, or a backbone's own path: "Quantity", "Observation.component"."""
    min: int
    max: int | None
    """None where there is no limit; such an element, and any with a limit above one, is an array."""
    choice: str | None
    """The choice's name ("value") where the element is one of its types."""
    binding: str | None
    """The value set whose codes are required, without version."""
    targets: tuple[str, ...]
    """The types that a Reference or canonical may point to; none where it may be any."""
    summary: bool
    """It is part of `_summary=true`."""
    modifier: bool
    """It may change the meaning of what it stands in."""

    @property
    def is_array(self) -> bool:
        """Whether JSON holds it as an array."""
        return self.max != 1


class Invariant(NamedTuple):
    """A constraint on a type, or on one of its elements."""

    key: str
    severity: Literal["error", "warning"]
    human: str
    expression: str
    """FHIRPath."""
    element: str
    """The element that the expression starts from, a JSON property or a choice's name; '' for the type itself."""


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """The definition of a resource type, data type or backbone element, with all that it inherits."""

    name: str
    kind: Kind
    base: str
    """The type it specializes; '' for Resource and Element."""
    elements: Mapping[str, Element]
    """By JSON property, in the order of the definition, inherited ones first."""
    choices: Mapping[str, tuple[Element, ...]]
    """The types of each choice, by the choice's name."""
    invariants: tuple[Invariant, ...]


class ConceptFacts(NamedTuple):
    """A code of a code system."""

    code: str
    display: str
    above: tuple[str, ...] = ()
    """The codes that subsume it."""


class SystemFacts(msgspec.Struct, frozen=True):
    """A code system of the standard."""

    name: str
    version: str
    concept: tuple[ConceptFacts, ...]


class _Facts(msgspec.Struct, frozen=True):
    kind: Kind
    base: str
    elements: tuple[Element, ...]
    invariants: tuple[Invariant, ...]


class _Kind(msgspec.Struct, frozen=True):
    kind: Kind


class Definitions:
    """All types of R4 and the codes of their required bindings."""

    def __init__(self, types: Mapping[str, msgspec.Raw]) -> None:
        """Take the compiled facts of each type, still as JSON text."""
        self._raw = types
        self._types: dict[str, TypeFacts] = {}

    @cached_property
    def resource_types(self) -> frozenset[str]:
        """The names of all resource types that can have instances."""
        named = (name for name in self._raw if "." not in name and name not in ABSTRACT and name[0].isupper())
        return frozenset(name for name in named if msgspec.json.decode(self._raw[name], type=_Kind).kind == "resource")

    @cached_property
    def type_names(self) -> frozenset[str]:
        """The names of all types: resources, data types, primitives and backbone elements."""
        return frozenset(self._raw)

    def type(self, name: str) -> TypeFacts:
        """The facts of a type ("Observation", "Quantity", "code") or backbone ("Observation.component"); KeyError if unknown."""
        facts = self._types.get(name)
        if facts is None:
            facts = self._types[name] = self._build(name)
        return facts

    def _build(self, name: str) -> TypeFacts:
        own = msgspec.json.decode(self._raw[name], type=_Facts)
        base = self.type(own.base) if own.base else None
        elements = {**(base.elements if base else {}), **{element.name: element for element in own.elements}}
        choices: dict[str, tuple[Element, ...]] = {}
        for element in elements.values():
            if element.choice:
                choices[element.choice] = (*choices.get(element.choice, ()), element)
        return TypeFacts(name, own.kind, own.base, elements, choices, (*(base.invariants if base else ()), *own.invariants))

    @cached_property
    def _codes(self) -> Mapping[str, msgspec.Raw]:
        return _read("codes.json")

    @cached_property
    def _profiles(self) -> Mapping[str, msgspec.Raw]:
        return {**_read("us-core.json"), **_read("backport.json")}

    @cache  # noqa: B019 - there is one Definitions for the life of the process
    def codes(self, value_set: str) -> frozenset[tuple[str, str]] | None:
        """The (system, code) pairs of a required binding's value set; None where they can't be enumerated."""
        raw = self._codes.get(value_set.partition("|")[0])
        if raw is None:
            return None
        by_system = msgspec.json.decode(raw, type=dict[str, list[str]])
        return frozenset((system, code) for system, codes in by_system.items() for code in codes)

    @cache  # noqa: B019 - there is one Definitions for the life of the process
    def code_values(self, value_set: str) -> frozenset[str] | None:
        """The codes of a value set without their systems, as elements of type code hold them; None as in `codes`."""
        pairs = self.codes(value_set)
        return None if pairs is None else frozenset(code for _, code in pairs)

    @cached_property
    def _systems(self) -> Mapping[str, msgspec.Raw]:
        return _read("code-systems.json")

    @cached_property
    def value_set_urls(self) -> frozenset[str]:
        """The canonical URLs of the value sets whose codes are carried."""
        return frozenset(self._codes)

    @cached_property
    def system_urls(self) -> frozenset[str]:
        """The canonical URLs of the code systems that are carried."""
        return frozenset(self._systems)

    def code_system(self, url: str) -> SystemFacts | None:
        """What a code system says of its codes; None for one that is not carried."""
        raw = self._systems.get(url)
        return None if raw is None else msgspec.json.decode(raw, type=SystemFacts)

    @property
    def profile_urls(self) -> frozenset[str]:
        """The canonical URLs of the profiles whose facts are carried (US Core 7, Subscriptions backport, what they are built on)."""
        return frozenset(self._profiles)

    @cache  # noqa: B019 - there is one Definitions for the life of the process
    def profile(self, url: str) -> JsonObject | None:
        """What a profile asks beyond its base: a StructureDefinition of `type`, `baseDefinition`, `title` and `differential` alone.

        None for a profile that is not carried. A version after '|' is not looked at.
        """
        raw = self._profiles.get(url.partition("|")[0])
        return None if raw is None else load(raw)


@cache
def definitions() -> Definitions:
    """The definitions that the package carries, loaded once."""
    return Definitions(_read("types.json"))


def _read(name: str) -> Mapping[str, msgspec.Raw]:
    text = (files("recovery_api.definitions") / "compiled" / name).read_bytes()
    return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
