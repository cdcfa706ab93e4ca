"""Expansion of value sets into codes, from the code systems at hand (https://hl7.org/fhir/R4/valueset.html#expansion)."""
import re
from collections.abc import Iterable, Iterator
from typing import Any

Definition = dict[str, Any]
Codes = dict[str, list[str]]


class NotEnumerable(Exception):
    """Why the codes of a value set can't be listed from what is at hand."""


class Terminology:
    """The code systems and value sets of some packages."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        """Take conformance resources; the first of several with one url counts."""
        self._systems: dict[str, Definition] = {}
        self._value_sets: dict[str, Definition] = {}
        for one in definitions:
            if one["resourceType"] == "CodeSystem":
                self._systems.setdefault(one["url"], one)
            elif one["resourceType"] == "ValueSet":
                self._value_sets.setdefault(one["url"], one)

    def expand(self, url: str) -> Codes:
        """The codes of a value set by system, in order; raises NotEnumerable with the reason."""
        codes: Codes = {}
        for system, code in sorted(self._pairs(url)):
            codes.setdefault(system, []).append(code)
        if not codes:
            raise NotEnumerable("the value set has no codes")
        return codes

    def _pairs(self, url: str) -> set[tuple[str, str]]:
        url = url.partition("|")[0]
        value_set = self._value_sets.get(url)
        if value_set is None:
            raise NotEnumerable(f"{url} is not among the definitions")
        if "compose" not in value_set:
            raise NotEnumerable(f"{url} has no compose")
        compose = value_set["compose"]
        included = set[tuple[str, str]]().union(*(self._part(part) for part in compose["include"]))
        return included.difference(*(self._part(part) for part in compose.get("exclude", ())))

    def _part(self, part: Definition) -> set[tuple[str, str]]:
        groups = [self._pairs(url) for url in part.get("valueSet", ())]
        if "system" in part:
            groups.append({(part["system"], code) for code in self._codes(part)})
        return set.intersection(*groups)

    def _codes(self, part: Definition) -> set[str]:
        if "concept" in part:
            return {concept["code"] for concept in part["concept"]}
        system = self._systems.get(part["system"])
        if system is None or system.get("content") not in {"complete", "fragment"} or "concept" not in system:
            raise NotEnumerable(f"the codes of {part['system']} are not among the definitions")
        concepts = {concept["code"]: (concept, parents) for concept, parents in _walk(system["concept"], ())}
        return {
            code
            for code, (concept, parents) in concepts.items()
            if all(_meets(concept, parents, rule, part["system"]) for rule in part.get("filter", ()))
        }


def _walk(concepts: list[Definition], parents: tuple[str, ...]) -> Iterator[tuple[Definition, frozenset[str]]]:
    for concept in concepts:
        declared = {one["valueCode"] for one in concept.get("property", ()) if one["code"] == "subsumedBy" and "valueCode" in one}
        yield concept, frozenset(parents) | declared
        yield from _walk(concept.get("concept", []), (*parents, concept["code"]))


def _meets(concept: Definition, parents: frozenset[str], rule: Definition, system: str) -> bool:
    match rule["op"], rule["property"]:
        case "is-a", _:
            return concept["code"] == rule["value"] or rule["value"] in parents
        case "descendent-of", _:
            return rule["value"] in parents
        case "is-not-a", _:
            return concept["code"] != rule["value"] and rule["value"] not in parents
        case "in", "concept" | "code":
            return concept["code"] in rule["value"].split(",")
        case "regex", "code" | "concept":
            return re.fullmatch(rule["value"], concept["code"]) is not None
        case "=", name:
            properties = (one for one in concept.get("property", ()) if one["code"] == name)
            return any(str(value).lower() == rule["value"].lower() for one in properties for key, value in one.items() if key != "code")
        case operator, name:
            raise NotEnumerable(f"the filter {name} {operator} of {system} is not supported")
