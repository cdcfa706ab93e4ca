"""The value that a FHIRPath Patch operation brings: a `value[x]`, a resource, or parts that build what no `value[x]` can hold."""
from copy import deepcopy
from typing import NamedTuple, cast

from recovery_api.fhir.definitions import Element, definitions
from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.json import Json, JsonObject


class NewValue(NamedTuple):
    """A value of a type named as in `value[x]` ("Quantity", "String"; "" for parts and resources), with a primitive's `_value`."""

    type: str
    value: Json
    extras: JsonObject | None
    parts: tuple[JsonObject, ...] = ()

    def json(self, type_: str) -> Json:
        """The JSON to put where an element of this type is due. Raises BadRequest for parts that the type has no elements for."""
        return _built(type_, self.parts) if self.parts else deepcopy(self.value)


def part_named(parts: list[JsonObject], name: str) -> JsonObject | None:
    """The part with this name, if there is one."""
    return next((part for part in parts if part.get("name") == name), None)


def new_value(part: JsonObject) -> NewValue | None:
    """The value that a part holds, or None."""
    if "resource" in part:
        return NewValue("", part["resource"], None)
    nested: Json = part.get("part")
    if isinstance(nested, list) and nested:
        return NewValue("", None, None, tuple(cast(list[JsonObject], nested)))
    for key in part:
        bare = key.removeprefix("_")
        if bare.startswith("value") and bare != "value":
            return NewValue(bare.removeprefix("value"), part.get(bare), cast(JsonObject | None, deepcopy(part.get(f"_{bare}"))))
    return None


def element_for(type_: str, name: str, value_type: str | None) -> tuple[Element, tuple[str, ...]] | None:
    """The element of a type that `name` stands for, with a value of this type, and the JSON members of which only one may be there.

    `name` is a JSON property or the name of a choice, whose type then comes from the value. None where there is no such element.
    """
    try:
        facts = definitions().type(type_ if type_[0].isupper() else "Element")
    except KeyError:
        return None
    element = facts.elements.get(name)
    if element is None:
        element = next((each for each in facts.choices.get(name, ()) if each.name == f"{name}{value_type}"), None)
    if element is None:
        return None
    siblings = tuple(each.name for each in facts.choices[element.choice]) if element.choice else (element.name,)
    return element, siblings


def _built(type_: str, parts: tuple[JsonObject, ...]) -> JsonObject:
    built: JsonObject = {}
    for part in parts:
        name, value = part.get("name"), new_value(part)
        found = element_for(type_, name, value.type) if isinstance(name, str) and value else None
        if found is None or value is None:
            raise BadRequest(f"A part named '{name}' with such a value can't be an element of {type_}.")
        element, _ = found
        _put(built, element, value)
    return built


def _put(built: JsonObject, element: Element, value: NewValue) -> None:
    name, json = element.name, value.json(element.type)
    if not element.is_array:
        if name in built:
            raise BadRequest(f"'{name}' stands twice among the parts and may stand once only.")
        built |= ({} if json is None else {name: json}) | ({f"_{name}": value.extras} if value.extras else {})
        return
    built.setdefault(name, []).append(json)
    if value.extras or f"_{name}" in built:
        besides = cast(list[Json], built.setdefault(f"_{name}", []))
        besides += [None] * (len(built[name]) - 1 - len(besides))
        besides.append(value.extras)
