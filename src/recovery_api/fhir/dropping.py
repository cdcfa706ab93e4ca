"""References that a reader may not follow, and what can't be without them: where they stand, and the copy without them.

What is cut out of a resource is told by place, so that `fhir/restoring.py` can put it back into what the reader makes of their copy.
"""
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias, cast

from recovery_api.fhir.definitions import TypeFacts, definitions
from recovery_api.fhir.invariants import is_kept
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_array, is_object

Cuts: TypeAlias = Mapping[str | int, "Cuts | None"]
"""By member or index: None for what is cut out whole, else what is cut out below."""
Drops: TypeAlias = Callable[[str, str], bool]
"""(element path from the root, as "participant.actor", and literal reference) → whether the reference is dropped."""

NOTHING: Cuts = {}


def cuts(resource: JsonObject, drops: Drops) -> Cuts:
    """What is cut out of a structurally valid resource where these references are dropped.

    A Reference goes whole, with its display and identifier. With it goes what can't be without it: an extension, an element in
    which it is required or that breaks a rule of its own type without it, what is left empty, and a contained resource with the
    references to it. The resource itself stays, whatever it lacks then.
    """
    fragments: set[str] = set()

    def all_drops(path: str, text: str) -> bool:
        return text in fragments or drops(path, text)

    while True:
        found = _members(resource, resource["resourceType"], "", all_drops, resource)
        gone = {f"#{resource['contained'][place].get('id')}" for place in _gone(found.get("contained", NOTHING), resource, "contained")}
        if gone <= fragments:
            return found
        fragments |= gone


def _gone(contained: Cuts | None, resource: JsonObject, name: str) -> list[int]:
    if contained is None:
        return list(range(len(resource[name])))
    return [cast("int", place) for place, below in contained.items() if below is None]


def _members(value: JsonObject, type: str, path: str, drops: Drops, root: JsonObject) -> Cuts:
    elements = definitions().type(type).elements
    found: dict[str | int, Cuts | None] = {}
    for name, item in value.items():
        element = elements.get(name.removeprefix("_"))
        if element is None or not (is_object(item) or is_array(item)):
            continue
        kind = "Element" if name.startswith("_") else element.type
        below = _member(item, kind, f"{path}.{name}" if path else name, drops, root)
        if below != NOTHING:
            found[name] = below
    return found


def _member(item: Json, kind: str, path: str, drops: Drops, root: JsonObject) -> Cuts | None:
    if is_object(item):
        return _object(item, kind, path, drops, root)
    objects = [(index, each) for index, each in enumerate(cast("list[Json]", item)) if is_object(each)]
    found: Cuts = {index: below for index, each in objects if (below := _object(each, kind, path, drops, root)) != NOTHING}
    return None if found and len(found) == len(objects) and not any(found.values()) else found


def _object(value: JsonObject, kind: str, path: str, drops: Drops, root: JsonObject) -> Cuts | None:
    type = value["resourceType"] if kind == "Resource" else kind
    if type == "Reference" and isinstance(text := value.get("reference"), str) and drops(path, text):
        return None
    found = _members(value, type, path, drops, root)
    return None if found and falls(type, value, found, root) else found


def falls(type: str, value: JsonObject, found: Cuts, root: JsonObject) -> bool:
    """Whether a value of the type can't be without what is cut out of it; `root` is the resource that it stands in."""
    facts = definitions().type(type)
    left = without(value, found)
    if left.keys() <= {"id", "url"} if type == "Extension" else left.keys() <= {"id"}:
        return True
    if any(below is None and _is_missed(facts, str(name), left) for name, below in found.items()):
        return True
    return facts.kind == "backbone" and not is_kept(root, type, left)


def _is_missed(facts: TypeFacts, name: str, left: JsonObject) -> bool:
    element = facts.elements[name.removeprefix("_")]
    options = [option.name for option in facts.choices[element.choice]] if element.choice else [element.name]
    return element.min > 0 and not any(option in left or f"_{option}" in left for option in options)


def without(value: JsonObject, cut: Cuts) -> JsonObject:
    """The object without what is cut out."""
    kept: JsonObject = {}
    for name, item in value.items():
        if name not in cut:
            kept[name] = item
        elif (below := cut[name]) is not None:
            if is_array(item):
                kept[name] = _beside(item, below) if name.startswith("_") else items_without(item, below)
            else:
                kept[name] = without(item, below)
    return kept


def items_without(items: Sequence[Json], cut: Cuts) -> list[Json]:
    """The items without what is cut out, of them and in them."""
    return [item_without(item, index, cut) for index, item in enumerate(items) if cut.get(index, NOTHING) is not None]


def item_without(item: Json, index: int, cut: Cuts) -> Json:
    """An item that stays, without what is cut out of it."""
    below = cut.get(index)
    return without(item, below) if below else item


def _beside(items: Sequence[Json], cut: Cuts) -> list[Json]:
    """What stands beside primitive values keeps its place."""
    return [None if cut.get(index, NOTHING) is None else item_without(item, index, cut) for index, item in enumerate(items)]



class Dependence(NamedTuple):
    """Where a path passes an element that may go with a reference in it."""

    depth: int
    """The members from the root to the element."""
    type: str
    """The element's type: a backbone's path."""
    members: tuple[str, ...]
    """The references that it may go with."""


@lru_cache(maxsize=4096)
def dependence(type: str, path: tuple[str, ...]) -> Dependence | None:
    """Which element on a path of members, starting from a value of the type, may go with a reference beside the rest of the path."""
    facts = definitions().type(type)
    for depth, (member, following) in enumerate(pairwise(path), start=1):
        element = facts.elements.get(member)
        if element is None or element.type not in definitions().type_names:
            return None
        facts = definitions().type(element.type)
        if facts.kind == "backbone" and (members := _leaned_on(facts, following)):
            return Dependence(depth, facts.name, members)
    return None


def _leaned_on(facts: TypeFacts, following: str) -> tuple[str, ...]:
    choice = facts.elements[following].choice if following in facts.elements else None
    strict = any(rule.severity == "error" and rule.key != "ele-1" for rule in facts.invariants)
    return tuple(
        element.name
        for element in facts.elements.values()
        if element.type == "Reference" and not element.is_array and (element.min or strict) and not (choice and element.choice == choice)
    )


def leans_on(dependence: Dependence, value: JsonObject) -> str | None:
    """The literal reference without which this value of the element goes; None where it would stay."""
    for member in dependence.members:
        text = value.get(member, {}).get("reference")
        if isinstance(text, str) and falls(dependence.type, value, {member: None}, {"resourceType": dependence.type.partition(".")[0]}):
            return text
    return None
