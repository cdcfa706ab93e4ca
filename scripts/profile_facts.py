"""What a profile asks beyond its base: its differential, in FHIR's own words, without what is meant for readers."""
from collections.abc import Iterable, Mapping
from typing import Any

Definition = dict[str, Any]
VALUES = ("fixed", "pattern")
KEPT: Mapping[str, tuple[str, ...]] = {
    "type": ("code", "profile", "targetProfile"),
    "binding": ("strength", "valueSet"),
    "slicing": ("discriminator", "rules"),
    "constraint": ("key", "severity", "human", "expression"),
}
"""What is kept of an element's parts."""


def profile_facts(structures: Iterable[Definition], bases: Mapping[str, Definition]) -> dict[str, Definition]:
    """The facts of every profile on a resource or data type, and of those of `bases` that it is built on, by URL."""
    profiles = {one["url"]: one for one in structures if one.get("derivation") == "constraint"}
    for profile in list(profiles.values()):
        url = profile["baseDefinition"]
        while url not in profiles and url in bases and bases[url].get("derivation") == "constraint":
            profiles[url] = bases[url]
            url = bases[url]["baseDefinition"]
    return {url: _facts(one) for url, one in sorted(profiles.items())}


def bindings(facts: Iterable[Definition], *strengths: str) -> set[str]:
    """The value sets that elements of profiles are bound to with one of these strengths."""
    bound = (element["binding"] for one in facts for element in one["differential"]["element"] if "binding" in element)
    return {one["valueSet"] for one in bound if one["strength"] in strengths}


def _facts(structure: Definition) -> Definition:
    elements = [_element(element) for element in structure["differential"]["element"]]
    return {
        "type": structure["type"],
        "baseDefinition": structure["baseDefinition"],
        "title": structure.get("title", structure["name"]),
        "differential": {"element": [element for element in elements if len(element) > 1]},
    }


def _element(element: Definition) -> Definition:
    said: Definition = {"id": element["id"]}
    for key, value in element.items():
        if key in {"min", "max"} or key.startswith(VALUES):
            said[key] = value
        elif key == "binding":
            if "valueSet" in value:
                said[key] = _part(value, KEPT[key]) | {"valueSet": value["valueSet"].partition("|")[0]}
        elif key == "slicing":
            said[key] = _part(value, KEPT[key])
        elif key in KEPT:
            said[key] = [_part(one, KEPT[key]) for one in value]
    return said


def _part(value: Definition, kept: tuple[str, ...]) -> Definition:
    return {key: value[key] for key in kept if key in value}
