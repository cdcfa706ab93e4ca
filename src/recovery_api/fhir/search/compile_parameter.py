"""A SearchParameter definition for one type, resolved to the places that it reads and how it is indexed.

https://hl7.org/fhir/R4/searchparameter.html; which types of element each kind of parameter reads:
https://hl7.org/fhir/R4/search.html#ptypes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.search.paths import Elements, Leaf, NotAPath, Step, leaves

_TEXTS = frozenset({"string", "markdown", "uri", "url", "canonical", "id", "oid", "uuid", "code"})
_AMOUNTS = frozenset({"Quantity", "Age", "Duration", "Count", "Distance", "Money", "Range"})
INDEXED: Mapping[str, frozenset[str]] = {
    "token": _TEXTS | {"boolean", "Coding", "CodeableConcept", "Identifier", "ContactPoint"},
    "string": _TEXTS | {"HumanName", "Address"},
    "date": frozenset({"date", "dateTime", "instant", "Period", "Timing"}),
    "number": frozenset({"decimal", "integer", "positiveInt", "unsignedInt", "Range"}),
    "quantity": _AMOUNTS,
    "reference": frozenset({"Reference", "canonical", "uri"}),
    "uri": frozenset({"uri", "url", "canonical", "oid", "uuid"}),
}
"""The types of element that each kind of parameter indexes; SampledData is left out on purpose."""


class NotIndexable(ValueError):
    """The definition reads nothing that its kind of parameter can index, or is of a form that is not supported."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One search parameter of one type, resolved."""

    kind: str
    url: str
    expression: str
    leaves: tuple[Leaf, ...]
    targets: tuple[str, ...] = ()
    roots: tuple[Leaf, ...] = ()
    components: tuple[tuple[str, str, tuple[Leaf, ...]], ...] = ()
    """(code, kind, places below a root) of each component of a composite."""
    client: bool = False
    """It reads just the one reference to a Patient that the type's `patient` reads."""
    systems: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict[str, str | Mapping[str, str]])
    """The system of the codes of a `code` leaf, by its dotted place; by code where they come of several systems."""

    def as_json(self) -> JsonObject:
        """The compact form, without what is empty."""
        facts: JsonObject = {"kind": self.kind, "url": self.url, "expression": self.expression}
        facts |= {"leaves": _leaves(self.leaves), "targets": self.targets, "roots": _leaves(self.roots)}
        facts |= {"components": [[code, kind, _leaves(below)] for code, kind, below in self.components]}
        facts |= {"client": self.client, "systems": self.systems}
        return {name: value for name, value in facts.items() if value}


def _leaves(found: tuple[Leaf, ...]) -> list[list[Any]]:
    return [
        [[[*step] if step.key else step.member for step in leaf.steps], leaf.type, *([leaf.target] if leaf.target else [])]
        for leaf in found
    ]


def leaves_from(compact: list[list[Any]]) -> tuple[Leaf, ...]:
    """Leaves as `as_json` wrote them."""
    return tuple(Leaf(tuple(Step(step) if isinstance(step, str) else Step(*step) for step in steps), *rest) for steps, *rest in compact)


def resolve(
    definition: JsonObject,
    base: str,
    by_url: Mapping[str, JsonObject],
    elements: Elements,
    types: Mapping[str, JsonObject],
    codes: Mapping[str, Mapping[str, list[str]]],
) -> Resolved:
    """The definition as it stands for the type `base`.

    Raises NotAPath and NotIndexable.
    """
    kind, expression = definition["type"], definition.get("expression", "")
    if kind == "composite":
        return _composite(definition, base, by_url, elements)
    if kind not in INDEXED:
        raise NotIndexable(f"parameters of type {kind} are not indexed")
    if " and " in expression:
        return _said(definition, base, elements)
    found = _indexed(kind, leaves(expression, base, elements), elements)
    if not found:
        raise NotIndexable(f"'{expression}' reads nothing that a {kind} parameter indexes")
    systems = {_dotted(leaf): of for leaf in found if leaf.type == "code" and (of := _systems(leaf, base, types, codes))}
    own = tuple(part.strip() for part in expression.split("|") if re.search(rf"\b{base}\.|^[a-z ]", part))
    return Resolved(
        kind,
        definition["url"],
        " | ".join(own) or expression,
        found,
        _targets(definition, found, base, types) if kind == "reference" else (),
        client=kind == "reference" and definition["code"] == "patient" and _one_patient(found, base, types),
        systems=systems,
    )


