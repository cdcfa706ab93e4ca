"""Structure: whether a resource is what R4's definitions say, with every problem at its place.

Checked are elements, JSON types, cardinalities, primitive values, choices, primitive extensions, contained resources, required
bindings and references (https://hl7.org/fhir/R4/json.html, https://hl7.org/fhir/R4/validation.html). Each type's check is built
once, from the compiled definitions, as a table of functions.

Places are OperationOutcome's simple subset of FHIRPath: element names, indexes and children, so a choice goes by its name:
`Observation.component[1].value.code` for what JSON holds as `component[1].valueQuantity.code`. The diagnostics name the JSON property.
"""
from functools import cache, lru_cache

from recovery_api.fhir.binding import Binding, code_binding, concept_binding
from recovery_api.fhir.definitions import Definitions, Element, definitions
from recovery_api.fhir.errors import Issue
from recovery_api.fhir.found import Check, Found, put, put_item
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_object, json_type
from recovery_api.fhir.objects import Accepts, Rule, Shape, object_check
from recovery_api.fhir.primitives import PRIMITIVES
from recovery_api.fhir.references import Literal, parse_reference

MAX_ISSUES = 500


def check(resource: JsonObject, resource_type: str | None = None) -> list[Issue]:
    """Every structural problem of a resource; none if it is sound.

    `resource_type` is the type that it must have, where the address says so. All issues are of structure (HTTP 400). Of R4's
    invariants only ele-1 is checked here; `fhir/invariants.py` has the others, and `fhir/narrative.py` those of narratives.
    """
    found: list[Found] = []
    _checks().resource(resource, found)
    said: Json = resource.get("resourceType")
    if resource_type is not None and said != resource_type and isinstance(said, str):
        found.append(Found(".resourceType", "structure", f"says '{said[:64]}' where {resource_type} is expected"))
    if not found:
        return []
    root = said if isinstance(said, str) and said in definitions().resource_types else resource_type or "Resource"
    put(found, 0, root, root)
    issues = [Issue(one.code, f"{one.text}.".replace("?.", "?"), one.place, "error", one.key) for one in found[:MAX_ISSUES]]
    if len(found) > MAX_ISSUES:
        issues.append(Issue("incomplete", f"{len(found) - MAX_ISSUES} more problems were found.", root, "information"))
    return issues


@cache
def _checks() -> "_Checks":
    return _Checks(definitions())


class _Checks:
    """The checks of all types, built when they are first needed."""

    def __init__(self, facts: Definitions) -> None:
        self._facts = facts
        self._objects: dict[str, Check] = {}

    def resource(self, value: Json, found: list[Found]) -> None:
        """Check a resource of any type."""
        name: Json = value.get("resourceType") if is_object(value) else None
        if isinstance(name, str) and name in self._facts.resource_types:
            self.of(name)(value, found)
        elif not is_object(value):
            found.append(Found("", "structure", f"must be a resource, not {json_type(value)}"))
        elif name is None and "resourceType" not in value:
            found.append(Found(".resourceType", "required", "is required in a resource"))
        else:
            shown = f"'{name[:64]}'" if isinstance(name, str) else json_type(name)
            found.append(Found(".resourceType", "structure", f"is not a resource type of FHIR R4: {shown}"))

    def of(self, name: str) -> Check:
        """The check of an object of a type or backbone."""
        if name in self._objects:
            return self._objects[name]
        facts = self._facts.type(name)
        shape = Shape(facts, self._primitive_extension)
        check = self._objects[name] = object_check(shape)
        for element in facts.elements.values():
            one = self._one(element)
            accepts = None if element.is_array else self._accepts(element)
            shape.add(Rule(element, _list_check(element, one) if element.is_array else one, one), accepts)
        if facts.kind == "resource":
            shape.accepts["resourceType"] = _seen
        return check

    def _accepts(self, element: Element) -> Accepts | None:
        if element.type not in PRIMITIVES or element.path == "Reference.reference":
            return None
        codes = self._facts.code_values(element.binding) if element.binding else None
        if codes is not None:
            return lambda value: type(value) is str and value in codes
        return None if element.binding else PRIMITIVES[element.type].accepts

    def _one(self, element: Element) -> Check:
        if element.type in PRIMITIVES:
            binding = code_binding(self._facts, element.binding) if element.binding else None
            return _reference_text if element.path == "Reference.reference" else _primitive_check(element, binding)
        if element.type == "Resource":
            return self.resource
        whole = self.of(element.type)
        if element.type == "Reference" and element.targets:
            return _target_check(whole, frozenset(element.targets))
        binding = concept_binding(self._facts, element.binding) if element.binding else None
        return _bound_check(whole, binding) if binding else whole

    def _primitive_extension(self, value: Json, found: list[Found]) -> None:
        self.of("Element")(value, found)


def _seen(_: Json) -> bool:
    return True


def _list_check(element: Element, one: Check) -> Check:
    low, high = element.min, element.max

    def check(value: Json, found: list[Found]) -> None:
        items: list[Json] = value
        if type(value) is not list:
            found.append(Found("", "structure", f"must be an array, not {json_type(value)}"))
            return
        if not items:
            found.append(Found("", "structure", "is an empty array, which FHIR does not allow"))
        elif len(items) < low:
            found.append(Found("", "required", f"needs at least {low} items"))
        elif high is not None and len(items) > high:
            found.append(Found("", "structure", f"may have {high} items at most"))
        before = len(found)
        for index, item in enumerate(items):
            one(item, found)
            if len(found) != before:
                put_item(found, before, index)
                before = len(found)

    return check


def _primitive_check(element: Element, binding: Binding | None) -> Check:
    primitive = PRIMITIVES[element.type]
    accepts = primitive.accepts
    bound = binding.accepts if binding else None

    def check(value: Json, found: list[Found]) -> None:
        if accepts(value):
            if bound is not None and not bound(value):
                assert binding is not None
                found.append(Found("", "code-invalid", binding.refusal(value)))
            return
        fitting = json_type(value).rpartition(" ")[2] == primitive.json
        problem = f"must be {primitive.says}" if fitting else f"must be a {primitive.json}, not {json_type(value)}"
        found.append(Found("", "value" if fitting else "structure", problem))

    return check


def _bound_check(whole: Check, binding: Binding) -> Check:
    def check(value: Json, found: list[Found]) -> None:
        before = len(found)
        whole(value, found)
        if len(found) == before and not binding.accepts(value):
            found.append(Found("", "code-invalid", binding.refusal(value)))

    return check


@lru_cache(maxsize=8192)
def _literal(text: str) -> Literal | None:
    return parse_reference(text)


def _reference_text(value: Json, found: list[Found]) -> None:
    if type(value) is not str:
        found.append(Found("", "structure", f"must be a string, not {json_type(value)}"))
    elif _literal(value) is None:
        found.append(Found("", "value", "must be a reference: Type/id of an R4 type, an absolute URL, urn:uuid:… or #id"))


def _target_check(whole: Check, targets: frozenset[str]) -> Check:
    def check(value: Json, found: list[Found]) -> None:
        before = len(found)
        whole(value, found)
        if len(found) == before and (text := value.get("reference")) is not None:
            literal = _literal(text)
            if literal is not None and literal.type is not None and literal.type not in targets:
                found.append(Found("", "structure", f"refers to {literal.type}, which is not of: {', '.join(sorted(targets))}"))

    return check


