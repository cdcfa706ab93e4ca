"""Searching in memory: resources in, ids out."""

from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.search.extract import Extractor
from recovery_api.fhir.search.match import Resources, View, match
from recovery_api.fhir.search.parameters import ParameterTable
from recovery_api.fhir.search.parse import parse
from recovery_api.fhir.search.query import SearchContext
from recovery_api.fhir.terminology import carried

BASE = "http://server/fhir"
NOW = 1_790_000_000_000_000  # 2026-09-21T13:33:20Z
UTC = ZoneInfo("UTC")
TABLE = ParameterTable()
CONTEXT = SearchContext(TABLE, carried(), BASE, UTC, lambda: NOW)
EXTRACT = Extractor(TABLE, BASE, UTC)


def pairs(query: str) -> list[tuple[str, str]]:
    """The (name, value) pairs of a URL's query, '+' left as it is."""
    return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)


def view(resource: JsonObject, context: SearchContext = CONTEXT) -> View:
    """A resource with its rows, its client, and meta.lastUpdated in seconds as its stamp."""
    rows = Extractor(context.table, context.base_url, context.zone)(resource) if context is not CONTEXT else EXTRACT(resource)
    client = resource["id"] if resource["resourceType"] == "Patient" else ""
    for parameter in context.table[resource["resourceType"]].values():
        if parameter.column == "client":
            reference = resource.get(parameter.leaves[0].steps[0].member, {}).get("reference", "")
            client = reference.removeprefix("Patient/") if reference.startswith("Patient/") else ""
    return View(resource["resourceType"], resource["id"], rows, client, resource.get("stamp", 0))


def search(query: str, *resources: JsonObject, context: SearchContext = CONTEXT) -> set[str]:
    """The ids that "Type?query" finds among the resources."""
    type_, _, rest = query.partition("?")
    world = Resources(context.table, [view(resource, context) for resource in resources], shows_all=True)
    where = parse(type_, pairs(rest), context).where
    return {one.id for one in world.of(type_) if match(where, one, world)}


def observation(id_: str = "1", **elements: Json) -> JsonObject:
    """A small Observation."""
    return {"resourceType": "Observation", "id": id_, **elements}


def patient(id_: str = "1", **elements: Json) -> JsonObject:
    """A small Patient."""
    return {"resourceType": "Patient", "id": id_, **elements}


def amount(value: Json, code: str = "", system: str = "http://unitsofmeasure.org", **more: Json) -> JsonObject:
    """A Quantity."""
    return {"value": value, **({"system": system, "code": code} if code else {}), **more}


def concept(*codes: str, text: str = "") -> JsonObject:
    """A CodeableConcept of "system|code" (or "system|code|display") codings."""
    codings = [dict(zip(("system", "code", "display"), code.split("|"), strict=False)) for code in codes]
    codings = [{name: value for name, value in coding.items() if value} for coding in codings]
    return ({"coding": codings} if codings else {}) | ({"text": text} if text else {})
