"""Which members of its focus an expression reads: what it says can't change while none of them is there."""
from typing import cast

from recovery_api.fhir.fhirpath.model import fields
from recovery_api.fhir.fhirpath.parse import Tree, parse

_OF_ITEMS = frozenset({"where", "all", "select", "exists", "trace"})  # their arguments read the items of what stands before them


def members_read(expression: str, type_: str) -> frozenset[str] | None:
    """The JSON members of a value of this type that an expression reads; None where it reads more than single members."""
    names = _names(parse(expression))
    if names is None or not all(fields(type_, name) for name in names):
        return None
    found = [field for name in names for field in fields(type_, name)]
    return frozenset({field.name for field in found} | {f"_{field.name}" for field in found if field.primitive})


def _names(tree: Tree) -> frozenset[str] | None:
    match tree:
        case ["member", None, str(name)]:
            return frozenset({name})
        case ["literal" | "null", *_] | ["variable", "ucum"]:
            return frozenset()
        case ["call", left, str(name), _] if left and name in _OF_ITEMS:
            return _names(left)
        case ["call", left, _, arguments] if left:
            return _all([left, *arguments])
        case ["member" | "negative" | "is" | "as", *parts] | ["operator", _, *parts] | ["item", *parts]:
            return _all([cast(Tree, part) for part in parts if isinstance(part, list)])
        case _:
            return None


def _all(trees: list[Tree]) -> frozenset[str] | None:
    found: frozenset[str] = frozenset()
    for tree in trees:
        names = _names(tree)
        if names is None:
            return None
        found |= names
    return found
