"""FHIRPath (http://hl7.org/fhirpath/N1/, https://hl7.org/fhir/R4/fhirpath.html) as closures over a resource's JSON.

`compile("Observation.value as Quantity", "Observation")` gives a `Path`; `path(resource)` gives `Node(type, value)`s.
"""
from functools import lru_cache

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.fhirpath.code import direct
from recovery_api.fhir.fhirpath.compiler import Compiler
from recovery_api.fhir.fhirpath.conditions import Condition, condition
from recovery_api.fhir.fhirpath.errors import FhirPathError
from recovery_api.fhir.fhirpath.members import resource_node
from recovery_api.fhir.fhirpath.model import is_known
from recovery_api.fhir.fhirpath.nodes import Env, Located, Node, Nodes, Scope
from recovery_api.fhir.fhirpath.parse import parse
from recovery_api.fhir.json import Json

__all__ = ["Condition", "Env", "FhirPathError", "Located", "Node", "Path", "Scope", "compile", "compile_condition"]

_EVERYDAY = Env()


class Path:
    """A compiled expression. `types` are the FHIR types that it can give, or None where only the data tells."""

    __slots__ = ("_direct", "expression", "run", "type", "types")

    def __init__(self, expression: str, type_: str, *, located: bool = False) -> None:
        code = Compiler(type_ if _is_resource_type(type_) else "Resource", located=located).compile(
            parse(expression), None if type_ == "Resource" else frozenset({type_})
        )
        self.expression = expression
        self.type = type_
        self.types = code.types
        self.run = code.run
        self._direct = direct(code)

    def __call__(self, focus: Json, env: Env = _EVERYDAY) -> list[Node]:
        """What the expression gives on a resource (or, for a data type, on its JSON value), in order.

        A primitive that has only extensions has no value and is left out. Raises FhirPathError where the data doesn't fit.
        """
        if self._direct:
            nodes = self._direct(focus)
        else:
            node = resource_node(focus) if self.type == "Resource" else Node(self.type, focus)
            scope = Scope(env, node, resource_node(env.root) if env.root else None)
            nodes = self.run(scope, [node])
        for _, value in nodes:
            if value is None:
                return [node for node in nodes if node.value is not None]
        return nodes

    def nodes(self, scope: Scope, this: Nodes) -> Nodes:
        """What it gives in a scope, for a focus; primitives without a value are included."""
        return self.run(scope, this)


@lru_cache(maxsize=4096)
def compile(expression: str, type: str, *, located: bool = False) -> Path:
    """The Path of an expression about a type: a resource type, "Resource" for any, a data type, or "Observation.component".

    `located` makes the nodes `Located`: each knows its place. Raises FhirPathError for text that is not FHIRPath,
    and for functions, types and elements that don't exist.
    """
    if not is_known(type):
        raise FhirPathError(f"'{type}' is not a FHIR type.")
    return Path(expression, type, located=located)


def compile_condition(expression: str, *types: str) -> Condition:
    """Whether an expression about a type, or about each type of a choice, holds: a function of a Scope and the focus, a list of one Node.

    It gives None where FHIRPath gives nothing. Raises FhirPathError as `compile` does.
    """
    resource = types[0] if _is_resource_type(types[0]) else "Resource"
    return condition(Compiler(resource), parse(expression), frozenset(types))


def _is_resource_type(type_: str) -> bool:
    return definitions().type(type_).kind == "resource"
