"""The check of one JSON object against the elements of its type (https://hl7.org/fhir/R4/json.html).

Most objects hold no primitive extensions (`_birthDate`), and are checked in one pass; one that does is checked again,
with values and extensions side by side.
"""
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from recovery_api.fhir.definitions import Element, TypeFacts
from recovery_api.fhir.found import Check, Found, put, put_item, unknown_element
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_array, is_object, json_type
from recovery_api.fhir.primitives import PRIMITIVES

Accepts: TypeAlias = Callable[[Json], bool]


class Rule(NamedTuple):
    """How an element is checked: its whole JSON value, or one of its values."""

    element: Element
    whole: Check
    one: Check

    @property
    def place(self) -> str:
        """The element's step in a FHIRPath place."""
        return f".{self.element.choice or self.element.name}"


class Shape:
    """The rules of one type, filled after its check exists, because types refer to each other."""

    def __init__(self, facts: TypeFacts, extension: Check) -> None:
        """Take the type, and the check of what a primitive may have besides its value."""
        self.facts = facts
        self.rules: dict[str, Rule] = {}
        self.checks: dict[str, Check] = {}
        self.accepts: dict[str, Accepts] = {}
        self.extension = extension
        self.required = frozenset(e.name for e in facts.elements.values() if e.min and not e.choice)
        self.required_choices = {name: types for name, types in facts.choices.items() if types[0].min}
        self.choice_names = frozenset(e.name for e in facts.elements.values() if e.choice)
        self.only_id = facts.kind in {"complex", "backbone"} and facts.name != "Element"

    def add(self, rule: Rule, accepts: Accepts | None) -> None:
        """Add an element's rule, and where there is one, the quick test that says only yes or no."""
        self.rules[rule.element.name] = rule
        self.checks[rule.element.name] = rule.whole
        if accepts is not None:
            self.accepts[rule.element.name] = accepts


def object_check(shape: Shape) -> Check:
    """The check of an object of a type."""
    checks, accepts, rules = shape.checks, shape.accepts, shape.rules
    required, required_choices, choice_names = shape.required, shape.required_choices, shape.choice_names
    only_id = shape.only_id

    def check(value: Json, found: list[Found]) -> None:
        members: JsonObject = value
        if type(value) is not dict:
            found.append(Found("", "structure", f"must be an object, not {json_type(value)}"))
            return
        start = before = len(found)
        for name, item in members.items():
            accept = accepts.get(name)
            if accept is not None and accept(item):
                continue
            rule = checks.get(name)
            if rule is None:
                if name.startswith("_"):
                    del found[start:]
                    _check_extended(shape, members, found)
                    return
                found.append(unknown_element(name, shape.facts.name, list(rules)))
                before += 1
                continue
            rule(item, found)
            if len(found) != before:
                put(found, before, rules[name].place, name)
                before = len(found)
        if required and not members.keys() >= required:
            _missing(shape, members, found)
        if choice_names and len(given := members.keys() & choice_names) > 1:
            _twice(shape, given, found)
        if required_choices or (only_id and len(members) < 2):
            _rest(shape, members, found)
        elif not members:
            found.append(Found("", "structure", "is an empty object, which FHIR does not allow"))

    return check


def _rest(shape: Shape, value: JsonObject, found: list[Found]) -> None:
    if not value:
        found.append(Found("", "structure", "is an empty object, which FHIR does not allow"))
    for name, types in shape.required_choices.items():
        if not any(one.name in value or f"_{one.name}" in value for one in types):
            found.append(Found(f".{name}", "required", f"is required: one of {', '.join(one.name for one in types[:6])}"))
            put(found, len(found) - 1, "", f"{name}[x]")
    if shape.only_id and len(value) == 1 and "id" in value:
        found.append(Found("", "structure", "must have a value or children besides its id", "ele-1"))


def _missing(shape: Shape, value: JsonObject, found: list[Found]) -> None:
    for name in shape.rules:
        if name in shape.required and name not in value and f"_{name}" not in value:
            one = Found(f".{name}", "required", f"'{name}' is required in {shape.facts.name}")
            one.named = True
            found.append(one)


def _twice(shape: Shape, given: set[str], found: list[Found]) -> None:
    for choice, types in shape.facts.choices.items():
        names = [one.name for one in types if one.name in given]
        if len(names) > 1:
            one = Found(f".{choice}", "structure", f"{' and '.join(names)} stand together; {choice}[x] has one type at a time")
            one.named = True
            found.append(one)


def _check_extended(shape: Shape, value: JsonObject, found: list[Found]) -> None:
    for name, item in value.items():
        start = len(found)
        base = name.removeprefix("_")
        rule = shape.rules.get(base)
        if rule is None or (base != name and not _may_be_extended(rule.element)):
            if name not in shape.accepts:
                one = unknown_element(name, shape.facts.name, list(shape.rules))
                one.place = rule.place if rule else one.place
                found.append(one)
            continue
        if base != name:
            _check_extension(shape, rule.element, value, item, found)
        elif rule.element.is_array and is_array(item) and f"_{name}" in value:
            _check_beside(rule, item, value[f"_{name}"], found)
        else:
            rule.whole(item, found)
        put(found, start, rule.place, name)
    _missing(shape, value, found)
    given = {name.removeprefix("_") for name in value} & shape.choice_names
    _twice(shape, given, found)
    _rest(shape, value, found)


def _may_be_extended(element: Element) -> bool:
    return element.type in PRIMITIVES and element.path not in {"Resource.id", "Element.id", "Extension.url"}


def _check_extension(shape: Shape, element: Element, value: JsonObject, extra: Json, found: list[Found]) -> None:
    if not element.is_array:
        _check_extra(shape, extra, element.name in value, found)
        return
    if not is_array(extra) or not extra:
        found.append(Found("", "structure", f"must be an array that is not empty, as '{element.name}' is"))
        return
    values = value.get(element.name)
    if is_array(values) and len(values) != len(extra):
        found.append(Found("", "structure", f"has {len(extra)} items and '{element.name}' {len(values)}; null must fill what is missing"))
    for index, item in enumerate(extra):
        start = len(found)
        valued = is_array(values) and index < len(values) and values[index] is not None
        if item is not None:
            _check_extra(shape, item, valued, found)
        elif not valued:
            found.append(Found("", "structure", "has neither a value nor an extension"))
        put_item(found, start, index)


def _check_extra(shape: Shape, extra: Json, valued: bool, found: list[Found]) -> None:
    shape.extension(extra, found)
    if not valued and is_object(extra) and extra.keys() == {"id"}:
        found.append(Found("", "structure", "must have a value or children besides its id", "ele-1"))


def _check_beside(rule: Rule, values: list[Json], extras: Json, found: list[Found]) -> None:
    if not values:
        rule.whole(values, found)
    for index, item in enumerate(values):
        extended = is_array(extras) and index < len(extras)
        if item is None and extended:
            continue
        start = len(found)
        rule.one(item, found)
        put_item(found, start, index)
