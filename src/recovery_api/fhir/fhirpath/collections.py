"""Functions on collections: existence, subsetting, combining (http://hl7.org/fhirpath/N1/#functions 5.1 to 5.4, 5.8)."""
from collections.abc import Callable

from recovery_api.fhir.fhirpath.errors import FhirPathError
from recovery_api.fhir.fhirpath.members import children, descendants
from recovery_api.fhir.fhirpath.model import is_primitive
from recovery_api.fhir.fhirpath.nodes import EMPTY, FALSE, TRUE, Node, Nodes, boolean
from recovery_api.fhir.fhirpath.operators import distinct, identity, single, truth, union


def whole(nodes: Nodes) -> int:
    """The integer that an argument gives. Raises FhirPathError for anything else."""
    node = single(nodes)
    if node is None or type(node.value) is not int:
        raise FhirPathError("An integer is needed as an argument.")
    return node.value


def _not(nodes: Nodes) -> Nodes:
    answer = truth(nodes)
    return boolean(None if answer is None else not answer)


def _has_value(nodes: Nodes) -> Nodes:
    return boolean(len(nodes) == 1 and is_primitive(nodes[0].type) and nodes[0].value is not None)


def _single(nodes: Nodes) -> Nodes:
    single(nodes)
    return nodes


def _every(wanted: bool) -> Callable[[Nodes], Nodes]:
    return lambda nodes: boolean(all(node.value is wanted for node in nodes))


def _some(wanted: bool) -> Callable[[Nodes], Nodes]:
    return lambda nodes: boolean(any(node.value is wanted for node in nodes))


def _within(nodes: Nodes, other: Nodes) -> bool:
    known = {identity(node) for node in other}
    return all(identity(node) in known for node in nodes)


def _intersect(nodes: Nodes, other: Nodes) -> Nodes:
    if not nodes or not other:
        return EMPTY
    known = {identity(node) for node in other}
    return distinct([node for node in nodes if identity(node) in known])


def _exclude(nodes: Nodes, other: Nodes) -> Nodes:
    known = {identity(node) for node in other}
    return [node for node in nodes if identity(node) not in known]


# Functions of the focus alone: what each gives, and the type of that (None: the type of the focus, "": known when run).
UNARY: dict[str, tuple[Callable[[Nodes], Nodes], str | None]] = {
    "empty": (lambda nodes: FALSE if nodes else TRUE, "boolean"),
    "exists": (lambda nodes: TRUE if nodes else FALSE, "boolean"),
    "not": (_not, "boolean"),
    "hasValue": (_has_value, "boolean"),
    "count": (lambda nodes: [Node("integer", len(nodes))], "integer"),
    "allTrue": (_every(wanted=True), "boolean"),
    "allFalse": (_every(wanted=False), "boolean"),
    "anyTrue": (_some(wanted=True), "boolean"),
    "anyFalse": (_some(wanted=False), "boolean"),
    "isDistinct": (lambda nodes: boolean(len({identity(node) for node in nodes}) == len(nodes)), "boolean"),
    "distinct": (distinct, None),
    "single": (_single, None),
    "first": (lambda nodes: nodes[:1], None),
    "last": (lambda nodes: nodes[-1:], None),
    "tail": (lambda nodes: nodes[1:], None),
    "children": (children, ""),
    "descendants": (descendants, ""),
}

# Functions of the focus and one other collection: what each gives, and whether its type is the focus's, else both sides'.
BINARY: dict[str, Callable[[Nodes, Nodes], Nodes]] = {
    "union": union,
    "combine": lambda nodes, other: nodes + other,
    "intersect": _intersect,
    "exclude": _exclude,
    "skip": lambda nodes, count: nodes[max(whole(count), 0) :],
    "take": lambda nodes, count: nodes[: max(whole(count), 0)],
}

TESTS: dict[str, Callable[[Nodes, Nodes], bool]] = {
    "subsetOf": _within,
    "supersetOf": lambda nodes, other: _within(other, nodes),
}
