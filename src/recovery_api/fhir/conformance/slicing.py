"""Which slice a value belongs to (https://hl7.org/fhir/R4/profiling.html#slicing)."""
from collections.abc import Mapping
from typing import Final

from recovery_api.fhir.conformance.structures import Constraint, is_known, tree, type_of
from recovery_api.fhir.conformance.values import Value, is_meant, tells, values
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.references import parse_reference

BY_URL: Final = ({"type": "value", "path": "url"},)
BY_TYPE: Final = ({"type": "type", "path": "$this"},)
THIS: Final = "$this"
RESOLVE: Final = "resolve()"


def sliced(constraint: Constraint, found: list[Value]) -> tuple[Mapping[str, list[Value]], list[Value]]:
    """The values of each slice, by its name, and those of none."""
    discriminators = _discriminators(constraint)
    taken: dict[str, list[Value]] = {name: [] for name in constraint.slices}
    rest: list[Value] = []
    for value in found:
        name = next((name for name, slice in constraint.slices.items() if _belongs(slice, value, discriminators)), None)
        (rest if name is None else taken[name]).append(value)
    return taken, rest


def _discriminators(constraint: Constraint) -> tuple[JsonObject, ...]:
    said = constraint.said.get("slicing", {}).get("discriminator")
    if said:
        return tuple(said)
    return BY_TYPE if constraint.name.endswith("[x]") else BY_URL


def _belongs(slice: Constraint, value: Value, discriminators: tuple[JsonObject, ...]) -> bool:
    return all(_matches(slice, value, one["type"], one["path"]) for one in discriminators)


def _matches(slice: Constraint, value: Value, kind: str, path: str) -> bool:
    if kind == "type":
        return _is_of_type(slice, value, path)
    if kind == "exists":
        at, found = _at(slice, value, path)
        wanted = at is None or at.said.get("max") != "0"
        return bool(found) == wanted
    if value.type == "Extension" and path == "url" and (profiles := slice.profiles("Extension")):
        return value.json.get("url") in {url.partition("|")[0] for url in profiles}
    at, found = _at(slice, value, path)
    return at is not None and any(_is_meant_deeply(at, one) for one in found)


def _at(slice: Constraint, value: Value, path: str) -> tuple[Constraint | None, list[Value]]:
    """What the slice says at a path, and the values there."""
    at: Constraint | None = slice
    found = [value]
    for step in path.split("."):
        if step != THIS:
            name = step if at is None or step in at.children else f"{step}[x]" if f"{step}[x]" in at.children else step
            found = [inner for one in found for inner in values(*one.members, name)]
            at = _child(at, name) if at else None
    return at, found


def _child(at: Constraint, name: str) -> Constraint | None:
    if name in at.children:
        return at.children[name]
    for one in at.types():
        for url in one.get("profile", ()):
            if is_known(url) and (child := tree(url).children.get(name)):
                return child
    return None


def _is_meant_deeply(at: Constraint, value: Value) -> bool:
    """The value, and what is in it, is what the slice says by which values are told apart."""
    if not is_meant(at, value):
        return False
    told = [child for child in at.children.values() if tells(child)]
    return (bool(told) or tells(at) or not at.children) and all(
        any(is_meant(child, inner) for inner in values(*value.members, child.name)) for child in told
    )


def _is_of_type(slice: Constraint, value: Value, path: str) -> bool:
    if path.endswith(RESOLVE):
        _, found = _at(slice, value, path.removesuffix(RESOLVE).removesuffix(".") or THIS)
        wanted = {type_of(url) for one in slice.types() for url in one.get("targetProfile", ())}
        literals = [parse_reference(one.json.get("reference", "")) for one in found]
        return any(literal is not None and literal.type in wanted for literal in literals)
    at, found = _at(slice, value, path)
    return at is not None and not {one.type for one in found}.isdisjoint(one["code"] for one in at.types())
