"""Bad resources, made from good ones by breaking one rule of the definitions at a time.

Each knows the place where it was broken. Good ones are official examples of a type, and one with every element that it may have.
"""
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from recovery_api.fhir.definitions import Element, definitions
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.primitives import PRIMITIVES
from tests.fhir.examples import DEFECTS, SOURCES, examples, name

EXAMPLES_OF_A_TYPE = 3


class Mutation(NamedTuple):
    """A way to make a good resource bad: the kind of rule it breaks, the element it breaks it in, and the place."""

    rule: str
    path: str
    place: str
    make: Callable[[], JsonObject]

    @property
    def title(self) -> str:
        return f"{self.rule} at {self.place}"


class Spot(NamedTuple):
    """An element that a resource has: the keys that lead to its holder, the holder's type and place."""

    keys: tuple[str | int, ...]
    of: str
    place: str
    element: Element


BAD_VALUES: dict[str, tuple[Json, ...]] = {
    "base64Binary": ("a", "****", "YQ=", 7),
    "boolean": ("true", 1, "yes"),
    "canonical": ("http://x.org/a b", "", 7),
    "code": (" x", "a  b", "", True),
    "date": ("2020-02-30", "2020-13", "20-01-01", "2020-1-1", "2020-01-01T00:00:00Z", "0000", 2020),
    "dateTime": ("2021-02-29", "2020-01-01T10:00", "2020-01-01T10:00:00", "2020-01-01T25:00:00Z", "2020-04-31T10:00:00Z", "soon", 2020),
    "decimal": ("1.0", True, None),
    "id": ("a b", "x" * 65, "a_b", ""),
    "instant": ("2020-01-01", "2020-01-01T10:00:00", "2020-02-30T10:00:00Z", "2020-01-01T10:00:00+15:00"),
    "integer": (Decimal("1.5"), Decimal("1e2"), "1", 2147483648),
    "markdown": ("", "\x00", 7),
    "oid": ("1.2.3", "urn:oid:3.1", "urn:oid:1.02"),
    "positiveInt": (0, -1, "1", Decimal("1.0")),
    "string": ("", "\x01", 7, True),
    "time": ("10:00", "24:00:00", "10:00:61"),
    "unsignedInt": (-1, "0", Decimal("0.5")),
    "uri": ("a b", "", 7),
    "url": ("http://x.org/a b", "", 7),
    "uuid": ("urn:uuid:C757873D-EC9A-4326-A141-556F43239520", "c757873d-ec9a-4326-a141-556f43239520"),
    "xhtml": ("", 7),
}


def served_types() -> tuple[str, ...]:
    """The types that the CapabilityStatement names, Bundle and Parameters besides."""
    statement = json.loads((files("recovery_api.definitions") / "CapabilityStatement-recovery-api.json").read_text(encoding="utf-8"))
    return tuple(sorted({one["type"] for one in statement["rest"][0]["resource"]} | {"Bundle", "Parameters"}))


def good(resource_type: str) -> list[JsonObject]:
    """Sound resources of a type."""
    found = [one for source, one in _sound_examples() if one["resourceType"] == resource_type][:EXAMPLES_OF_A_TYPE]
    return [*found, fullest(resource_type)]


@cache
def _sound_examples() -> tuple[tuple[str, JsonObject], ...]:
    return tuple((source, one) for source in SOURCES for one in examples(source) if (source, name(one)) not in DEFECTS)


GOOD_VALUES: dict[str, Json] = {
    "base64Binary": "YQ==", "boolean": True, "canonical": "http://x.org/a", "code": "a", "date": "2020-02-29",
    "dateTime": "2020-02-29T10:00:00Z", "decimal": Decimal("1.00"), "id": "a-1.b", "instant": "2020-02-29T10:00:00.1Z", "integer": -1,
    "markdown": "*a*", "oid": "urn:oid:1.2.3", "positiveInt": 1, "string": "a", "time": "23:59:59", "unsignedInt": 0, "uri": "urn:a",
    "url": "http://x.org", "uuid": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    "xhtml": "<div xmlns='http://www.w3.org/1999/xhtml'>a</div>",
}  # fmt: skip


def smallest(of: str) -> JsonObject:
    """A value of a type with just what is required, or with one element where nothing is."""
    facts = definitions().type(of)
    value: JsonObject = {"resourceType": of} if facts.kind == "resource" else {}
    for element in facts.elements.values():
        if element.min and not (element.choice and any(one.name in value for one in facts.choices[element.choice])):
            one = _value(element)
            value[element.name] = [one] if element.is_array else one
    return value or {"extension": [{"url": "http://x.org", "valueBoolean": True}]}


