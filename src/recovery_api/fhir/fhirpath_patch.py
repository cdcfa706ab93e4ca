"""FHIRPath Patch (https://hl7.org/fhir/R4/fhirpatch.html): add, insert, delete, replace and move, each at a FHIRPath."""
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import NamedTuple, cast

from recovery_api.fhir import fhirpath
from recovery_api.fhir.definitions import Element
from recovery_api.fhir.empties import without_empties
from recovery_api.fhir.errors import BadRequest, Issue, Unprocessable
from recovery_api.fhir.fhirpath import Env, FhirPathError, Located, Node, Scope
from recovery_api.fhir.fhirpath.members import extras_of
from recovery_api.fhir.fhirpath.model import is_primitive
from recovery_api.fhir.fhirpath.parse import parse
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.patch_value import NewValue, element_for, new_value, part_named
from recovery_api.fhir.slots import Slot

_LONGEST_PATH = 500


class Operation(NamedTuple):
    """One operation of the patch: its number, and its parts by name."""

    number: int
    kind: str
    parts: list[JsonObject]

    def text(self, name: str) -> str:
        """The text of a part. Raises BadRequest where it is not there."""
        part = part_named(self.parts, name) or {}
        found = next((part[key] for key in ("valueString", "valueCode") if key in part), None)
        if not isinstance(found, str) or not found:
            raise self.malformed(f"needs '{name}', a text")
        return found

    def whole(self, name: str) -> int:
        """The integer of a part. Raises BadRequest where it is not there, or is negative."""
        part = part_named(self.parts, name) or {}
        found = next((part[key] for key in ("valueInteger", "valueUnsignedInt", "valuePositiveInt") if key in part), None)
        if type(found) is not int or found < 0:
            raise self.malformed(f"needs '{name}', an integer that is not negative")
        return found

    def value(self) -> NewValue:
        """The new value. Raises BadRequest where there is none."""
        part = part_named(self.parts, "value")
        found = new_value(part) if part else None
        if found is None:
            raise self.malformed("needs 'value', with a value or parts")
        return found

    def malformed(self, says: str) -> BadRequest:
        """The refusal of an operation that is not as the standard asks."""
        return BadRequest(f"Operation {self.number} ('{self.kind}') of the FHIRPath Patch {says}.")

    def inapplicable(self, says: str) -> Unprocessable:
        """The refusal of an operation that does not fit this resource."""
        return Unprocessable(Issue("processing", f"Operation {self.number} ('{self.kind}') can't be applied: {says}.", self.text("path")))


def apply(resource: JsonObject, parameters: JsonObject) -> JsonObject:
    """The changed copy; what `delete` leaves empty is left out. Raises BadRequest and Unprocessable."""
    operations = [_operation(number, each) for number, each in enumerate(_parameters(parameters))]
    document = deepcopy(resource)
    for operation in operations:
        KINDS[operation.kind](document, operation)
    return cast(JsonObject, without_empties(document)) if any(operation.kind == "delete" for operation in operations) else document


def _parameters(parameters: JsonObject) -> list[Json]:
    given: Json = parameters.get("parameter")
    if parameters.get("resourceType") != "Parameters" or not isinstance(given, list) or not given:
        raise BadRequest("A FHIRPath Patch is a Parameters resource with a parameter for each operation.")
    return cast(list[Json], given)


def _operation(number: int, parameter: Json) -> Operation:
    given = cast(JsonObject, parameter) if isinstance(parameter, dict) else {}
    parts: Json = given.get("part")
    well_formed = isinstance(parts, list) and all(isinstance(part, dict) for part in cast(list[Json], parts))
    if given.get("name") != "operation" or not well_formed:
        raise BadRequest(f"Parameter {number} of the FHIRPath Patch must be named 'operation' and have parts.")
    operation = Operation(number, "?", cast(list[JsonObject], parts))
    kind = operation.text("type")
    if kind not in KINDS:
        raise operation.malformed(f"has the unknown type '{kind}': {', '.join(KINDS)} are known")
    return operation._replace(kind=kind)


def _find(document: JsonObject, operation: Operation, expression: str) -> list[Node]:
    type_ = str(document.get("resourceType"))
    if len(expression) > _LONGEST_PATH:
        raise operation.malformed(f"has a path of more than {_LONGEST_PATH} characters")
    try:
        path = fhirpath.compile(expression, type_, located=True)
        return path.nodes(Scope(Env(), Node(type_, document)), [Node(type_, document)])
    except FhirPathError as error:
        raise operation.malformed(f"has a path that can't be used: {error}") from error


