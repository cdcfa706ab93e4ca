"""The second look at a resource: the R4B models of fhir.resources, as a lens that keeps nothing.

What is served is R4, and the library has models of R4B; the differences are held here. The first look, `fhir/profile.py`, decides;
a resource that it finds sound is refused here only where the model knows better. Models are imported when their type is first met.
"""
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from pydantic import ValidationError

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.errors import Issue
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_object
from recovery_api.fhir.primitives import PRIMITIVES

Place = tuple[str | int, ...]

EXTRA = "extra_forbidden"

LACKING: Mapping[str, frozenset[str]] = {
    "Extension": frozenset(
        {"valueMeta"} | {f"_{element.name}" for element in definitions().type("Extension").elements.values() if element.type in PRIMITIVES}
    )
}
"""What R4 has and the R4B models lack, by type: an extension's value that is a Meta, or a primitive with extensions only."""

CODES: Mapping[str, str] = {"missing": "required", "model_field_validation.missing": "required", "value_error": "value"}
"""IssueTypes by pydantic's error types; the others are of structure."""


class _Model(Protocol):
    def model_validate(self, obj: JsonObject) -> object: ...


def check(resource: JsonObject) -> list[Issue]:
    """What the model of the resource's type refuses; none for a type that R4B has no model for.

    The resource names an R4 type. Places are as in `fhir/profile.py`.
    """
    name: str = resource["resourceType"]
    model = _model(name)
    if model is None:
        return []
    try:
        model.model_validate(resource)
    except ValidationError as refused:
        return [
            Issue(CODES.get(error["type"], "structure"), f"{error['msg'].removeprefix('Value error, ')}.".replace("..", "."), place)
            for error in refused.errors(include_url=False, include_context=False, include_input=False)
            for place, known in [_place(resource, error["loc"])]
            if not (known and error["type"] == EXTRA)
        ]
    except KeyError:
        return [Issue("structure", "A contained resource has a type that is not known.", f"{name}.contained")]
    return []


@cache
def _model(name: str) -> _Model | None:
    path = f"fhir.resources.R4B.{name.lower()}"
    return cast("_Model", getattr(import_module(path), name)) if find_spec(path) else None


def _place(resource: JsonObject, steps: Place) -> tuple[str, bool]:
    """The FHIRPath place of an error, and whether the element there is one that the models lack."""
    of = place = str(resource["resourceType"])
    value: Json = resource
    lacking = False
    for step in steps:
        holder: Json = value
        value = holder[step] if isinstance(step, int) or step in holder else None
        if isinstance(step, int):
            place += f"[{step}]"
        else:
            lacking = step in LACKING.get(of, ())
            element = definitions().type(of).elements.get(step.removeprefix("_"))
            place += f".{(element and element.choice) or step.removeprefix('_')}"
            of = element.type if element else "Element"
        if of == "Resource" and is_object(value):
            of = str(value["resourceType"])
    return place, lacking
