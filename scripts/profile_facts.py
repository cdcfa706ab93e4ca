"""What a profile asks beyond its base type, as compact facts."""
from collections.abc import Iterable
from typing import Any

Definition = dict[str, Any]
PRIVATE = ("fixed", "pattern")


def profile_facts(structures: Iterable[Definition]) -> dict[str, Definition]:
    """The facts of every profile on a resource or data type, by canonical URL."""
    return {one["url"]: _facts(one) for one in sorted(structures, key=lambda one: one["url"]) if one.get("derivation") == "constraint"}


def _facts(structure: Definition) -> Definition:
    facts: Definition = {
        "type": structure["type"],
        "base": structure["baseDefinition"],
        "title": structure.get("title", structure["name"]),
        "required": [],
        "limits": [],
        "mustSupport": [],
        "values": [],
        "bindings": [],
        "targets": [],
        "slices": [],
        "invariants": [],
    }
    differential = {element["id"] for element in structure["differential"]["element"]}
    for element in structure["snapshot"]["element"][1:]:
        _add(facts, element, element["id"] in differential)
    for element in structure["differential"]["element"]:
        facts["invariants"] += [
            [rule["key"], rule["severity"], rule["human"], rule["expression"], element["id"]]
            for rule in element.get("constraint", ())
            if "expression" in rule
        ]
    return facts


def _add(facts: Definition, element: Definition, own: bool) -> None:
    place = element["id"]
    base = element.get("base", {})
    if element["min"] > 0 and (own or element["min"] > base.get("min", 0)):
        facts["required"].append([place, element["min"]])
    if element["max"] not in {"*", base.get("max")} and own:
        facts["limits"].append([place, int(element["max"])])
    if element.get("mustSupport"):
        facts["mustSupport"].append(place)
    for key, value in element.items():
        if key.startswith(PRIVATE):
            facts["values"].append([place, "fixed" if key.startswith("fixed") else "pattern", value])
    binding = element.get("binding", {})
    if own and binding.get("strength") == "required" and "valueSet" in binding:
        facts["bindings"].append([place, binding["valueSet"].partition("|")[0]])
    if own:
        for declared in element.get("type", ()):
            if "targetProfile" in declared:
                facts["targets"].append([place, declared["targetProfile"]])
    if "slicing" in element:
        rules = element["slicing"]
        facts["slices"].append([place, [[one["type"], one["path"]] for one in rules.get("discriminator", ())], rules["rules"]])
