"""JSON Schemas (2020-12) of resource types, data types, backbone elements and the value sets of required bindings."""
import re
from collections.abc import Iterable

from recovery_api.fhir.definitions import ABSTRACT, Definitions, Element, TypeFacts
from recovery_api.fhir.descriptions import element_words
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.openapi.primitives import INLINE, NAMED

ENVELOPES = ("Bundle", "CapabilityStatement", "OperationOutcome", "Parameters")
"""Resource types that are sent and received, but not stored."""
MOST_CODES = 64
"""A value set with more codes than this is not listed."""
MOST_EXCLUSIVE = 12
"""A choice of more types than this does not say that its types exclude each other."""


def closure(types: Iterable[str], definitions: Definitions) -> frozenset[str]:
    """The types, the envelopes, and all that their elements are of; abstract types are left out."""
    found: set[str] = set()
    waiting = [*types, *ENVELOPES, "Element"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [element.type for element in definitions.type(name).elements.values()]
    return frozenset(found - (ABSTRACT - {"Element"}))


def component(name: str) -> str:
    """The component that holds a type's schema: "ObservationComponent" for "Observation.component"."""
    if name in NAMED:
        return NAMED[name][0]
    return "".join(part[0].upper() + part[1:] for part in name.split("."))


def ref(name: str) -> JsonObject:
    """A reference to a component schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas(types: Iterable[str], definitions: Definitions) -> dict[str, JsonObject]:
    """All component schemas that bodies of these resource types need, by component name."""
    served = sorted(types)
    names = closure(served, definitions)
    made: dict[str, JsonObject] = dict(NAMED.values())
    value_sets: dict[str, str] = {}
    for name in sorted(names):
        facts = definitions.type(name)
        if facts.kind != "primitive":
            made[component(name)] = _Object(facts, definitions, value_sets).schema()
    for name, url in value_sets.items():
        made[name] = {"type": "string", "enum": sorted(definitions.code_values(url) or ()), "description": f"The codes of {url}"}
    return made | _unions([*served, *ENVELOPES])


def _unions(types: list[str]) -> dict[str, JsonObject]:
    known = sorted(set(types))
    return {
        "Resource": {
            "description": "A resource of a type that this server knows; resourceType says which.",
            "oneOf": [ref(type) for type in known],
            "discriminator": {"propertyName": "resourceType", "mapping": {type: f"#/components/schemas/{type}" for type in known}},
        },
        "OtherResource": {
            "description": "A contained resource of another type of R4.",
            "type": "object",
            "properties": {"resourceType": {"type": "string", "not": {"enum": [*known]}}},
            "required": ["resourceType"],
            "additionalProperties": True,
        },
    }


class _Object:
    """Makes the schema of one type."""

    def __init__(self, facts: TypeFacts, definitions: Definitions, value_sets: dict[str, str]) -> None:
        self._facts, self._definitions, self._value_sets = facts, definitions, value_sets

    def schema(self) -> JsonObject:
        facts = self._facts
        properties: dict[str, Json] = {}
        required = [name for name, element in facts.elements.items() if element.min and not element.choice]
        if facts.kind == "resource":
            properties["resourceType"] = {"const": facts.name, "type": "string"}
            required.append("resourceType")
        for name, element in facts.elements.items():
            properties[name] = self._property(element)
            if _may_be_extended(element):
                inner: JsonObject = ref("Element")
                many: JsonObject = {"type": "array", "items": {"anyOf": [inner, {"type": "null"}]}}
                properties[f"_{name}"] = many if element.is_array else inner
        said: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
        if text := element_words(facts.name):
            said["description"] = text
        if exclusive := _exclusive(facts):
            said["dependentSchemas"] = exclusive
        if missing := [_none_of(types) for types in facts.choices.values() if types[0].min]:
            said["not"] = missing[0] if len(missing) == 1 else {"anyOf": missing}
        return said | ({"required": sorted(required)} if required else {})

    def _property(self, element: Element) -> JsonObject:
        one = self._value(element)
        text = _said(element)
        if not element.is_array:
            return {**one, "description": text} if text else one
        values = {"anyOf": [one, {"type": "null"}]} if _may_be_extended(element) else one
        many: JsonObject = {"type": "array", "items": values, "minItems": 1}
        if element.max:
            many["maxItems"] = element.max
        return {**many, "description": text} if text else many

    def _value(self, element: Element) -> JsonObject:
        if element.type == "Resource":
            return {"anyOf": [ref("Resource"), ref("OtherResource")]} if element.name == "contained" else ref("Resource")
        if element.type == "code" and element.binding:
            codes = self._definitions.code_values(element.binding)
            if codes and len(codes) <= MOST_CODES:
                return ref(self._value_set(element.binding))
        return dict(INLINE[element.type]) if element.type in INLINE else ref(component(element.type))

    def _value_set(self, url: str) -> str:
        last = url.partition("|")[0].rpartition("/")[2]
        name = "".join(part[0].upper() + part[1:] for part in re.split(r"[-_.]", last) if part)
        if name in self._definitions.type_names:
            name += "Code"
        self._value_sets[name] = url.partition("|")[0]
        return name


def _may_be_extended(element: Element) -> bool:
    """Whether the property may have `_property` beside it, or in its place: it is a primitive that is no attribute in XML."""
    if not element.type[0].islower() or element.type == "xhtml":
        return False
    return not (element.name == "id" or (element.path.endswith(".url") and element.path.startswith("Extension")))


def _exclusive(facts: TypeFacts) -> dict[str, Json]:
    """By element of a choice, a schema without the elements that must not be beside it: a choice has one type."""
    found: dict[str, Json] = {}
    for types in facts.choices.values():
        if len(types) <= MOST_EXCLUSIVE:
            names = [each.name for each in types]
            found |= {name: _without(names[at:]) for at, name in enumerate(names[:-1], 1)}
    return found


def _none_of(types: Iterable[Element]) -> JsonObject:
    """The schema of what has no type of a choice, nor an extension in its place."""
    return _without([name for each in types for name in ((each.name, f"_{each.name}") if _may_be_extended(each) else (each.name,))])


def _without(names: list[str]) -> JsonObject:
    return {"propertyNames": {"not": {"enum": [*names]}}}


def _said(element: Element) -> str:
    said = element_words(element.path)
    if element.choice:
        said = f"{element.choice}[x]: {said}" if said else f"{element.choice}[x]"
    if element.targets and element.type in {"Reference", "canonical"}:
        said = f"{said} ({' | '.join(element.targets)})"
    return said
