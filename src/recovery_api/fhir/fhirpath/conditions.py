"""Expressions that are asked only whether they hold: the same meaning, without a collection for every step between."""
from collections.abc import Callable
from typing import TypeAlias

from recovery_api.fhir.fhirpath.code import Types
from recovery_api.fhir.fhirpath.compiler import Compiler
from recovery_api.fhir.fhirpath.model import fields, is_primitive
from recovery_api.fhir.fhirpath.nodes import Nodes, Scope
from recovery_api.fhir.fhirpath.operators import logic, truth
from recovery_api.fhir.fhirpath.parse import Tree

Condition: TypeAlias = Callable[[Scope, Nodes], bool | None]


def condition(compiler: Compiler, tree: Tree, this: Types) -> Condition:
    """Whether an expression holds for a focus of one node: True, False, or None where FHIRPath gives nothing."""
    match tree:
        case ["operator", "and" | "or" | "xor" | "implies" as symbol, left, right]:
            return _logical(symbol, condition(compiler, left, this), condition(compiler, right, this))
        case ["call", inner, "not", []] if inner:
            return _negated(condition(compiler, inner, this))
        case ["call", ["member", None, str(name)], "exists" | "empty" as function, []] if names := _names(name, this):
            return _present(names, wanted=function == "exists")
        case _:
            run = compiler.compile(tree, this).run
            return lambda scope, this: truth(run(scope, this))


def _names(name: str, this: Types) -> tuple[str, ...]:
    """The JSON members that an element of the focus may stand in; none where only the data tells."""
    if this is None or len(this) != 1 or is_primitive(next(iter(this))):
        return ()
    found = fields(next(iter(this)), name)
    return (*(field.name for field in found), *(f"_{field.name}" for field in found if field.primitive))


def _present(names: tuple[str, ...], *, wanted: bool) -> Condition:
    if len(names) == 1:
        only = names[0]
        return lambda _, this: (only in this[0].value) is wanted
    absent = frozenset(names).isdisjoint
    return lambda _, this: absent(this[0].value) is not wanted


def _negated(inner: Condition) -> Condition:
    def negated(scope: Scope, this: Nodes) -> bool | None:
        answer = inner(scope, this)
        return None if answer is None else not answer

    return negated


def _logical(symbol: str, one: Condition, other: Condition) -> Condition:
    def both(scope: Scope, this: Nodes) -> bool | None:
        left = one(scope, this)
        return False if left is False or (right := other(scope, this)) is False else True if left and right else None

    def either(scope: Scope, this: Nodes) -> bool | None:
        left = one(scope, this)
        return True if left or (right := other(scope, this)) else None if left is None or right is None else False

    def any_logic(scope: Scope, this: Nodes) -> bool | None:
        return logic(symbol, one(scope, this), lambda: other(scope, this))

    return both if symbol == "and" else either if symbol == "or" else any_logic