def fullest(of: str) -> JsonObject:
    """A resource of a type with every element of its own, each as small as can be, and the first type of each choice."""
    facts = definitions().type(of)
    value: JsonObject = {"resourceType": of}
    for element in facts.elements.values():
        if element.type != "Resource" and not (element.choice and element is not facts.choices[element.choice][0]):
            one = _value(element)
            value[element.name] = [one] if element.is_array else one
    return value


def _value(element: Element) -> Json:
    if element.binding and (pairs := definitions().codes(element.binding)):
        system, code = min(pairs)
        return code if element.type == "code" else {"coding": [{"system": system, "code": code}]}
    if element.type == "code" and element.binding:
        return "text/plain" if "mime" in element.binding else "USD"
    if element.type == "Reference":
        return {"reference": f"{element.targets[0]}/1" if element.targets else "Patient/1"}
    return GOOD_VALUES[element.type] if element.type in GOOD_VALUES else smallest(element.type)


def mutations(resource_type: str) -> Iterator[Mutation]:
    """Bad resources of a type: for every rule and every element that its good ones hold, one."""
    seen: set[tuple[str, str]] = set()
    for resource in good(resource_type):
        for spot in _spots(resource, (), resource_type, resource_type):
            for mutate in MUTATORS:
                for one in mutate(resource, spot):
                    if (one.rule, one.path) not in seen:
                        seen.add((one.rule, one.path))
                        yield one


def _spots(value: JsonObject, keys: tuple[str | int, ...], of: str, place: str) -> Iterator[Spot]:
    facts = definitions().type(of)
    for key, item in value.items():
        element = facts.elements.get(key)
        if element is None:
            continue
        yield Spot((*keys, key), of, f"{place}.{element.choice or key}", element)
        for index, one in enumerate(item) if isinstance(item, list) else [(None, item)]:
            if not isinstance(one, dict):
                continue
            inner = one["resourceType"] if element.type == "Resource" else element.type
            below = (*keys, key) if index is None else (*keys, key, index)
            yield from _spots(one, below, inner, f"{place}.{element.choice or key}{'' if index is None else f'[{index}]'}")


Change = Callable[[JsonObject, str], object]


def _changed(resource: JsonObject, keys: tuple[str | int, ...], change: Change) -> Callable[[], JsonObject]:
    """How to make a copy that is changed in one holder; what is not changed is shared."""

    def make() -> JsonObject:
        copy: JsonObject = dict(resource)
        holder: Json = copy
        for key in keys[:-1]:
            inner: Json = holder[key]
            copied = list(inner) if isinstance(inner, list) else dict(inner)
            holder[key] = copied
            holder = copied
        change(holder, str(keys[-1]))
        return copy

    return make


def _set(resource: JsonObject, spot: Spot, value: Json) -> Callable[[], JsonObject]:
    return _changed(resource, spot.keys, lambda holder, key: holder.update({key: value}))


def _now(resource: JsonObject, keys: tuple[str | int, ...]) -> Json:
    value: Json = resource
    for key in keys:
        value = value[key]
    return value


def without_required(resource: JsonObject, spot: Spot) -> Iterator[Mutation]:
    element = spot.element
    if element.min and f"_{element.name}" not in _now(resource, spot.keys[:-1]):
        yield Mutation("required", element.path, spot.place, _changed(resource, spot.keys, lambda holder, key: holder.pop(key)))


def with_unknown(resource: JsonObject, spot: Spot) -> Iterator[Mutation]:
    place = spot.place.rpartition(".")[0]
    yield Mutation("unknown", spot.of, f"{place}.colour", _changed(resource, spot.keys, lambda holder, _: holder.update(colour="red")))


def with_bad_value(resource: JsonObject, spot: Spot) -> Iterator[Mutation]:
    array = spot.element.is_array
    place = f"{spot.place}[0]" if array else spot.place
    for index, bad in enumerate(BAD_VALUES.get(spot.element.type, ())):
        if array and f"_{spot.element.name}" in _now(resource, spot.keys[:-1]):
            continue
        changed = _set(resource, spot, [bad] if array else bad)
        yield Mutation(f"{spot.element.type} value {index}", spot.element.path, place, changed)


