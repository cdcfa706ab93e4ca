"""FHIRPath's operators on collections: equality, order, arithmetic, logic, membership, union (http://hl7.org/fhirpath/N1/#operations)."""
import operator
from collections.abc import Callable, Hashable
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import TypeAlias, cast

from recovery_api.fhir.fhirpath import temporal
from recovery_api.fhir.fhirpath.errors import FhirPathError
from recovery_api.fhir.fhirpath.nodes import EMPTY, Node, Nodes, boolean
from recovery_api.fhir.json import Json, JsonObject

Binary: TypeAlias = Callable[[Nodes, Nodes], Nodes]


def truth(nodes: Nodes) -> bool | None:
    """A collection as a boolean: None when empty; one item that is no boolean is true. Raises FhirPathError for several items."""
    if not nodes:
        return None
    if len(nodes) > 1:
        raise FhirPathError("Several values stand where one boolean is needed.")
    value = nodes[0].value
    return value if isinstance(value, bool) else True


def single(nodes: Nodes) -> Node | None:
    """The one item, or None. Raises FhirPathError for several items."""
    if len(nodes) > 1:
        raise FhirPathError(f"{len(nodes)} values stand where one is needed.")
    return nodes[0] if nodes else None


def frozen(value: Json) -> Hashable:
    """A value's identity: equal values have equal ones, however their members are ordered."""
    if isinstance(value, dict):
        return frozenset((name, frozen(each)) for name, each in cast(dict[str, Json], value).items())
    if isinstance(value, list):
        return tuple(frozen(each) for each in cast(list[Json], value))
    return (value,) if isinstance(value, bool) else value


def identity(node: Node) -> Hashable:
    """What two nodes share when they are the same value."""
    return frozen(node.value)


def distinct(nodes: Nodes) -> Nodes:
    """The collection without repeated values."""
    if len(nodes) < 2:
        return nodes
    found: dict[Hashable, Node] = {}
    for node in nodes:
        found.setdefault(identity(node), node)
    return list(found.values())


def same(one: Node, other: Node) -> bool | None:
    """Whether two values are equal; None where their precision can't tell."""
    mine: Json = one.value
    theirs: Json = other.value
    if (one.type in temporal.TYPES or other.type in temporal.TYPES) and isinstance(mine, str) and isinstance(theirs, str):
        order = temporal.compare(mine, theirs)
        return None if order is None else order == 0
    if isinstance(mine, bool) or isinstance(theirs, bool):
        return mine is theirs
    if one.type == other.type == "Quantity" and _are_quantities(one, other):
        return _same_unit(one.value, other.value) and bool(one.value.get("value") == other.value.get("value"))
    return mine == theirs


def equal(left: Nodes, right: Nodes) -> bool | None:
    """`=`: the same values in the same order; None if either side is empty."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    answers = [same(one, other) for one, other in zip(left, right, strict=True)]
    return False if False in answers else None if None in answers else True


def equivalent(left: Nodes, right: Nodes) -> bool:
    """`~`: the same values in any order, text without regard to case and spaces."""

    def plain(node: Node) -> Hashable:
        return " ".join(node.value.lower().split()) if isinstance(node.value, str) else frozen(node.value)

    return len(left) == len(right) and sorted(map(repr, map(plain, left))) == sorted(map(repr, map(plain, right)))


def _unequal(left: Nodes, right: Nodes) -> Nodes:
    answer = equal(left, right)
    return boolean(None if answer is None else not answer)


def _are_quantities(*nodes: Node) -> bool:
    return all(isinstance(node.value, dict) for node in nodes)


def _same_unit(one: JsonObject, other: JsonObject) -> bool:
    return (one.get("code") or one.get("unit")) == (other.get("code") or other.get("unit"))


def order(left: Nodes, right: Nodes) -> int | None:
    """Less than, equal to or greater than zero; None where either is empty or the two can't be compared."""
    one, other = single(left), single(right)
    if one is None or other is None:
        return None
    mine, theirs = one.value, other.value
    if _are_quantities(one, other):
        if not _same_unit(mine, theirs):
            return None
        mine, theirs = mine.get("value"), theirs.get("value")
    if isinstance(mine, str) and isinstance(theirs, str):
        if one.type in temporal.TYPES or other.type in temporal.TYPES:
            return temporal.compare(mine, theirs)
        return (mine > theirs) - (mine < theirs)
    if not isinstance(mine, bool) and isinstance(mine, int | Decimal) and isinstance(theirs, int | Decimal):
        return (mine > theirs) - (mine < theirs)
    if mine is None or theirs is None:
        return None
    raise FhirPathError(f"A {one.type} and a {other.type} can't be compared.")


