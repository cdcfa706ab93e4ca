"""Compiled expressions, and how they are put together: paths, selections by type or index, operators."""
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from recovery_api.fhir.fhirpath import operators
from recovery_api.fhir.fhirpath.errors import FhirPathError
from recovery_api.fhir.fhirpath.members import walk
from recovery_api.fhir.fhirpath.model import Field, is_a
from recovery_api.fhir.fhirpath.nodes import EMPTY, Node, Nodes, Run, Scope, boolean
from recovery_api.fhir.json import Json, JsonObject

Types: TypeAlias = frozenset[str] | None  # None: known only when run
BOOLEAN: Types = frozenset({"boolean"})


@dataclass(frozen=True, slots=True)
class Code:
    """A compiled expression. A plain path also keeps where it starts and its steps, so that longer paths stay one walk."""

    run: Run
    types: Types
    origin: Run | None = None
    steps: tuple[tuple[Field, ...], ...] = ()


def itself(_: Scope, this: Nodes) -> Nodes:
    """The focus: what `$this` is."""
    return this


def _nothing(_: Scope, __: Nodes) -> Nodes:
    return EMPTY


_SIGNED = frozenset({"integer", "decimal", "positiveInt", "unsignedInt", "Quantity"})
NOTHING = Code(_nothing, frozenset())


def path(origin: Run, steps: tuple[tuple[Field, ...], ...]) -> Code:
    """The elements reached by these steps from what `origin` gives; every step but the last has one type."""
    go = walk(tuple(step[0].name for step in steps[:-1]), steps[-1])

    def run(scope: Scope, this: Nodes) -> Nodes:
        start = origin(scope, this)
        if len(start) == 1:
            return go(start[0].value)
        return [node for each in start for node in go(each.value)]

    types = None if any(field.resource for field in steps[-1]) else frozenset(field.type for field in steps[-1])
    return Code(run, types, origin, steps)


def direct(code: Code) -> Callable[[JsonObject], Nodes] | None:
    """For a plain path from the focus: the walk itself, on the focus's value."""
    if code.origin is not itself:
        return None
    return walk(tuple(step[0].name for step in code.steps[:-1]), code.steps[-1])


def narrow(left: Code, type_: str) -> Code:
    """`as` and `ofType`: those of the type, worked out beforehand where the type is known."""
    run = left.run
    if left.types is None or any(type_ != each and is_a(type_, each) for each in left.types):
        return Code(lambda scope, this: [node for node in run(scope, this) if is_a(node.type, type_)], None)
    kept = frozenset(each for each in left.types if is_a(each, type_))
    if kept == left.types:
        return left
    if not kept:
        return NOTHING
    if left.origin and len({field.type for field in left.steps[-1]}) > 1:
        return path(left.origin, (*left.steps[:-1], tuple(field for field in left.steps[-1] if field.type in kept)))
    return Code(lambda scope, this: [node for node in run(scope, this) if node.type in kept], kept)


def item_at(left: Code, index: Code) -> Code:
    """`left[index]`."""
    def item(scope: Scope, this: Nodes) -> Nodes:
        nodes, place = left.run(scope, this), operators.single(index.run(scope, this))
        if place is None:
            return EMPTY
        if type(place.value) is not int:
            raise FhirPathError("An index is an integer.")
        return EMPTY if place.value < 0 else nodes[place.value : place.value + 1]

    return Code(item, left.types)


def negative_of(inner: Code) -> Code:
    """`-inner`."""
    def negative(scope: Scope, this: Nodes) -> Nodes:
        node = operators.single(inner.run(scope, this))
        if node is None:
            return EMPTY
        if node.type not in _SIGNED or node.value is None:
            raise FhirPathError(f"A {node.type} has no negative.")
        negated: Json = {**node.value, "value": -node.value["value"]} if node.type == "Quantity" else -node.value
        return [Node(node.type, negated)]

    return Code(negative, inner.types)


def operation(symbol: str, left: Code, right: Code) -> Code:
    """`left symbol right`. Raises FhirPathError for a symbol that is no operator."""
    one, other = left.run, right.run
    truth, logic = operators.truth, operators.logic
    if symbol in {"and", "or", "xor", "implies"}:

        def decided(scope: Scope, this: Nodes) -> Nodes:
            return boolean(logic(symbol, truth(one(scope, this)), lambda: truth(other(scope, this))))

        return Code(decided, BOOLEAN)
    if symbol == "|":
        return union_of(left, right)
    if symbol not in operators.OPERATORS:
        raise FhirPathError(f"There is no operator '{symbol}'.")
    binary = operators.OPERATORS[symbol]
    types: Types = None if symbol in "+-*/" or symbol in {"div", "mod"} else frozenset({"string" if symbol == "&" else "boolean"})
    return Code(lambda scope, this: binary(one(scope, this), other(scope, this)), types)


def union_of(left: Code, right: Code) -> Code:
    """`left | right`."""
    if left is NOTHING:
        return right
    if right is NOTHING:
        return left
    one, other, union = left.run, right.run, operators.union
    types = None if left.types is None or right.types is None else left.types | right.types
    return Code(lambda scope, this: union(one(scope, this), other(scope, this)), types)