def with_wrong_shape(resource: JsonObject, spot: Spot) -> Iterator[Mutation]:
    now, array = _now(resource, spot.keys), spot.element.is_array
    if f"_{spot.element.name}" in _now(resource, spot.keys[:-1]):
        return
    rule, other = ("one for many", now[0]) if array else ("many for one", [now])
    yield Mutation(rule, spot.element.path, spot.place, _set(resource, spot, other))
    yield Mutation("empty array", spot.element.path, spot.place, _set(resource, spot, []))
    yield Mutation("null", spot.element.path, spot.place, _set(resource, spot, None))
    place = f"{spot.place}[0]" if array else spot.place
    if spot.element.type == "Resource":
        unknown = {"resourceType": "Unicorn"}
        yield Mutation("unknown type", spot.element.path, f"{place}.resourceType", _set(resource, spot, [unknown] if array else unknown))
        return
    yield Mutation("empty object", spot.element.path, place, _set(resource, spot, [{}] if array else {}))
    if spot.element.type not in PRIMITIVES:
        yield Mutation("text for an object", spot.element.path, place, _set(resource, spot, ["text"] if array else "text"))
        only_id = {"id": "a"}
        if not any(one.min for one in definitions().type(spot.element.type).elements.values()):
            yield Mutation("only an id", spot.element.path, place, _set(resource, spot, [only_id] if array else only_id))


def with_bad_code(resource: JsonObject, spot: Spot) -> Iterator[Mutation]:
    element = spot.element
    if not element.binding or f"_{element.name}" in _now(resource, spot.keys[:-1]):
        return
    place = f"{spot.place}[0]" if element.is_array else spot.place
    bad: Json = "no-such/ code" if element.type == "code" else {"coding": [{"system": "http://x.org", "code": "no-such-code"}]}
    yield Mutation("binding", element.path, place, _set(resource, spot, [bad] if element.is_array else bad))
    if element.type == "code" and isinstance(_now(resource, spot.keys), str):
        yield Mutation("binding by case", element.path, place, _set(resource, spot, f"{_now(resource, spot.keys)}-X/"))


def with_two_of_a_choice(resource: JsonObject, spot: Spot) -> Iterator[Mutation]:
    if not spot.element.choice:
        return
    others = (one for one in definitions().type(spot.of).choices[spot.element.choice] if one.name != spot.element.name)
    for other in others:
        changed = _changed(resource, spot.keys, lambda holder, _, other=other: holder.update({other.name: _value(other)}))
        yield Mutation("two of a choice", spot.element.path, spot.place, changed)
        return


def with_bad_extension(resource: JsonObject, spot: Spot) -> Iterator[Mutation]:
    element, primitive = spot.element, spot.element.type in PRIMITIVES
    if f"_{element.name}" in _now(resource, spot.keys[:-1]):
        return
    sound = {"extension": [{"url": "http://x.org", "valueCode": "a"}]}
    beside = _changed(resource, spot.keys, lambda holder, key: holder.update({f"_{key}": sound}))
    if element.path in {"Resource.id", "Element.id", "Extension.url"} or not primitive:
        yield Mutation("extension of what is no primitive", element.path, spot.place, beside)
    elif element.is_array:
        longer = [None] * len(_now(resource, spot.keys)) + [sound]
        yield Mutation("object beside an array", element.path, spot.place, beside)
        misaligned = _changed(resource, spot.keys, lambda holder, key: holder.update({f"_{key}": longer}))
        yield Mutation("misaligned extensions", element.path, spot.place, misaligned)
    else:
        nameless = {"extension": [{"valueCode": "a"}]}
        without_url = _changed(resource, spot.keys, lambda holder, key: holder.update({f"_{key}": nameless}))
        yield Mutation("extension without url", element.path, f"{spot.place}.extension[0].url", without_url)


def with_bad_reference(resource: JsonObject, spot: Spot) -> Iterator[Mutation]:
    element = spot.element
    if element.type != "Reference":
        return
    place = f"{spot.place}[0]" if element.is_array else spot.place
    bad = [({"reference": text}, f"{place}.reference") for text in ("Patient", "patient/1", "Unicorn/1", "Patient/a b", "Patient/a_b", "")]
    if element.targets and "SearchParameter" not in element.targets:
        bad.append(({"reference": "SearchParameter/1"}, place))
    for index, (value, where) in enumerate(bad):
        yield Mutation(f"reference {index}", element.path, where, _set(resource, spot, [value] if element.is_array else value))


MUTATORS: tuple[Callable[[JsonObject, Spot], Iterator[Mutation]], ...] = (
    without_required,
    with_unknown,
    with_bad_value,
    with_wrong_shape,
    with_bad_code,
    with_two_of_a_choice,
    with_bad_extension,
    with_bad_reference,
)
