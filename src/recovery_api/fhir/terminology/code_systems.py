"""A code system: its concepts and how they stand to each other (https://hl7.org/fhir/R4/codesystem.html)."""
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from recovery_api.fhir.definitions import SystemFacts
from recovery_api.fhir.json import JsonObject

PARENT: Final = frozenset({"parent", "subsumedBy"})
"""The properties that name a concept above."""


class Concept(NamedTuple):
    """A code and what it means."""

    code: str
    display: str
    definition: str = ""
    parents: tuple[str, ...] = ()
    """The codes right above it, or all above it."""
    properties: Mapping[str, Any] = {}
    """Those with one plain value, by code."""


class CodeSystem(NamedTuple):
    """All concepts of a code system, by code, in order."""

    url: str
    name: str
    version: str
    concepts: Mapping[str, Concept]

    def above(self, code: str) -> frozenset[str]:
        """The codes that subsume a code of the system, itself among them."""
        found = {code}
        waiting = [code]
        while waiting:
            parents = set(self.concepts[waiting.pop()].parents) & self.concepts.keys() - found
            found |= parents
            waiting += parents
        return frozenset(found)

    def below(self, code: str) -> frozenset[str]:
        """The codes of the system that a code subsumes, itself among them."""
        return frozenset(one for one in self.concepts if code in self.above(one))

    def children(self, code: str) -> tuple[str, ...]:
        """The codes right below."""
        return tuple(one.code for one in self.concepts.values() if code in one.parents)


def of_resource(resource: JsonObject) -> CodeSystem:
    """The code system that a CodeSystem resource, which is valid, defines."""
    concepts = {one.code: one for one in _concepts(resource.get("concept", ()), None)}
    name = resource.get("title") or resource.get("name") or resource["url"]
    return CodeSystem(resource["url"], name, resource.get("version", ""), concepts)


def of_facts(url: str, facts: SystemFacts) -> CodeSystem:
    """The code system that the compiled facts tell of."""
    concepts = {one.code: Concept(one.code, one.display, "", one.above) for one in facts.concept}
    return CodeSystem(url, facts.name, facts.version, concepts)


def _concepts(said: Iterable[JsonObject], parent: str | None) -> Iterator[Concept]:
    for one in said:
        properties = list(_properties(one.get("property", ())))
        named = [cast("str", value) for code, value in properties if code in PARENT]
        parents = ((parent,) if parent else ()) + tuple(code for code in named if code != parent)
        yield Concept(one["code"], one.get("display", ""), one.get("definition", ""), parents, dict(properties))
        yield from _concepts(one.get("concept", ()), one["code"])


def _properties(said: Sequence[JsonObject]) -> Iterator[tuple[str, Any]]:
    for one in said:
        value = next((value for key, value in one.items() if key.startswith("value")), None)
        if not isinstance(value, dict | None):
            yield one["code"], value
