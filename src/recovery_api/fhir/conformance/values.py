"""The values that stand in an element, with their types and places, and whether one is what a profile asks for."""
from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

from recovery_api.fhir.conformance.structures import FIXED, PATTERN, Constraint
from recovery_api.fhir.definitions import Element, definitions
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_array, is_object
from recovery_api.fhir.terminology import carried


class Value(NamedTuple):
    """One value of an element."""

    json: Json
    """None for a primitive that has only extensions."""
    type: str
    """"Quantity", "code", "Observation.component"; of a resource its own type."""
    step: str
    """Its place in what holds it, as FHIRPath: "category[0]", "value"."""
    extras: JsonObject | None = None
    """What stands beside a primitive (`_name`)."""

    @property
    def members(self) -> tuple[JsonObject, str]:
        """The object that its own elements stand in, and the object's type."""
        return (self.json, self.type) if is_object(self.json) else (self.extras or {}, "Element")


def values(holder: JsonObject, type: str, name: str) -> list[Value]:
    """The values of an element, named as in an ElementDefinition ("value[x]"), in an object of a type."""
    return [value for element in _elements(type, name) for value in _of(holder, element)]


def _elements(type: str, name: str) -> Iterable[Element]:
    facts = definitions().type(type)
    if name.endswith("[x]"):
        return facts.choices.get(name.removesuffix("[x]"), ())
    element = facts.elements.get(name)
    return (element,) if element else ()


def _of(holder: JsonObject, element: Element) -> Iterator[Value]:
    said, beside = holder.get(element.name), holder.get(f"_{element.name}")
    step = element.choice or element.name
    if not element.is_array:
        if said is not None or beside is not None:
            yield _value(said, element, step, beside)
        return
    items, extras = (one if is_array(one) else [] for one in (said, beside))
    for index in range(max(len(items), len(extras))):
        item, extra = (each[index] if index < len(each) else None for each in (items, extras))
        yield _value(item, element, f"{step}[{index}]", extra)


def _value(said: Json, element: Element, step: str, extras: JsonObject | None) -> Value:
    type = said["resourceType"] if element.type == "Resource" and is_object(said) else element.type
    return Value(said, type, step, extras)


def is_meant(constraint: Constraint, value: Value) -> bool:
    """Whether a value is what is fixed, holds what the pattern holds, and is of the required value set."""
    fixed, pattern = constraint.value(FIXED), constraint.value(PATTERN)
    if fixed is not None and value.json != fixed:
        return False
    if pattern is not None and not holds(value.json, pattern):
        return False
    return is_bound(constraint, value, "required")


def tells(constraint: Constraint) -> bool:
    """Whether the profile says anything here by which a value can be told from others."""
    binding = constraint.said.get("binding", {})
    return constraint.value(FIXED) is not None or constraint.value(PATTERN) is not None or binding.get("strength") == "required"


def holds(value: Json, pattern: Json) -> bool:
    """Whether a value has all that a pattern has (https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_)."""
    if is_object(pattern):
        return is_object(value) and all(name in value and holds(value[name], inner) for name, inner in pattern.items())
    if is_array(pattern):
        return is_array(value) and all(any(holds(one, inner) for one in value) for inner in pattern)
    return value == pattern


def is_bound(constraint: Constraint, value: Value, *strengths: str) -> bool:
    """Whether a coded value has a code of the value set that it is bound to with one of these strengths.

    It counts as bound where the codes of the value set are not known here.
    """
    binding: JsonObject = constraint.said.get("binding", {})
    if binding.get("strength") not in strengths or "valueSet" not in binding or value.json is None:
        return True
    known = carried().codes(binding["valueSet"])
    if known is None:
        return True
    match value.type:
        case "CodeableConcept":
            codings = cast("list[JsonObject]", value.json.get("coding", []))
            return any((one.get("system"), one.get("code")) in known for one in codings)
        case "Coding" | "Quantity":
            return (value.json.get("system"), value.json.get("code")) in known
        case "code" | "string" | "uri":
            return any(code == value.json for _, code in known)
        case _:
            return True
