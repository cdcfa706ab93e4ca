"""What is left out of the copy that a caller is given, though they may read the resource (domain.md 3.2)."""
from collections.abc import Sequence
from typing import NamedTuple

from recovery_api.fhir.dropping import NOTHING, Cuts, cuts, without
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_array, is_object
from recovery_api.fhir.references import parse_reference
from recovery_api.fhir.restoring import put_back
from recovery_api.fhir.summary import SUBSETTED, subsetted
from recovery_api.policy.facets import client_of
from recovery_api.policy.matrix import Access, Matrix


class Copy(NamedTuple):
    """A caller's copy of a resource: the whole of it, and what is cut out of it."""

    full: JsonObject
    cut: Cuts = NOTHING
    is_subset: bool = False
    """Elements are left out whatever is in them, and the copy says so (https://hl7.org/fhir/R4/search.html#elements)."""

    @property
    def seen(self) -> JsonObject:
        """What the caller sees."""
        kept = without(self.full, self.cut) if self.cut else self.full
        return subsetted(kept) if self.is_subset else kept

    def restored(self, changed: JsonObject) -> JsonObject:
        """What the caller made of their copy, with what they do not see; `changed` may be any JSON object."""
        return put_back(self.full, self.cut, _untagged(changed, self.full) if self.is_subset else changed) if self.cut else changed


def copy(resource: JsonObject, row: Access | None, hidden: str, matrix: Matrix) -> Copy:
    """The copy for a caller who has this access row and may not follow the `hidden` references ("Type/id", spaces between).

    The reference that names the client stays, and so do those that the row keeps.
    """
    out = _left_out(resource, row.leaves_out) if row else NOTHING
    found: Cuts = NOTHING
    if hidden:
        gone = frozenset(hidden.split(" "))
        kept = frozenset(row.keeps) if row else frozenset[str]()
        naming, client = matrix.client.get(resource["resourceType"]), f"Patient/{client_of(resource, matrix)}"

        def drops(path: str, text: str) -> bool:
            literal = parse_reference(text)
            key = literal.key if literal else None
            return key in gone and path.partition(".")[0] not in kept and (path, key) != (naming, client)

        found = cuts(resource, drops)
    return Copy(resource, {**found, **out}, bool(row and row.leaves_out))


def _left_out(resource: JsonObject, elements: Sequence[str]) -> Cuts:
    """Elements that are left out, and elements of those ("channel.header"), with what stands beside primitive ones."""
    found: dict[str | int, Cuts | None] = {}
    for element in elements:
        name, _, inner = element.partition(".")
        if not inner:
            found |= {each: None for each in (name, f"_{name}") if each in resource}
        elif is_object(value := resource.get(name)):
            below: dict[str | int, Cuts | None] = {each: None for each in (inner, f"_{inner}") if each in value}
            found |= {name: below} if below else {}
    return found


def with_members(group: JsonObject, clients: Sequence[str]) -> JsonObject:
    """A recipient group with the members that it has now for this caller (world.md, decision 17); `clients` are ids."""
    rest = {name: value for name, value in group.items() if name not in {"member", "quantity"}}
    return {**rest, "member": [{"entity": {"reference": f"Patient/{client}"}} for client in clients]} if clients else rest


def _untagged(changed: JsonObject, full: JsonObject) -> JsonObject:
    """Without the tag that only the copy had."""
    meta: Json = changed.get("meta")
    if not is_object(meta) or not is_array(tags := meta.get("tag")) or SUBSETTED in full.get("meta", {}).get("tag", ()):
        return changed
    rest = {name: value for name, value in meta.items() if name != "tag"}
    kept = [tag for tag in tags if tag != SUBSETTED]
    return {**changed, "meta": {**rest, "tag": kept} if kept else rest}
