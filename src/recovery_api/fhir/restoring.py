"""What was cut out of the copy that somebody changed, put back into what they made of it."""
from collections.abc import Sequence
from typing import cast

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.dropping import NOTHING, Cuts, item_without, without
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_array, is_object


def put_back(full: JsonObject, cut: Cuts, changed: JsonObject) -> JsonObject:
    """What somebody made of their copy, with what had been cut out of it, at its old place beside what is left there.

    `full` is the resource that the copy was made from, `changed` any JSON object. What they removed stays removed, with all that
    was in it; a value that they set takes the place of a single one that they did not see; nothing comes back twice.
    """
    return _object(full, "Resource", cut, changed)


def _object(full: JsonObject, kind: str, cut: Cuts, changed: JsonObject) -> JsonObject:
    seen = without(full, cut)
    if changed == seen:
        return full
    facts = definitions().type(full["resourceType"] if kind == "Resource" else kind)
    result = dict(changed)
    for place, below in cut.items():
        name = str(place)
        element = facts.elements[name.removeprefix("_")]
        item, given = full[name], changed.get(name)
        if given is None and below is None:
            others = facts.choices[element.choice] if element.choice else ()
            result |= {} if any(other.name in changed for other in others) else {name: item}
        elif below is not None and given == seen[name]:
            result[name] = item
        elif name.startswith("_"):
            continue
        elif is_array(item) and (given is None or is_array(given)):
            items = _items(item, element.type, dict.fromkeys(range(len(item))) if below is None else below, given or [])
            result |= {name: items} if items else {}
        elif is_object(item) and is_object(given) and below is not None:
            result[name] = _object(item, element.type, below, given)
    return result


def _items(full: Sequence[Json], kind: str, cut: Cuts, given: Sequence[Json]) -> list[Json]:
    """The items that were given, each with what was cut out of it, and between them those that were cut out whole."""
    kept = [index for index in range(len(full)) if cut.get(index, NOTHING) is not None]
    partner = _paired(full, cut, kept, given)
    result = [
        _restored(full[partner[place]], kind, cut.get(partner[place]), each) if place in partner else each
        for place, each in enumerate(given)
    ]
    place_of = {index: place for place, index in partner.items()}
    spare = [each for place, each in enumerate(given) if place not in partner]
    comes_after: dict[int, list[Json]] = {}
    for index, item in enumerate(full):
        if index in kept:
            continue
        if item in spare:
            spare.remove(item)
            continue
        before = [place_of[each] for each in range(index) if each in place_of]
        comes_after.setdefault(before[-1] if before else -1, []).append(item)
    together = list(comes_after.get(-1, ()))
    for place, each in enumerate(result):
        together += [each, *comes_after.get(place, ())]
    return together


def _paired(full: Sequence[Json], cut: Cuts, kept: Sequence[int], given: Sequence[Json]) -> dict[int, int]:
    """For each given item that was an item of the copy, by its place: the index of that one in the full list.

    Equal items are the same; of the others, those are that follow in the same order and have something in common.
    """
    partner: dict[int, int] = {}
    left = list(kept)
    for place, each in enumerate(given):
        for index in left:
            if item_without(full[index], index, cut) == each:
                partner[place] = index
                left.remove(index)
                break
    for place, each in enumerate(given):
        if place in partner:
            continue
        for index in left:
            if _have_something_in_common(item_without(full[index], index, cut), each):
                partner[place] = index
                left = [later for later in left if later > index]
                break
    return partner


def _have_something_in_common(one: Json, other: Json) -> bool:
    if not is_object(one) or not is_object(other):
        return False
    return any(name in other and other[name] == value for name, value in one.items())


def _restored(item: Json, kind: str, cut: Cuts | None, given: Json) -> Json:
    return _object(cast("JsonObject", item), kind, cut, given) if cut and is_object(given) else given