def _ordered(test: Callable[[int, int], bool]) -> Binary:
    def compared(left: Nodes, right: Nodes) -> Nodes:
        answer = order(left, right)
        return EMPTY if answer is None else boolean(test(answer, 0))

    return compared


def number(value: Decimal | int) -> Nodes:
    """The collection of one number."""
    return [Node("decimal" if isinstance(value, Decimal) else "integer", value)]


def _arithmetic(symbol: str, compute: Callable[[Decimal, Decimal], Decimal]) -> Binary:
    def computed(left: Nodes, right: Nodes) -> Nodes:
        one, other = single(left), single(right)
        if one is None or other is None or one.value is None or other.value is None:
            return EMPTY
        mine: Json = one.value
        theirs: Json = other.value
        if symbol == "+" and isinstance(mine, str) and isinstance(theirs, str):
            return [Node("string", mine + theirs)]
        if symbol in "+-" and one.type in temporal.TYPES and _are_quantities(other):
            return [Node(one.type, _moved(mine, cast(JsonObject, theirs), compute))]
        if symbol in "+-" and _are_quantities(one, other) and _same_unit(one.value, other.value):
            amounts = one.value.get("value"), other.value.get("value")
            return EMPTY if None in amounts else [Node(one.type, {**one.value, "value": compute(*amounts)})]
        if not isinstance(mine, int | Decimal) or not isinstance(theirs, int | Decimal):
            raise FhirPathError(f"'{symbol}' can't be applied to a {one.type} and a {other.type}.")
        try:
            return number(compute(cast(Decimal, mine), cast(Decimal, theirs)))
        except (ZeroDivisionError, DivisionByZero, InvalidOperation):
            return EMPTY

    return computed


def _moved(moment: str, span: JsonObject, compute: Callable[[Decimal, Decimal], Decimal]) -> str:
    return temporal.move(moment, compute(Decimal(0), Decimal(span.get("value", 0))), str(span.get("code") or span.get("unit")))


def _truncated(one: Decimal, other: Decimal) -> Decimal:
    return cast(Decimal, int(Decimal(one) / Decimal(other)))


def _joined(left: Nodes, right: Nodes) -> Nodes:
    one, other = single(left), single(right)
    return [Node("string", f"{'' if one is None else one.value or ''}{'' if other is None else other.value or ''}")]


def _member(item: Nodes, collection: Nodes) -> Nodes:
    if not item:
        return EMPTY
    one = cast(Node, single(item))
    return boolean(any(same(one, each) for each in collection))


def union(left: Nodes, right: Nodes) -> Nodes:
    """`|`: the values of both without repetition."""
    return distinct(left + right if left and right else left or right)


OPERATORS: dict[str, Binary] = {
    "=": lambda left, right: boolean(equal(left, right)),
    "!=": _unequal,
    "~": lambda left, right: boolean(equivalent(left, right)),
    "!~": lambda left, right: boolean(not equivalent(left, right)),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "+": _arithmetic("+", operator.add),
    "-": _arithmetic("-", operator.sub),
    "*": _arithmetic("*", operator.mul),
    "/": _arithmetic("/", lambda one, other: Decimal(one) / Decimal(other)),
    "div": _arithmetic("div", _truncated),
    "mod": _arithmetic("mod", lambda one, other: one - other * _truncated(one, other)),
    "&": _joined,
    "in": _member,
    "contains": lambda left, right: _member(right, left),
    "|": union,
}


def logic(symbol: str, left: bool | None, right: Callable[[], bool | None]) -> bool | None:
    """Three-valued `and`, `or`, `xor`, `implies`; the right side is asked only where it matters."""
    match symbol:
        case "and":
            return False if left is False or (other := right()) is False else True if left and other else None
        case "or":
            return True if left or (other := right()) else None if left is None or other is None else False
        case "implies":
            return True if left is False or (other := right()) else None if left is None or other is None else False
        case _:
            other = right()
            return None if left is None or other is None else left != other
