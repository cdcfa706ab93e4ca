"""Compile the official definitions of R4, US Core and the Subscriptions backport into the compact facts that the package carries.

    python scripts/compile_definitions.py [FOLDER]

FOLDER (default /work/shared/data) holds `r4/hl7.fhir.r4.core.tgz`, `us-core/hl7.fhir.us.core-7.0.0-noexamples.tgz`
and `igs/subscriptions-backport-1.2.0-ballot-r4-partial-conformance.tgz`.
The output, under src/recovery_api/definitions/compiled/, is the same bytes for the same input.
"""
import json
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from code_expansion import NotEnumerable, Terminology
from profile_facts import bindings, profile_facts
from system_facts import system_facts

Definition = dict[str, Any]

OUTPUT = Path(__file__).parent.parent / "src" / "recovery_api" / "definitions" / "compiled"
CORE = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = CORE + "structuredefinition-fhir-type"
MOST_LISTED = 300
"""An extensible value set with more codes than this is not carried."""
DEFINED = ("resource", "complex-type", "primitive-type")
KINDS = {"resource": "resource", "complex-type": "complex", "primitive-type": "primitive"}


def definitions_in(package: Path) -> Iterator[Definition]:
    """The resources in a FHIR package (.tgz), by file name."""
    with tarfile.open(package) as archive:
        members = sorted((member for member in archive if member.name.endswith(".json")), key=lambda member: member.name)
        for member in members:
            stream = archive.extractfile(member)
            assert stream is not None
            resource = json.load(stream)
            if "resourceType" in resource and "url" in resource:
                yield resource


def element_type(element: Definition, declared: Definition) -> str:
    """The FHIR type of one type entry of an element; R4 gives ids and urls as FHIRPath's System.String."""
    if not declared["code"].startswith("http://hl7.org/fhirpath/"):
        return declared["code"]
    if element["base"]["path"] == "Resource.id":
        return "id"
    return next(mark["valueUrl"] for mark in declared["extension"] if mark["url"] == FHIR_TYPE)


def element_facts(element: Definition, children: bool) -> list[list[Any]]:
    """One row per JSON property: name, path, type, min, max, choice, binding, targets, summary, modifier."""
    path: str = element["path"]
    name = path.rpartition(".")[2]
    limit = None if element["max"] == "*" else int(element["max"])
    binding = element.get("binding", {})
    required = binding["valueSet"].partition("|")[0] if binding.get("strength") == "required" else None
    flags = [element.get("isSummary", False), element.get("isModifier", False)]
    if "contentReference" in element:
        return [[name, path, element["contentReference"].removeprefix("#"), element["min"], limit, None, None, [], *flags]]
    rows: list[list[Any]] = []
    for declared in element["type"]:
        kind = path if children else element_type(element, declared)
        targets = sorted(target.rpartition("/")[2] for target in declared.get("targetProfile", ()))
        choice = name.removesuffix("[x]") if name.endswith("[x]") else None
        as_json = f"{choice}{kind[0].upper()}{kind[1:]}" if choice else name
        bound = required if kind in {"code", "Coding", "CodeableConcept", "Quantity", "string", "uri"} else None
        rows.append([as_json, path, kind, element["min"], limit, choice, bound, [] if targets == ["Resource"] else targets, *flags])
    return rows


def invariants(element: Definition, of: str, inherited: frozenset[str]) -> list[list[Any]]:
    """Rows of key, severity, human, expression and the name of the element it is evaluated on ('' for the type itself)."""
    return [
        [rule["key"], rule["severity"], rule["human"], rule["expression"], of]
        for rule in element.get("constraint", ())
        if rule["key"] not in inherited and "expression" in rule
    ]


def type_facts(structures: dict[str, Definition]) -> dict[str, Definition]:
    """The facts of every type and backbone element, each without what it inherits from its base."""
    roots = {
        structure["type"]: structure
        for structure in structures.values()
        if structure["kind"] in DEFINED and structure.get("derivation") != "constraint"
    }
    parents = {name: root.get("baseDefinition", "").rpartition("/")[2] for name, root in roots.items()}

    def keys(name: str) -> frozenset[str]:
        own = roots[name]["snapshot"]["element"][0].get("constraint", ())
        return frozenset(rule["key"] for rule in own) | (keys(parents[name]) if parents[name] else frozenset())

    facts: dict[str, Definition] = {}
    for name, root in sorted(roots.items()):
        elements = root["snapshot"]["element"]
        nested = {element["path"].rpartition(".")[0] for element in elements} - {"", name}
        base = parents[name]
        known = keys(base) if base else frozenset[str]()
        facts[name] = {"kind": KINDS[root["kind"]], "base": base, "elements": [], "invariants": invariants(elements[0], "", known)}
        for element in elements[1:] if root["kind"] != "primitive-type" else ():
            path: str = element["path"]
            owner, _, last = path.rpartition(".")
            types = element.get("type", ())
            if path in nested:
                base = types[0]["code"]
                facts[path] = {"kind": "backbone", "base": base, "elements": [], "invariants": invariants(element, "", keys(base))}
            if element["base"]["path"] != path:
                continue
            facts[owner]["elements"] += element_facts(element, path in nested)
            if path not in nested:
                inherited = keys("Element").union(*(keys(one["code"]) for one in types if one["code"] in roots))
                facts[owner]["invariants"] += invariants(element, last.removesuffix("[x]"), inherited)
                for one in types:
                    for profile in one.get("profile", ()):
                        of = last.replace("[x]", one["code"])
                        facts[owner]["invariants"] += invariants(structures[profile]["snapshot"]["element"][0], of, keys(one["code"]))
    return facts


def bound_value_sets(facts: Iterable[Definition]) -> set[str]:
    """The value sets that elements must be bound to."""
    return {row[6] for one in facts for row in one["elements"] if row[6]}


def write(name: str, members: dict[str, Any]) -> None:
    """Write compact JSON, one member a line so that a change shows as one."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    lines = (f"{json.dumps(key)}:{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}" for key, value in members.items())
    (OUTPUT / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(folder: Path) -> None:
    """Compile what is in the folder."""
    core = list(definitions_in(folder / "r4" / "hl7.fhir.r4.core.tgz"))
    national = list(definitions_in(folder / "us-core" / "hl7.fhir.us.core-7.0.0-noexamples.tgz"))
    structures = {one["url"]: one for one in core if one["resourceType"] == "StructureDefinition"}
    terminology = Terminology([*core, *national])
    types = type_facts(structures)
    profiles = profile_facts((one for one in national if one["resourceType"] == "StructureDefinition"), structures)
    codes: dict[str, Any] = {}
    syntax: dict[str, str] = {}
    required = bound_value_sets(types.values()) | bindings(profiles.values(), "required")
    for url in sorted(required | bindings(profiles.values(), "extensible")):
        try:
            listed = terminology.expand(url)
        except NotEnumerable as reason:
            syntax[url] = str(reason)
        else:
            if url in required or sum(map(len, listed.values())) <= MOST_LISTED:
                codes[url] = listed
    write("types.json", types)
    write("codes.json", codes)
    write("code-systems.json", system_facts([*core, *national], {system for listed in codes.values() for system in listed}))
    write("not-enumerated.json", syntax)
    write("us-core.json", profiles)
    backport = definitions_in(folder / "igs" / "subscriptions-backport-1.2.0-ballot-r4-partial-conformance.tgz")
    write("backport.json", profile_facts((one for one in backport if one["resourceType"] == "StructureDefinition"), structures))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("/work/shared/data"))
