"""Functions whose arguments are evaluated for each item of the focus: `where`, `all`, `select`, `repeat`, `iif`, …"""
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from recovery_api.fhir.fhirpath.nodes import EMPTY, FALSE, TRUE, Nodes, Run, Scope
from recovery_api.fhir.fhirpath.operators import distinct, identity, truth

Types: TypeAlias = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Lambda:
    """How many arguments it takes, what builds it from the focus and the arguments, and the types it gives."""

    fewest: int
    most: int
    build: Callable[[Run, list[Run]], Run]
    types: Callable[[Types, Sequence[Types]], Types]


def _where(run: Run, arguments: list[Run]) -> Run:
    criteria = arguments[0]

    def where(scope: Scope, this: Nodes) -> Nodes:
        kept: Nodes = []
        for index, node in enumerate(run(scope, this)):
            scope.index = index
            if truth(criteria(scope, [node])):
                kept.append(node)
        return kept

    return where


def _exists(run: Run, arguments: list[Run]) -> Run:
    where = _where(run, arguments)
    return lambda scope, this: TRUE if where(scope, this) else FALSE


def _all(run: Run, arguments: list[Run]) -> Run:
    criteria = arguments[0]

    def every(scope: Scope, this: Nodes) -> Nodes:
        for index, node in enumerate(run(scope, this)):
            scope.index = index
            if not truth(criteria(scope, [node])):
                return FALSE
        return TRUE

    return every


def _select(run: Run, arguments: list[Run]) -> Run:
    projection = arguments[0]

    def select(scope: Scope, this: Nodes) -> Nodes:
        found: Nodes = []
        for index, node in enumerate(run(scope, this)):
            scope.index = index
            found += projection(scope, [node])
        return found

    return select


def _repeat(run: Run, arguments: list[Run]) -> Run:
    projection = arguments[0]

    def repeat(scope: Scope, this: Nodes) -> Nodes:
        found: Nodes = []
        seen: set[object] = set()
        level = run(scope, this)
        while level:
            reached = distinct([each for node in level for each in projection(scope, [node])])
            level = [each for each in reached if identity(each) not in seen]
            seen |= {identity(each) for each in level}
            found += level
        return found

    return repeat


def _aggregate(run: Run, arguments: list[Run]) -> Run:
    aggregator, start = arguments[0], arguments[1] if len(arguments) > 1 else None

    def aggregate(scope: Scope, this: Nodes) -> Nodes:
        outer, total = scope.total, start(scope, this) if start else EMPTY
        for index, node in enumerate(run(scope, this)):
            scope.index, scope.total = index, total
            total = aggregator(scope, [node])
        scope.total = outer
        return total

    return aggregate


def _iif(run: Run, arguments: list[Run]) -> Run:
    criteria, then, *otherwise = arguments

    def iif(scope: Scope, this: Nodes) -> Nodes:
        focus = run(scope, this)
        if truth(criteria(scope, focus)):
            return then(scope, focus)
        return otherwise[0](scope, focus) if otherwise else EMPTY

    return iif


def _trace(run: Run, arguments: list[Run]) -> Run:
    del arguments
    return run


def _boolean(_: Types, __: Sequence[Types]) -> Types:
    return frozenset({"boolean"})


def _same(focus: Types, _: Sequence[Types]) -> Types:
    return focus


def _either(_: Types, arguments: Sequence[Types]) -> Types:
    found: frozenset[str] = frozenset()
    for types in arguments[1:]:
        if types is None:
            return None
        found |= types
    return found


LAMBDAS: dict[str, Lambda] = {
    "where": Lambda(1, 1, _where, _same),
    "exists": Lambda(1, 1, _exists, _boolean),
    "all": Lambda(1, 1, _all, _boolean),
    "select": Lambda(1, 1, _select, lambda _, arguments: arguments[0]),
    "repeat": Lambda(1, 1, _repeat, lambda _, __: None),
    "aggregate": Lambda(1, 2, _aggregate, lambda _, __: None),
    "iif": Lambda(2, 3, _iif, _either),
    "trace": Lambda(1, 2, _trace, _same),
}
