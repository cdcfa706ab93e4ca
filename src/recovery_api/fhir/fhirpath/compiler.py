"""FHIRPath trees to closures, with every type that the definitions can tell worked out beforehand."""
from typing import cast

from recovery_api.fhir.fhirpath import operators
from recovery_api.fhir.fhirpath.code import BOOLEAN, NOTHING, Code, Types, item_at, itself, narrow, negative_of, operation, path
from recovery_api.fhir.fhirpath.collections import BINARY, TESTS, UNARY
from recovery_api.fhir.fhirpath.errors import FhirPathError
from recovery_api.fhir.fhirpath.fhir_functions import SCOPED, as_reference, reference_keys, reference_type
from recovery_api.fhir.fhirpath.lambdas import LAMBDAS
from recovery_api.fhir.fhirpath.members import located_members, members, resource_node
from recovery_api.fhir.fhirpath.model import fields, is_a, is_known, is_primitive, is_resource, specified
from recovery_api.fhir.fhirpath.nodes import EMPTY, Node, Nodes, Run, Scope, boolean
from recovery_api.fhir.fhirpath.parse import Tree
from recovery_api.fhir.fhirpath.values import VALUES
from recovery_api.fhir.json import Json, JsonObject

SELECTING = frozenset({
    "all", "as", "contains", "count", "empty", "endsWith", "exists", "extension", "first", "hasValue", "is", "last", "not", "ofType",
    "single", "skip", "startsWith", "tail", "take", "where",
})  # fmt: skip
"""The functions that may stand in the path of a patch: they select, in time that grows with the resource alone."""


class Compiler:
    """Compiles trees; `located` makes every node know its place (for patches)."""

    def __init__(self, resource: str, *, located: bool = False) -> None:
        self._resource = resource
        self._located = located

    def compile(self, tree: Tree, this: Types) -> Code:
        """The code of a tree whose `$this` has these types. Raises FhirPathError."""
        match tree:
            case ["this"]:
                return Code(itself, this)
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
            case ["call", left, str(name), arguments]:
                focus = Code(itself, this) if left is None else self.compile(cast(Tree, left), this)
                return self._call(focus, name, arguments, this)
            case ["item", left, index]:
                return item_at(self.compile(left, this), self.compile(index, this))
            case ["is" | "as" as symbol, left, str(name)]:
                return self._typed(symbol, self.compile(left, this), name)
            case ["negative", inner]:
                return negative_of(self.compile(inner, this))
            case ["operator", str(symbol), left, right]:
                return operation(symbol, self.compile(left, this), self.compile(right, this))
            case _:
                raise FhirPathError(f"{tree!r} is not a syntax tree.")

    def _start(self, name: str, this: Types) -> Code:
        """A name at the start of an expression: a member of the focus, or the focus's own type."""
        if name[0].isupper() and is_known(name):
            if this is not None and not is_resource(name) and not any(is_a(type_, name) for type_ in this):
                raise FhirPathError(f"'{name}' is not what this expression is about.")
            return narrow(Code(itself, this), name)
        return self.member(Code(itself, this), name)

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
        return path(origin, (*steps, found[0][1]))

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
        count = len(arguments)
        if self._located and name not in SELECTING:
            raise FhirPathError(f"'{name}' can't be used to name a place.")
        if name in LAMBDAS and LAMBDAS[name].fewest <= count <= LAMBDAS[name].most:
            return self._lambda(focus, name, arguments, this)
        if name in {"is", "as", "ofType"} and count == 1:
            return self._typed(name, focus, _type_name(arguments[0]))
        if name == "getReferenceKey" and count == 1:
            type_, run = _type_name(arguments[0]), focus.run
            return Code(lambda scope, this: reference_keys(scope, run(scope, this), type_), _types("string"))
        if name == "extension" and count == 1 and self._located:
            criteria: Tree = ["operator", "=", ["member", None, "url"], arguments[0]]
            return self._lambda(self.member(focus, name), "where", [criteria], this)
        called = _called(focus, name, [self.compile(argument, this) for argument in arguments])
        if called is None:
            raise FhirPathError(f"There is no function '{name}' with {count} arguments.")
        return called

    def _lambda(self, focus: Code, name: str, arguments: list[Tree], this: Types) -> Code:
        shape = LAMBDAS[name]
        match name, arguments:
            case "where", [["is", ["call", None, "resolve", []], str(wanted)]]:
                return Code(_pointing(focus.run, specified(wanted)), focus.types)
            case _:
                inner = None if name in {"repeat", "aggregate"} else focus.types
                given = [self.compile(argument, this if name == "iif" and focus.run is itself else inner) for argument in arguments]
        types = shape.types(focus.types, [each.types for each in given])
        return Code(shape.build(focus.run, [each.run for each in given]), types)

    def _typed(self, symbol: str, left: Code, name: str) -> Code:
        type_ = specified(name)
        if symbol != "is":
            return narrow(left, type_)
        run = left.run

        def tested(scope: Scope, this: Nodes) -> Nodes:
            node = operators.single(run(scope, this))
            return EMPTY if node is None else boolean(is_a(node.type, type_))

        return Code(tested, BOOLEAN)


def _member_types(types: frozenset[str], name: str) -> Types:
    reached = {field for type_ in types for field in fields(type_, name)}
    return None if any(field.resource for field in reached) else frozenset(field.type for field in reached)


def _called(focus: Code, name: str, given: list[Code]) -> Code | None:
    """A function whose arguments are evaluated before it; None if there is none of this name with as many arguments."""
    run, others, count = focus.run, [each.run for each in given], len(given)
    if name in UNARY and not count:
        unary, answer = UNARY[name]
        return Code(lambda scope, this: unary(run(scope, this)), focus.types if answer is None else _types(answer))
    if name in BINARY and count == 1:
        binary, other = BINARY[name], others[0]
        types = _either(focus.types, given[0].types) if name in {"union", "combine"} else focus.types
        return Code(lambda scope, this: binary(run(scope, this), other(scope, this)), types)
    if name in TESTS and count == 1:
        test, other = TESTS[name], others[0]
        return Code(lambda scope, this: boolean(test(run(scope, this), other(scope, this))), BOOLEAN)
    if name in VALUES and VALUES[name][1] <= count <= VALUES[name][2]:
        function, _, _, answer = VALUES[name]
        return Code(lambda scope, this: function(run(scope, this), *(each(scope, this) for each in others)), _types(answer))
    if name in SCOPED and SCOPED[name][1] == count:
        scoped, _, answer = SCOPED[name]
        return Code(lambda scope, this: scoped(scope, run(scope, this), *(each(scope, this) for each in others)), _types(answer))
    return None


def _types(answer: str) -> Types:
    return frozenset({answer}) if answer else None


def _either(one: Types, other: Types) -> Types:
    return None if one is None or other is None else one | other


def _pointing(run: Run, type_: str) -> Run:
    """`where(resolve() is T)`: references to a T, told by the reference itself where it can be."""

    def pointing(scope: Scope, this: Nodes) -> Nodes:
        return [node for node in run(scope, this) if is_a(_target(node, scope), type_)]

    return pointing


def _target(node: Node, scope: Scope) -> str:
    reference = as_reference(node)
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


_PLAIN = ((bool, "boolean"), (int, "integer"), (str, "string"))


def _typed_value(value: Json) -> Node:
    if isinstance(value, dict):
        return resource_node(cast(JsonObject, value))
    kind = next((kind for class_, kind in _PLAIN if isinstance(value, class_)), "decimal")
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
