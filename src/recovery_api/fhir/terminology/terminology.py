"""Which codes a value set holds, from the code systems at hand (https://hl7.org/fhir/R4/valueset.html#compositions)."""
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.terminology.code_systems import CodeSystem, Concept, of_facts, of_resource

MOST_CODES: Final = 10_000
MOST_IMPORTS: Final = 16
"""How deep value sets may import each other."""


class NotExpandable(Exception):
    """Why the codes of a value set can't be listed: a sentence, and an IssueType."""

    def __init__(self, why: str, code: str = "not-supported") -> None:
        super().__init__(why)
        self.code = code


class Coding(NamedTuple):
    """One code of an expansion."""

    system: str
    code: str
    display: str = ""


Codes: TypeAlias = dict[tuple[str, str], Coding]
Keeps: TypeAlias = Callable[[Concept], bool]


class Terminology:
    """CodeSystem and ValueSet resources, in front of the code systems and value sets of R4 and US Core."""

    def __init__(self, resources: Iterable[JsonObject], behind: "Terminology | None" = None) -> None:
        """Take resources that are valid and have a url. `behind` is asked for what is not among them."""
        ours = {(one["resourceType"], one["url"]): one for one in resources}
        self._systems = {url: of_resource(one) for (type, url), one in ours.items() if type == "CodeSystem"}
        self._value_sets = {url: one for (type, url), one in ours.items() if type == "ValueSet"}
        self._behind = behind
        self._pairs: dict[str, frozenset[tuple[str, str]] | None] = {}

    def system(self, url: str) -> CodeSystem | None:
        """A code system, by its canonical URL; None where it is not known."""
        if url not in self._systems:
            if self._behind:
                return self._behind.system(url)
            facts = definitions().code_system(url)
            if facts is None:
                return None
            self._systems[url] = of_facts(url, facts)
        return self._systems[url]

    def value_set(self, url: str) -> JsonObject | None:
        """A value set by its canonical URL, whose version is not looked at; None where it is not known."""
        url = url.partition("|")[0]
        if found := self._value_sets.get(url):
            return found
        if self._behind:
            return self._behind.value_set(url)
        pairs = definitions().codes(url)
        if pairs is None:
            return None
        listed: dict[str, list[JsonObject]] = {}
        for system, code in sorted(pairs):
            listed.setdefault(system, []).append({"code": code})
        compose = {"include": [{"system": system, "concept": concepts} for system, concepts in listed.items()]}
        self._value_sets[url] = {"resourceType": "ValueSet", "url": url, "status": "active", "compose": compose}
        return self._value_sets[url]

    def expand(self, value_set: JsonObject) -> list[Coding]:
        """The codes of a value set, in its own order. Raises NotExpandable."""
        return list(self._expanded(value_set, ()).values())

    def codes(self, value_set: str) -> frozenset[tuple[str, str]] | None:
        """The (system, code) pairs of a value set, by its canonical URL; None where they can't be listed."""
        url = value_set.partition("|")[0]
        if url not in self._pairs:
            self._pairs[url] = definitions().codes(url) or self._listed(url)
        return self._pairs[url]

    def subsumed(self, system: str, code: str) -> frozenset[str] | None:
        """The codes that a code subsumes, itself among them; None where system or code are not known."""
        known = self.system(system)
        return known.below(code) if known and code in known.concepts else None

    def subsuming(self, system: str, code: str) -> frozenset[str] | None:
        """The codes that subsume a code, itself among them; None as in `subsumed`."""
        known = self.system(system)
        return known.above(code) if known and code in known.concepts else None

    def display(self, system: str, code: str) -> str:
        """How a code is called; '' where that is not known."""
        known = self.system(system)
        concept = known.concepts.get(code) if known else None
        return concept.display if concept else ""

    def _listed(self, url: str) -> frozenset[tuple[str, str]] | None:
        value_set = self.value_set(url)
        try:
            return None if value_set is None else frozenset(self._expanded(value_set, (url,)))
        except NotExpandable:
            return None

    def _expanded(self, value_set: JsonObject, within: tuple[str, ...]) -> Codes:
        if "compose" not in value_set:
            return dict(_contained(value_set.get("expansion", {}).get("contains", ())))
        compose: JsonObject = value_set["compose"]
        found: Codes = {}
        for part in compose["include"]:
            found |= self._part(part, within)
        for part in compose.get("exclude", ()):
            for pair in self._part(part, within):
                found.pop(pair, None)
        if len(found) > MOST_CODES:
            raise NotExpandable(f"The value set has more than {MOST_CODES} codes.", "too-costly")
        return found

    def _part(self, part: JsonObject, within: tuple[str, ...]) -> Codes:
        groups: list[Codes] = [self._of_system(part)] if "system" in part else []
        groups += [self._imported(url, within) for url in part.get("valueSet", ())]
        first, *others = groups
        return {pair: coding for pair, coding in first.items() if all(pair in other for other in others)}

    def _imported(self, url: str, within: tuple[str, ...]) -> Codes:
        if url in within or len(within) == MOST_IMPORTS:
            raise NotExpandable(f"The value set imports itself: {url[:200]}.", "invalid")
        value_set = self.value_set(url)
        if value_set is None:
            raise NotExpandable(f"The value set {url[:200]} is not known here.", "not-found")
        return self._expanded(value_set, (*within, url))

    def _of_system(self, part: JsonObject) -> Codes:
        system: str = part["system"]
        if "concept" in part:
            named = [(one["code"], one.get("display")) for one in part["concept"]]
            return {(system, code): Coding(system, code, display or self.display(system, code)) for code, display in named}
        known = self.system(system)
        if known is None:
            raise NotExpandable(f"The codes of {system[:200]} are not known here.", "not-found")
        rules = [_rule(known, one) for one in part.get("filter", ())]
        kept = (one for one in known.concepts.values() if all(keeps(one) for keeps in rules))
        return {(system, one.code): Coding(system, one.code, one.display) for one in kept}


