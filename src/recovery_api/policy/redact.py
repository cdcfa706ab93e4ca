"""What is left out of the copy that a caller is given, though they may read the resource."""
from collections.abc import Collection, Sequence

from recovery_api.fhir.json import JsonObject

SUBSETTED: JsonObject = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


def leave_out(resource: JsonObject, elements: Collection[str]) -> JsonObject:
    """The resource without these elements, tagged SUBSETTED (https://hl7.org/fhir/R4/search.html#elements)."""
    kept = {name: value for name, value in resource.items() if name.removeprefix("_") not in elements}
    return tagged_subsetted(kept)


def tagged_subsetted(resource: JsonObject) -> JsonObject:
    """The resource with the tag that says that it is not whole."""
    meta: JsonObject = resource.get("meta", {})
    tags: Sequence[JsonObject] = [tag for tag in meta.get("tag", ()) if tag.get("code") != "SUBSETTED"]
    return {**resource, "meta": {**meta, "tag": [*tags, SUBSETTED]}}


def with_members(group: JsonObject, clients: Sequence[str]) -> JsonObject:
    """A recipient group with the members that it has now for this caller (world.md, decision 17); `clients` are ids."""
    rest = {name: value for name, value in group.items() if name not in {"member", "quantity"}}
    return {**rest, "member": [{"entity": {"reference": f"Patient/{client}"}} for client in clients]} if clients else rest
