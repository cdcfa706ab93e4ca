"""Functions that FHIR adds to FHIRPath, and those that ask the world around (https://hl7.org/fhir/R4/fhirpath.html#functions)."""
import re
from collections.abc import Callable
from typing import TypeAlias, cast

from recovery_api.fhir.fhirpath.errors import FhirPathError
from recovery_api.fhir.fhirpath.members import members, resource_node
from recovery_api.fhir.fhirpath.model import is_known
from recovery_api.fhir.fhirpath.nodes import EMPTY, Node, Nodes, Scope, boolean
from recovery_api.fhir.fhirpath.operators import single
from recovery_api.fhir.json import Json, JsonObject

Scoped: TypeAlias = Callable[..., Nodes]

_LITERAL = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_RELATIVE = re.compile(r"([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_BASE = "http://hl7.org/fhir/StructureDefinition/"


def reference_type(reference: JsonObject, scope: Scope | None) -> str | None:
    """The type of what a Reference points to, as far as the reference itself or the contained resources tell."""
    literal = reference.get("reference")
    if isinstance(literal, str):
        if literal.startswith("#") and scope is not None:
            contained = _contained(literal, scope)
            return str(contained.get("resourceType")) if contained else None
        found = _LITERAL.fullmatch(literal)
        if found and is_known(found[1]):
            return found[1]
    declared = reference.get("type")
    return declared if isinstance(declared, str) else None


def as_reference(node: Node) -> JsonObject:
    """A Reference's own JSON, or that of one to the address that a canonical or uri holds."""
    value: Json = node.value
    return cast(JsonObject, value) if isinstance(value, dict) else {"reference": value}


def _contained(literal: str, scope: Scope) -> JsonObject | None:
    root = cast(JsonObject, scope.root.value)
    return root if literal == "#" else next((each for each in root.get("contained", ()) if each.get("id") == literal[1:]), None)


def _resolve(scope: Scope, nodes: Nodes) -> Nodes:
    found: Nodes = []
    for node in nodes:
        reference = as_reference(node)
        literal = reference.get("reference")
        resource: JsonObject | None = None
        if isinstance(literal, str):
            resource = _contained(literal, scope) if literal.startswith("#") else scope.env.resolve(literal) if scope.env.resolve else None
        if resource is not None:
            found.append(resource_node(resource))
        elif scope.env.resolve is None and (type_ := reference_type(reference, scope)):
            found.append(Node(type_, {"resourceType": type_}))
    return found


def _extension(scope: Scope, nodes: Nodes, url: Nodes) -> Nodes:
    del scope
    wanted = single(url)
    return [each for each in members(nodes, "extension") if wanted is not None and each.value.get("url") == wanted.value]


def _member_of(scope: Scope, nodes: Nodes, url: Nodes) -> Nodes:
    node, wanted = single(nodes), single(url)
    if node is None or wanted is None or scope.env.member_of is None:
        return EMPTY
    return boolean(scope.env.member_of(node, wanted.value))


def _conforms_to(scope: Scope, nodes: Nodes, url: Nodes) -> Nodes:
    node, wanted = single(nodes), single(url)
    if node is None or wanted is None:
        return EMPTY
    if scope.env.conforms_to:
        return boolean(scope.env.conforms_to(node, wanted.value))
    return boolean(True) if wanted.value == f"{_BASE}{node.type}" else EMPTY


def _html_checks(scope: Scope, nodes: Nodes) -> Nodes:
    check = scope.env.html_checks
    return boolean(all(check is None or check(node.value) for node in nodes))


def _resource_key(scope: Scope, nodes: Nodes) -> Nodes:
    return [Node("string", scope.env.key(f"{node.type}/{node.value['id']}")) for node in nodes if "id" in node.value]


def reference_keys(scope: Scope, nodes: Nodes, type_: str | None = None) -> Nodes:
    """`getReferenceKey(type)` (https://sql-on-fhir.org/ig): the keys of what relative references name, of the type where one is given."""
    literals = [str(as_reference(node).get("reference")) for node in nodes]
    found = [match[1] for literal in literals if (match := _RELATIVE.fullmatch(literal))]
    return [Node("string", scope.env.key(each)) for each in found if type_ in {None, each.partition("/")[0]}]


def _now(width: slice, type_: str) -> Scoped:
    def now(scope: Scope, nodes: Nodes) -> Nodes:
        del nodes
        if scope.env.now is None:
            raise FhirPathError("The present time is not known here.")
        return [Node(type_, re.sub(r"(Z|[+-]\d\d:\d\d)$", "", scope.env.now[width]) if type_ == "time" else scope.env.now[width])]

    return now


# name: (function, number of arguments, type of the answer; "" where only the run shows it)
SCOPED: dict[str, tuple[Scoped, int, str]] = {
    "resolve": (_resolve, 0, ""),
    "extension": (_extension, 1, "Extension"),
    "getResourceKey": (_resource_key, 0, "string"),
    "getReferenceKey": (reference_keys, 0, "string"),
    "memberOf": (_member_of, 1, "boolean"),
    "conformsTo": (_conforms_to, 1, "boolean"),
    "htmlChecks": (_html_checks, 0, "boolean"),
    "now": (_now(slice(None), "dateTime"), 0, "dateTime"),
    "today": (_now(slice(10), "date"), 0, "date"),
    "timeOfDay": (_now(slice(11, None), "time"), 0, "time"),
}
