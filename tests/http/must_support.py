"""Which elements that US Core 7 asks servers to support stand in none of some resources (the checklist's H18)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from recovery_api.fhir.conformance.slicing import sliced
from recovery_api.fhir.conformance.structures import Constraint, tree
from recovery_api.fhir.conformance.values import Value, values
from recovery_api.fhir.json import JsonObject

MUST_SUPPORT: Mapping[str, Sequence[str]] = json.loads((Path(__file__).parents[1] / "data" / "us-core-must-support.json").read_text())
"""Element ids, by profile; from US Core's package by scripts/select_must_support.py."""


def found(url: str, resource: JsonObject, place: str) -> list[Value]:
    """The values of an element, by its id, in a resource."""
    root = tree(url)
    return list(_at(root, Value(resource, root.name, root.name), place.split(".")[1:]))


def unseen(url: str, resources: Iterable[JsonObject]) -> set[str]:
    """The must-support elements and slices of a profile, by their ids, that no resource has."""
    missing = set(MUST_SUPPORT[url])
    for each in resources:
        missing -= {place for place in missing if found(url, each, place)}
    return {place.partition(".")[2] for place in missing}


def _at(constraint: Constraint | None, value: Value, steps: Sequence[str]) -> Iterator[Value]:
    """The values at an element id's steps: `category:us-core`, `value[x]`."""
    if not steps:
        yield value
        return
    name, _, slice = steps[0].partition(":")
    child = constraint.children.get(name) if constraint else None
    found = values(*value.members, name)
    if slice and child and slice in child.slices:
        child, found = child.slices[slice], sliced(child, found)[0][slice]
    elif slice:  # a choice of one type, which the profile names and says nothing of
        child, found = None, [one for one in found if slice.casefold() == f"{name.removesuffix('[x]')}{one.type}".casefold()]
    for one in found:
        yield from _at(child, one, steps[1:])