def _said(definition: JsonObject, base: str, elements: Elements) -> Resolved:
    """`X.exists() and X != false` (Patient.deceased): 'true' or 'false' for every resource, said by a leaf of type 'said'."""
    expression: str = definition["expression"]
    name, _, rest = expression.removeprefix(f"{base}.").partition(".exists() and ")
    if rest != f"{base}.{name} != false":
        raise NotAPath(f"'{expression}' is not of a form that is read here")
    members = tuple(Step(member) for member, _ in elements(base, name))
    return Resolved("token", definition["url"], expression, (Leaf(members, "said"),))


def _composite(definition: JsonObject, base: str, by_url: Mapping[str, JsonObject], elements: Elements) -> Resolved:
    roots = leaves(definition["expression"], base, elements)
    if len(definition["component"]) != 2 or not roots:
        raise NotIndexable("composites of other than two components are not indexed")
    components: list[tuple[str, str, tuple[Leaf, ...]]] = []
    for component in definition["component"]:
        part = by_url[component["definition"]]
        below = tuple(
            leaf for root in dict.fromkeys(root.type for root in roots) for leaf in leaves(component["expression"], root, elements)
        )
        found = _indexed(part["type"], tuple(dict.fromkeys(below)), elements)
        kind = part["type"]
        if not found:
            kind, found = _other_kind(tuple(dict.fromkeys(below)), elements)
        components.append((part["code"], kind, found))
    if components[0][1] not in ("token", "reference") and components[1][1] in ("token", "reference"):
        raise NotIndexable("a composite starts with a token or a reference")
    return Resolved("composite", definition["url"], definition["expression"], (), roots=roots, components=tuple(components))


def _other_kind(below: tuple[Leaf, ...], elements: Elements) -> tuple[str, tuple[Leaf, ...]]:
    for kind in ("token", "reference"):
        if found := _indexed(kind, below, elements):
            return kind, found
    raise NotIndexable("a component reads nothing that can be indexed")


def _indexed(kind: str, found: tuple[Leaf, ...], elements: Elements) -> tuple[Leaf, ...]:
    """The leaves that the kind can index; extensions stand for their values, and the `code` of a Coding for the Coding."""
    codings = tuple(leaf._replace(steps=leaf.steps[:-1], type="Coding") for leaf in found if _is_code_of_coding(leaf))
    if kind == "token" and codings:
        return codings
    widened: list[Leaf] = []
    for leaf in found:
        values = elements("Extension", "value") if leaf.type == "Extension" else ()
        widened += [Leaf((*leaf.steps, Step(member)), type_) for member, type_ in values] or [leaf]
    return tuple(leaf for leaf in widened if leaf.type in INDEXED[kind])


def _is_code_of_coding(leaf: Leaf) -> bool:
    return len(leaf.steps) > 1 and leaf.steps[-1].member == "code" and leaf.steps[-2].member in ("valueCoding", "coding")


def _facts(leaf: Leaf, base: str, types: Mapping[str, JsonObject]) -> list[Any] | None:
    """The compiled facts of the element that a leaf ends in."""
    at = base
    facts: list[Any] | None = None
    for step in leaf.steps:
        known: str | None = at
        facts = None
        while facts is None and known is not None and known in types:
            facts = next((element for element in types[known]["elements"] if element[0] == step.member), None)
            known = types[known]["base"]
        if facts is None:
            return None
        at = facts[2]
    return facts


def _systems(
    leaf: Leaf, base: str, types: Mapping[str, JsonObject], codes: Mapping[str, Mapping[str, list[str]]]
) -> str | dict[str, str] | None:
    facts = _facts(leaf, base, types)
    bound = codes.get(facts[6] or "") if facts else None
    if not bound:
        return None
    return next(iter(bound)) if len(bound) == 1 else {code: system for system, members in bound.items() for code in members}


def _targets(definition: JsonObject, found: tuple[Leaf, ...], base: str, types: Mapping[str, JsonObject]) -> tuple[str, ...]:
    """What the references may point at: as the definition says, within what the elements allow."""
    allowed: set[str] = set()
    anything = False
    for leaf in found:
        facts = _facts(leaf, base, types)
        named = [leaf.target] if leaf.target else list(facts[7]) if facts else []
        anything |= not named or "Resource" in named
        allowed.update(named)
    stated: list[str] = definition.get("target", [])
    kept = stated if anything else [target for target in stated if target in allowed] or sorted(allowed)
    return tuple(kept) if len(kept) < 100 else ()


def _one_patient(found: tuple[Leaf, ...], base: str, types: Mapping[str, JsonObject]) -> bool:
    facts = _facts(found[0], base, types)
    return len(found) == 1 and len(found[0].steps) == 1 and facts is not None and facts[4] == 1


def _dotted(leaf: Leaf) -> str:
    return ".".join(step.member for step in leaf.steps)
