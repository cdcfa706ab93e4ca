"""Part of a resource: `_summary` and `_elements` (https://hl7.org/fhir/R4/search.html#summary)."""
from collections.abc import Collection
from typing import Any, cast

from recovery_api.fhir.definitions import TypeFacts, definitions
from recovery_api.fhir.json import JsonObject

ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules"})
SUBSETTED: JsonObject = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


def summarized(resource: JsonObject, summary: str) -> JsonObject:
    """The resource as `_summary` true, text or data asks for it, tagged SUBSETTED; whole for anything else."""
    facts = definitions().type(resource["resourceType"])
    match summary:
        case "true":
            return subsetted(_of_summary(resource, facts))
        case "text":
            return subsetted(_only(resource, _mandatory(facts) | {"text"}))
        case "data":
            return subsetted({name: value for name, value in resource.items() if name != "text"})
        case _:
            return resource


def with_elements(resource: JsonObject, elements: Collection[str]) -> JsonObject:
    """The resource with these top-level elements, and those that it can't be without, tagged SUBSETTED."""
    facts = definitions().type(resource["resourceType"])
    chosen = {option.name for name in elements for option in facts.choices.get(name, ())} | set(elements)
    return subsetted(_only(resource, _mandatory(facts) | chosen))


def subsetted(resource: JsonObject) -> JsonObject:
    """The resource with the tag that says that it is not whole."""
    meta: JsonObject = resource.get("meta", {})
    tags = [tag for tag in meta.get("tag", ()) if tag.get("code") != SUBSETTED["code"]]
    return {**resource, "meta": {**meta, "tag": [*tags, SUBSETTED]}}


def _only(resource: JsonObject, names: Collection[str]) -> JsonObject:
    return {name: value for name, value in resource.items() if name in ALWAYS or name.removeprefix("_") in names}


def _mandatory(facts: TypeFacts) -> set[str]:
    return {name for name, element in facts.elements.items() if element.min > 0}


def _of_summary(value: JsonObject, facts: TypeFacts) -> JsonObject:
    kept: JsonObject = {}
    for name, item in value.items():
        element = facts.elements.get(name.removeprefix("_"))
        if name in ALWAYS or (element is not None and (element.summary or element.modifier)):
            kept[name] = _below(item, element.type) if element is not None and "." in element.type else item
    return kept


def _below(item: Any, type: str) -> Any:
    facts = definitions().type(type)
    return [_of_summary(one, facts) for one in cast("list[JsonObject]", item)] if isinstance(item, list) else _of_summary(item, facts)
