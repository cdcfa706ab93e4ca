"""FHIRPath trees to closures, with every type that the definitions can tell worked out beforehand."""
from collections.abc import Callable
from typing import NamedTuple, TypeAlias, cast

from recovery_api.fhir.fhirpath import operators
from recovery_api.fhir.fhirpath.collections import BINARY, TESTS, UNARY
from recovery_api.fhir.fhirpath.errors import FhirPathError
from recovery_api.fhir.fhirpath.fhir_functions import SCOPED, reference_type
from recovery_api.fhir.fhirpath.lambdas import LAMBDAS
from recovery_api.fhir.fhirpath.members import located_members, members, resource_node, walk
from recovery_api.fhir.fhirpath.model import Field, fields, is_a, is_known, is_primitive, is_resource, specified
from recovery_api.fhir.fhirpath.nodes import EMPTY, Node, Nodes, Run, Scope, boolean
from recovery_api.fhir.fhirpath.parse import Tree
from recovery_api.fhir.fhirpath.values import VALUES
from recovery_api.fhir.json import Json, JsonObject

Types: TypeAlias = frozenset[str] | None  # None: known only when run


SELECTING = frozenset({
    "all", "as", "contains", "count", "empty", "endsWith", "exists", "extension", "first", "hasValue", "is", "last", "not", "ofType",
    "single", "skip", "startsWith", "tail", "take", "where",
})  # fmt: skip
"""The functions that may stand in the path of a patch: they select, in time that grows with the resource alone."""


class Code(NamedTuple):
    """A compiled expression. A plain path also keeps where it starts and its steps, so that longer paths stay one walk."""

    run: Run
    types: Types
    origin: Run | None = None
    steps: tuple[tuple[Field, ...], ...] = ()


def _focus(_: Scope, this: Nodes) -> Nodes:
    return this


def _nothing(_: Scope, __: Nodes) -> Nodes:
    return EMPTY


NOTHING = Code(_nothing, frozenset())


