"""The one codec of operations' parameters, by their OperationDefinition (https://hl7.org/fhir/R4/operations.html#request)."""
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import NamedTuple, cast

from recovery_api.fhir import profile
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_object
from recovery_api.fhir.primitives import PRIMITIVES
from recovery_api.fhir.terminology import carried

PLACE = "Parameters.parameter"

_INTEGER = re.compile(r"-?\d{1,10}", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,17})?", re.ASCII)
_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False}


class Input(NamedTuple):
    """A parameter that an operation takes."""

    name: str
    type: str
    min: int
    many: bool
    codes: frozenset[str] | None = None
    """The codes of a required binding, where its value set is carried."""
    parts: "Mapping[str, Input] | None" = None
    """What it consists of, where it has no value of its own: what is given is a Given of them."""

    @property
    def is_resource(self) -> bool:
        """It is a resource of the type, or any (Resource)."""
        return self.type == "Resource" or self.type in definitions().resource_types

    @property
    def is_simple(self) -> bool:
        """It is a primitive value."""
        return self.type in PRIMITIVES

    @property
    def in_query(self) -> bool:
        """It may stand in a query string: a Coding as `system|code`, or as its code alone."""
        return self.is_simple or self.type == "Coding"


class Given(NamedTuple):
    """What an operation was given, by name, in order; each value has its parameter's type."""

    values: Mapping[str, tuple[Json, ...]]

    def one(self, name: str) -> Json:
        """The value; None where there is none."""
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> tuple[Json, ...]:
        """All values."""
        return self.values.get(name, ())


class _Said(NamedTuple):
    name: str
    place: str | None
    value: Json
    type: str
    """The type that the sender gives to the value; '' for a text in a query."""


def inputs(definition: JsonObject) -> Mapping[str, Input]:
    """What an OperationDefinition says that goes in. Raises ValueError for a parameter whose type R4 does not know."""
    found: dict[str, Input] = {}
    for said in definition.get("parameter", ()):
        if said["use"] == "in":
            if "part" in said:
                found[said["name"]] = Input(said["name"], "", said["min"], said["max"] != "1", None, inputs({"parameter": said["part"]}))
                continue
            type = said.get("type", "")
            if type != "Resource" and type not in definitions().type_names:
                raise ValueError(f"the parameter {said['name']} has no type that R4 knows")
            found[said["name"]] = Input(said["name"], type, said["min"], said["max"] != "1", _codes(said))
    return found


def given(known: Mapping[str, Input], query: Sequence[tuple[str, str]], body: JsonObject | None, *, lenient: bool = False) -> Given:
    """What came in a query string and a body, which is Parameters or the one resource that is asked for; `lenient`: what is unknown is
    left out.

    Raises BadRequest with every parameter that is unknown, missing, repeated or of another type, each named at its place.
    """
    said = [_Said(name, None, value, "") for name, value in query]
    if body is not None:
        said += _in_body(known, body)
    found: dict[str, list[Json]] = {}
    issues: list[Issue] = []
    for one in said:
        wanted = known.get(one.name)
        if wanted is None and lenient:
            continue
        if wanted is None:
            issues.append(Issue("not-supported", f"The parameter '{one.name[:64]}' is unknown here.", one.place))
        elif found.get(one.name) and not wanted.many:
            issues.append(Issue("invalid", f"The parameter '{one.name}' stands twice.", one.place))
        else:
            if wanted.parts is not None and one.type == "part":
                inner = {"resourceType": "Parameters", "parameter": one.value}
                found.setdefault(one.name, []).append(cast("Json", given(wanted.parts, (), inner)))
                continue
            value = one.value if one.type else _from_text(wanted, one.value)
            if wrong := _wrong(wanted, value, one.type):
                issues.append(Issue("value", f"The parameter '{one.name}' must be {wrong}.", one.place))
            found.setdefault(one.name, []).append(value)
    place = PLACE if body is not None else None
    missing = [one.name for one in known.values() if len(found.get(one.name, ())) < one.min]
    issues += [Issue("required", f"The parameter '{name}' is missing.", place) for name in missing]
    if issues:
        raise BadRequest(*issues)
    return Given({name: tuple(values) for name, values in found.items()})


def parameters(definition: JsonObject, values: Mapping[str, Json]) -> JsonObject:
    """The Parameters that an operation answers with: values by name, a list for one that repeats, None for one that is left out.

    A parameter with parts takes an object of values by the parts' names.
    """
    out = [one for one in definition["parameter"] if one["use"] == "out"]
    written = _written(out, values)
    return {"resourceType": "Parameters"} | ({"parameter": written} if written else {})