def _one(document: JsonObject, operation: Operation) -> Node | None:
    """The element at the path, or None. Raises Unprocessable for several."""
    found = _find(document, operation, operation.text("path"))
    if len(found) > 1:
        raise operation.inapplicable(f"its path finds {len(found)} elements and may find one only")
    return found[0] if found else None


def _slot(node: Node, operation: Operation) -> Slot:
    if not isinstance(node, Located):
        raise operation.inapplicable("its path is not an element of the resource that can be changed")
    return Slot(node.owner, node.name)


def _add(document: JsonObject, operation: Operation) -> None:
    node = _one(document, operation)
    if node is None:
        raise operation.inapplicable("its path finds nothing")
    name, value = operation.text("name"), operation.value()
    element, others = _element(operation, node.type, name, value)
    owner = _content(node)
    slot = Slot(owner, element.name)
    if element.is_array:
        slot.insert(slot.length, value.json(element.type), value.extras)
    elif any(Slot(owner, other).length for other in others):
        raise operation.inapplicable(f"'{name}' has a value already")
    else:
        slot.put(value.json(element.type), value.extras)


def _element(operation: Operation, type_: str, name: str, value: NewValue) -> tuple[Element, tuple[str, ...]]:
    """The element that takes the value, and the JSON members of which only one may be there."""
    found = element_for(type_, name, value.type)
    if found is None:
        raise operation.inapplicable(f"{type_} has no element '{name}'{f' of type {value.type}' if value.type else ''}")
    return found


def _content(node: Node) -> JsonObject:
    """The JSON object that a node's members stand in; made, for a primitive that has no `_name` yet."""
    if not is_primitive(node.type):
        return cast(JsonObject, node.value)
    extras = extras_of(node)
    if extras is None and isinstance(node, Located):
        extras = node.extras = {}
        Slot(node.owner, node.name).extend(node.position, extras)
    return extras if extras is not None else {}


def _insert(document: JsonObject, operation: Operation) -> None:
    index, value = operation.whole("index"), operation.value()
    found = _find(document, operation, operation.text("path"))
    if found:
        slot, type_ = _list(found, operation), found[0].type
    else:
        slot, type_ = _absent_list(document, operation, value)
    if index > slot.length:
        raise operation.inapplicable(f"its index is {index} and the list has {slot.length} items")
    slot.insert(index, value.json(type_), value.extras)


def _list(found: list[Node], operation: Operation) -> Slot:
    slot = _slot(found[0], operation)
    places = [node for node in found if isinstance(node, Located) and node.position is not None]
    if len(places) < len(found) or any(place.owner is not slot.owner or place.name != slot.name for place in places):
        raise operation.inapplicable("its path is not one list")
    return slot


def _absent_list(document: JsonObject, operation: Operation, value: NewValue) -> tuple[Slot, str]:
    """The place of a list that is not there yet: its path must end in its name."""
    tree = parse(operation.text("path"))
    before, dot, name = operation.text("path").rpartition(".")
    parents = _find(document, operation, before) if dot and tree[0] == "member" else []
    if len(parents) != 1:
        raise operation.inapplicable("its path finds nothing")
    element, _ = _element(operation, parents[0].type, name, value)
    if not element.is_array:
        raise operation.inapplicable(f"'{name}' is not a list")
    return Slot(_content(parents[0]), element.name), element.type


def _delete(document: JsonObject, operation: Operation) -> None:
    node = _one(document, operation)
    if node is not None:
        slot = _slot(node, operation)
        slot.remove(cast(Located, node).position)


def _replace(document: JsonObject, operation: Operation) -> None:
    node, value = _one(document, operation), operation.value()
    if node is None:
        raise operation.inapplicable("its path finds nothing")
    slot = _slot(node, operation)
    place = cast(Located, node)
    if place.position is not None:
        slot.replace(place.position, value.json(node.type), value.extras)
        return
    element, _ = _element(operation, place.within, _choice_name(place), value)
    slot.remove(None)
    Slot(place.owner, element.name).put(value.json(element.type), value.extras)


def _choice_name(place: Located) -> str:
    found = element_for(place.within, place.name, None)
    return place.name if found is None else found[0].choice or place.name


def _move(document: JsonObject, operation: Operation) -> None:
    source, destination = operation.whole("source"), operation.whole("destination")
    found = _find(document, operation, operation.text("path"))
    if not found:
        raise operation.inapplicable("its path finds nothing")
    slot = _list(found, operation)
    for name, index in (("source", source), ("destination", destination)):
        if index >= slot.length:
            raise operation.inapplicable(f"its {name} is {index} and the list has {slot.length} items")
    slot.move(source, destination)


KINDS: Mapping[str, Callable[[JsonObject, Operation], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