class Compiler:
    """Compiles trees; `located` makes every node know its place (for patches)."""

    def __init__(self, resource: str, *, located: bool = False) -> None:
        self._resource = resource
        self._located = located

    def compile(self, tree: Tree, this: Types) -> Code:
        """The code of a tree whose `$this` has these types. Raises FhirPathError."""
        match tree:
            case ["this"]:
                return Code(_focus, this)
            case ["index"]:
                return Code(lambda scope, _: [Node("integer", scope.index)], frozenset({"integer"}))
            case ["total"]:
                return Code(lambda scope, _: scope.total, None)
            case ["null"]:
                return NOTHING
            case ["literal", str(type_), value]:
                constant = [Node(type_, value)]
                return Code(lambda _, __: constant, frozenset({type_}))
            case ["variable", str(name)]:
                return self._variable(name)
            case ["member", None, str(name)]:
                return self._start(name, this)
            case ["member", left, str(name)]:
                return self.member(self.compile(left, this), name)
            case ["call", left, str(name), list(arguments)]:
                focus = Code(_focus, this) if left is None else self.compile(cast(Tree, left), this)
                return self._call(focus, name, cast(list[Tree], arguments), this)
            case ["item", left, index]:
                return _item(self.compile(left, this), self.compile(index, this))
            case ["is" | "as" as symbol, left, str(name)]:
                return self._typed(symbol, self.compile(left, this), name)
            case ["negative", inner]:
                return _negative(self.compile(inner, this))
            case ["operator", str(symbol), left, right]:
                return _operator(symbol, self.compile(left, this), self.compile(right, this))
            case _:
                raise FhirPathError(f"{tree!r} is not a syntax tree.")

    def _start(self, name: str, this: Types) -> Code:
        """A name at the start of an expression: a member of the focus, or the focus's own type."""
        if name[0].isupper() and is_known(name):
            if this is not None and not is_resource(name) and not any(is_a(type_, name) for type_ in this):
                raise FhirPathError(f"'{name}' is not what this expression is about.")
            return _narrow(Code(_focus, this), name)
        return self.member(Code(_focus, this), name)

    def member(self, left: Code, name: str) -> Code:
        """The members called `name` of what `left` gives."""
        run, types = left.run, left.types
        step = located_members if self._located else members
        if types is None:
            return Code(lambda scope, this: step(run(scope, this), name), None)
        if not types:
            return NOTHING
        found = [(type_, choice) for type_ in sorted(types) if (choice := fields(type_, name))]
        if not found:
            raise FhirPathError(f"{' or '.join(sorted(types))} has no element '{name}'.")
        reached = _member_types(types, name)
        if self._located or len(types) > 1 or is_primitive(found[0][0]):
            return Code(lambda scope, this: step(run(scope, this), name), reached)
        origin, steps = (left.origin, left.steps) if left.origin and len(left.steps[-1]) == 1 else (run, ())
        return _path(origin, (*steps, found[0][1]))

    def _variable(self, name: str) -> Code:
        if self._located:
            raise FhirPathError(f"%{name} can't be used to name a place.")
        match name:
            case "resource":
                return Code(lambda scope, _: [scope.resource], frozenset({self._resource}) if self._resource != "Resource" else None)
            case "rootResource":
                return Code(lambda scope, _: [scope.root], None)
            case "context":
                return Code(lambda scope, _: [scope.context], None)
            case "ucum" | "sct" | "loinc":
                address = {"ucum": "http://unitsofmeasure.org", "sct": "http://snomed.info/sct", "loinc": "http://loinc.org"}[name]
                return self.compile(["literal", "string", address], None)
            case _ if name.startswith("vs-"):
                return self.compile(["literal", "string", f"http://hl7.org/fhir/ValueSet/{name[3:]}"], None)
            case _ if name.startswith("ext-"):
                return self.compile(["literal", "string", f"http://hl7.org/fhir/StructureDefinition/{name[4:]}"], None)
            case _:
                return Code(lambda scope, _: _given(scope, name), None)

    def _call(self, focus: Code, name: str, arguments: list[Tree], this: Types) -> Code:
        run, count = focus.run, len(arguments)
        if self._located and name not in SELECTING:
            raise FhirPathError(f"'{name}' can't be used to name a place.")
        if name in LAMBDAS and count >= LAMBDAS[name].fewest:
            return self._lambda(focus, name, arguments, this)
        if name in {"is", "as", "ofType"} and count == 1:
            return self._typed(name, focus, _type_name(arguments[0]))
        if name in UNARY and not count:
            unary, answer = UNARY[name]
            return Code(lambda scope, this: unary(run(scope, this)), focus.types if answer is None else frozenset({answer}) if answer else None)
        given = [self.compile(argument, this) for argument in arguments]
        others = [each.run for each in given]
        if name in BINARY and count == 1:
            binary, other = BINARY[name], others[0]
            types = None if focus.types is None or given[0].types is None else focus.types | given[0].types
            return Code(lambda scope, this: binary(run(scope, this), other(scope, this)), types if name in {"union", "combine"} else focus.types)
        if name in TESTS and count == 1:
            test, other = TESTS[name], others[0]
            return Code(lambda scope, this: boolean(test(run(scope, this), other(scope, this))), frozenset({"boolean"}))
        if name in VALUES and VALUES[name][1] <= count <= VALUES[name][2]:
            function, _, _, answer = VALUES[name]
            return Code(lambda scope, this: function(run(scope, this), *(each(scope, this) for each in others)), frozenset({answer}))
        if name in SCOPED and SCOPED[name][1] == count:
            if name == "extension" and self._located:
                criteria: Tree = ["operator", "=", ["member", None, "url"], arguments[0]]
                return self._lambda(self.member(focus, "extension"), "where", [criteria], this)
            scoped, _, answer = SCOPED[name]
            return Code(
                lambda scope, this: scoped(scope, run(scope, this), *(each(scope, this) for each in others)),
                frozenset({answer}) if answer else None,
            )
        raise FhirPathError(f"There is no function '{name}' with {count} arguments.")

    def _lambda(self, focus: Code, name: str, arguments: list[Tree], this: Types) -> Code:
        shape = LAMBDAS[name]
        if len(arguments) > shape.most:
            raise FhirPathError(f"There is no function '{name}' with {len(arguments)} arguments.")
        match name, arguments:
            case "where", [["is", ["call", None, "resolve", []], str(wanted)]]:
                return Code(_pointing(focus.run, specified(wanted)), focus.types)
            case _:
                inner = None if name in {"repeat", "aggregate"} else focus.types
                given = [self.compile(argument, this if name == "iif" and focus.run is _focus else inner) for argument in arguments]
        types = shape.types(focus.types, [each.types for each in given])
        return Code(shape.build(focus.run, [each.run for each in given]), types)

    def _typed(self, symbol: str, left: Code, name: str) -> Code:
        type_ = specified(name)
        if symbol != "is":
            return _narrow(left, type_)
        run = left.run

        def tested(scope: Scope, this: Nodes) -> Nodes:
            node = operators.single(run(scope, this))
            return EMPTY if node is None else boolean(is_a(node.type, type_))

        return Code(tested, frozenset({"boolean"}))