def _written(known: Iterable[JsonObject], values: Mapping[str, Json]) -> list[JsonObject]:
    written: list[JsonObject] = []
    for one in known:
        value: Json = values.get(one["name"])
        many = cast("list[Json]", value) if isinstance(value, list) else [] if value is None else [value]
        for each in many:
            if "part" in one:
                written.append({"name": one["name"], "part": _written(one["part"], each)})
            else:
                written.append({"name": one["name"], slot(one["type"]): each})
    return written


def slot(type: str) -> str:
    """The member of a `Parameters.parameter` that holds a value of the type."""
    return "resource" if type == "Resource" or type in definitions().resource_types else f"value{type[0].upper()}{type[1:]}"


def _codes(parameter: JsonObject) -> frozenset[str] | None:
    binding: JsonObject = parameter.get("binding", {})
    if binding.get("strength") != "required":
        return None
    pairs = carried().codes(binding["valueSet"])
    return None if pairs is None else frozenset(code for _, code in pairs)


def _in_body(known: Mapping[str, Input], body: JsonObject) -> Iterator[_Said]:
    """What a body says: Parameters, or in their place the only resource that goes in."""
    resources = [one for one in known.values() if one.is_resource]
    if body.get("resourceType") != "Parameters" and len(resources) == 1:
        yield _Said(resources[0].name, body.get("resourceType"), body, "Resource")
        return
    free = {one.name for one in resources if one.type == "Resource"}
    if wrong := [issue for issue in profile.check(body, "Parameters") if not _is_within(issue, body, free)]:
        raise BadRequest(*wrong)
    for index, parameter in enumerate(body.get("parameter", ())):
        place = f"{PLACE}[{index}]"
        slot = next((name for name in parameter if name == "resource" or name.startswith("value")), "")
        if not slot and "part" in parameter:
            yield _Said(parameter["name"], place, parameter["part"], "part")
            continue
        type = "Resource" if slot == "resource" else _value_types().get(slot, "")
        yield _Said(parameter["name"], place, parameter.get(slot), type or "nothing")


def _is_within(issue: Issue, body: JsonObject, free: set[str]) -> bool:
    """The problem lies in a resource of any type, which the operation judges itself."""
    found = re.match(rf"{PLACE}\[(\d+)\]\.resource", issue.expression or "")
    return found is not None and body["parameter"][int(found[1])].get("name") in free


@cache
def _value_types() -> Mapping[str, str]:
    elements = definitions().type("Parameters.parameter").elements
    return {name: element.type for name, element in elements.items() if name.startswith("value")}


def _from_text(wanted: Input, text: str) -> Json:
    if wanted.type == "boolean":
        return _BOOLEANS.get(text, text)
    if wanted.type in {"integer", "positiveInt", "unsignedInt"} and _INTEGER.fullmatch(text):
        return int(text)
    if wanted.type == "Coding" and "|" in text:
        system, _, code = text.partition("|")
        return {"system": system, "code": code} if system else {"code": code}
    if wanted.type == "Coding":
        return {"code": text}
    if wanted.type == "decimal" and _DECIMAL.fullmatch(text):
        return Decimal(text)
    return text.replace(" ", "+") if wanted.type in {"instant", "dateTime"} else text


def _wrong(wanted: Input, value: Json, type: str) -> str:
    """What the value must be, where it is something else; '' where it is right."""
    if wanted.parts is not None:
        return "in parts, in the body"
    if wanted.is_resource:
        named: Json = value.get("resourceType") if is_object(value) else None
        fits = type == "Resource" and isinstance(named, str) and wanted.type in {"Resource", named}
        return "" if fits else f"a resource ({wanted.type})"
    if not type and not wanted.in_query:
        return f"in the body: it is a {wanted.type}"
    if type and wanted.type not in _lineage(type):
        return f"a {wanted.type} ({slot(wanted.type)})"
    if wanted.is_simple and not PRIMITIVES[wanted.type].accepts(value):
        return PRIMITIVES[wanted.type].says
    if wanted.codes is not None and value not in wanted.codes:
        return f"one of {', '.join(sorted(wanted.codes))}"
    return ""


def _lineage(type: str) -> Iterator[str]:
    """A type and those that it specializes: a code is a string, a canonical a uri."""
    while type in definitions().type_names:
        yield type
        type = definitions().type(type).base
