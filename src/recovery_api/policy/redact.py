"""What is left out of the copy that a caller is given, though they may read the resource."""
from collections.abc import Collection, Sequence

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.summary import subsetted


def leave_out(resource: JsonObject, elements: Collection[str]) -> JsonObject:
    """The resource without these elements, tagged SUBSETTED (https://hl7.org/fhir/R4/search.html#elements)."""
    kept = {name: value for name, value in resource.items() if name.removeprefix("_") not in elements}
    return subsetted(kept)


def with_members(group: JsonObject, clients: Sequence[str]) -> JsonObject:
    """A recipient group with the members that it has now for this caller (world.md, decision 17); `clients` are ids."""
    rest = {name: value for name, value in group.items() if name not in {"member", "quantity"}}
    return {**rest, "member": [{"entity": {"reference": f"Patient/{client}"}} for client in clients]} if clients else rest