def _member_types(types: frozenset[str], name: str) -> Types:
    reached = {field for type_ in types for field in fields(type_, name)}
    return None if any(field.resource for field in reached) else frozenset(field.type for field in reached)


def _path(origin: Run, steps: tuple[tuple[Field, ...], ...]) -> Code:
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
    if code.origin is not _focus:
        return None
    return walk(tuple(step[0].name for step in code.steps[:-1]), code.steps[-1])


def _narrow(left: Code, type_: str) -> Code:
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
        return _path(left.origin, (*left.steps[:-1], tuple(field for field in left.steps[-1] if field.type in kept)))
    return Code(lambda scope, this: [node for node in run(scope, this) if node.type in kept], kept)


def _item(left: Code, index: Code) -> Code:
    def item(scope: Scope, this: Nodes) -> Nodes:
        nodes, place = left.run(scope, this), operators.single(index.run(scope, this))
        return EMPTY if place is None or place.value < 0 else nodes[place.value : place.value + 1]

    return Code(item, left.types)


def _negative(inner: Code) -> Code:
    def negative(scope: Scope, this: Nodes) -> Nodes:
        node = operators.single(inner.run(scope, this))
        if node is None:
            return EMPTY
        return [Node(node.type, {**node.value, "value": -node.value["value"]} if isinstance(node.value, dict) else -node.value)]

    return Code(negative, inner.types)


def _operator(symbol: str, left: Code, right: Code) -> Code:
    one, other = left.run, right.run
    truth, logic = operators.truth, operators.logic
    if symbol in {"and", "or", "xor", "implies"}:

        def decided(scope: Scope, this: Nodes) -> Nodes:
            return boolean(logic(symbol, truth(one(scope, this)), lambda: truth(other(scope, this))))

        return Code(decided, frozenset({"boolean"}))
    if symbol == "|":
        return _union(left, right)
    if symbol not in operators.OPERATORS:
        raise FhirPathError(f"There is no operator '{symbol}'.")
    binary = operators.OPERATORS[symbol]
    types: Types = None if symbol in "+-*/" or symbol in {"div", "mod"} else frozenset({"string" if symbol == "&" else "boolean"})
    return Code(lambda scope, this: binary(one(scope, this), other(scope, this)), types)


def _union(left: Code, right: Code) -> Code:
    if left is NOTHING:
        return right
    if right is NOTHING:
        return left
    one, other, union = left.run, right.run, operators.union
    types = None if left.types is None or right.types is None else left.types | right.types
    return Code(lambda scope, this: union(one(scope, this), other(scope, this)), types)


def _pointing(run: Run, type_: str) -> Run:
    """`where(resolve() is T)`: references to a T, told by the reference itself where it can be."""

    def pointing(scope: Scope, this: Nodes) -> Nodes:
        return [node for node in run(scope, this) if is_a(_target(node, scope), type_)]

    return pointing


def _target(node: Node, scope: Scope) -> str:
    reference = cast(JsonObject, node.value if isinstance(node.value, dict) else {"reference": node.value})
    literal = reference.get("reference")
    known = reference_type(reference, scope)
    if known is None and scope.env.resolve is not None and isinstance(literal, str):
        resource = scope.env.resolve(literal)
        return "" if resource is None else resource_node(resource).type
    return known or ""


def _given(scope: Scope, name: str) -> Nodes:
    if name not in scope.env.variables:
        raise FhirPathError(f"%{name} is not known here.")
    value: Json = scope.env.variables[name]
    values = cast(list[Json], value if isinstance(value, list) else [] if value is None else [value])
    return [each if isinstance(each, Node) else _typed_value(each) for each in values]


def _typed_value(value: Json) -> Node:
    if isinstance(value, dict):
        return resource_node(cast(JsonObject, value))
    kind = "boolean" if isinstance(value, bool) else "integer" if isinstance(value, int) else "string" if isinstance(value, str) else "decimal"
    return Node(kind, value)


def _type_name(tree: Tree) -> str:
    """The type that a function's argument names, which the grammar reads as a path: `Quantity`, `FHIR.Quantity`."""
    match tree:
        case ["member", None, str(name)]:
            return name
        case ["member", ["member", None, "FHIR" | "System" as space], str(name)]:
            return f"{space}.{name}"
        case _:
            raise FhirPathError("The name of a type is needed.")