def _contained(said: Iterable[JsonObject]) -> Iterable[tuple[tuple[str, str], Coding]]:
    for one in said:
        if "code" in one and not one.get("abstract"):
            coding = Coding(one.get("system", ""), one["code"], one.get("display", ""))
            yield (coding.system, coding.code), coding
        yield from _contained(one.get("contains", ()))


def _rule(system: CodeSystem, said: JsonObject) -> Keeps:
    """What a filter keeps (https://hl7.org/fhir/R4/valueset-filter-operator.html)."""
    name, operator, value = said["property"], said["op"], said["value"]
    if name in {"concept", "code"} and operator in _HIERARCHY:
        return _HIERARCHY[operator](system, value) if value in system.concepts else _nothing
    if name in {"concept", "code"} and operator in {"in", "not-in"}:
        listed = frozenset(value.split(","))
        return lambda concept: (concept.code in listed) == (operator == "in")
    if operator == "=":
        return partial(_has_property, name, value.lower())
    raise NotExpandable(f"The filter {name[:64]} {operator} is not supported here.")


def _nothing(_: Concept) -> bool:
    return False


def _has_property(name: str, value: str, concept: Concept) -> bool:
    return name in concept.properties and str(concept.properties[name]).lower() == value


def _is_a(system: CodeSystem, code: str) -> Keeps:
    below = system.below(code)
    return lambda concept: concept.code in below


def _descends(system: CodeSystem, code: str) -> Keeps:
    below = system.below(code) - {code}
    return lambda concept: concept.code in below


def _is_not_a(system: CodeSystem, code: str) -> Keeps:
    below = system.below(code)
    return lambda concept: concept.code not in below


def _generalizes(system: CodeSystem, code: str) -> Keeps:
    above = system.above(code)
    return lambda concept: concept.code in above


_HIERARCHY: Mapping[str, Callable[[Any, str], Keeps]] = MappingProxyType(
    {"is-a": _is_a, "descendent-of": _descends, "is-not-a": _is_not_a, "generalizes": _generalizes}
)
