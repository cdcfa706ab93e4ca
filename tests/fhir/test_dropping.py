"""References dropped from a copy, and put back into what somebody made of it."""

from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.dropping import cuts, without
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.profile import check
from recovery_api.fhir.references import references
from recovery_api.fhir.restoring import put_back
from tests.fhir.examples import DEFECTS, examples, name

X, Y = {"reference": "Condition/x", "display": "What nobody told"}, {"reference": "Condition/y"}
WITH_REFERENCES = [each for each in examples("r4") if any(references(each)) and ("r4", name(each)) not in DEFECTS]


def copied(resource: JsonObject, *hidden: str) -> JsonObject:
    return without(resource, cuts(resource, lambda _, text: text in hidden))


def changed(resource: JsonObject, hidden: tuple[str, ...], make: Any) -> JsonObject:
    """What is stored when somebody makes this of their copy."""
    cut = cuts(resource, lambda _, text: text in hidden)
    return put_back(resource, cut, make(deepcopy(without(resource, cut))))


def of(type: str, **content: Any) -> JsonObject:
    return {"resourceType": type, "id": "r", **content}


EXTENSION: JsonObject = {"url": "urn:x", "valueReference": X}


@pytest.mark.parametrize(
    ("resource", "left"),
    [
        (of("Encounter", diagnosis=[{"condition": X, "rank": 1}, {"condition": Y}]), of("Encounter", diagnosis=[{"condition": Y}])),
        (of("Encounter", diagnosis=[{"condition": X, "rank": 1}]), of("Encounter")),
        (of("CarePlan", addresses=[X, Y]), of("CarePlan", addresses=[Y])),
        (of("CarePlan", activity=[{"reference": X}]), of("CarePlan")),
        (of("CarePlan", activity=[{"id": "a", "reference": X}]), of("CarePlan")),
        (of("Task", input=[{"type": {"text": "t"}, "valueReference": X}], focus=Y), of("Task", focus=Y)),
        (of("DocumentReference", context={"related": [X]}), of("DocumentReference")),
        (of("DocumentReference", relatesTo=[{"code": "replaces", "target": X}]), of("DocumentReference")),
        (of("Appointment", participant=[{"actor": X, "status": "accepted"}]), of("Appointment")),
        (
            of("Appointment", participant=[{"type": [{"text": "t"}], "actor": X, "status": "accepted"}]),
            of("Appointment", participant=[{"type": [{"text": "t"}], "status": "accepted"}]),
        ),
        (of("Composition", section=[{"title": "t", "entry": [X]}]), of("Composition")),
        (of("Consent", provision={"actor": [{"role": {"text": "r"}, "reference": X}]}), of("Consent")),
        (of("Goal", extension=[EXTENSION]), of("Goal")),
        (of("Goal", extension=[{"url": "urn:o", "extension": [EXTENSION]}], status="x"), of("Goal", status="x")),
        (
            of("Goal", extension=[{"url": "urn:o", "extension": [EXTENSION, {"url": "c", "valueCode": "d"}]}]),
            of("Goal", extension=[{"url": "urn:o", "extension": [{"url": "c", "valueCode": "d"}]}]),
        ),
        (of("Goal", description={"text": "t"}, _startDate={"extension": [EXTENSION]}), of("Goal", description={"text": "t"})),
        (
            of("Patient", name=[{"given": ["a", "b"], "_given": [{"extension": [EXTENSION]}, {"id": "g"}]}]),
            of("Patient", name=[{"given": ["a", "b"], "_given": [None, {"id": "g"}]}]),
        ),
        (
            of("Observation", contained=[of("RelatedPerson", patient=X)], focus=[{"reference": "#r"}], performer=[Y]),
            of("Observation", performer=[Y]),
        ),
        (of("Provenance", target=[X]), of("Provenance")),
    ],
)
def test_a_reference_is_dropped_with_what_cannot_be_without_it(resource: JsonObject, left: JsonObject) -> None:
    assert copied(resource, "Condition/x") == left
    assert changed(resource, ("Condition/x",), lambda copy: copy) == resource


def _dropped(resource: JsonObject, chance: Random) -> set[str]:
    found = sorted({holder["reference"] for _, holder in references(resource)})
    return set(chance.sample(found, k=chance.randint(1, len(found))))


@given(st.sampled_from(WITH_REFERENCES), st.randoms(use_true_random=False))
def test_a_copy_is_sound_but_for_what_its_type_requires_and_all_comes_back(resource: JsonObject, chance: Random) -> None:
    hidden = _dropped(resource, chance)
    cut = cuts(resource, lambda _, text: text in hidden)
    copy = without(resource, cut)
    assert not {holder["reference"] for _, holder in references(copy)} & hidden
    elements = definitions().type(resource["resourceType"]).elements
    lost = [name for name in resource if name not in copy and elements[name.removeprefix("_")].min]
    assert bool(check(copy)) <= bool(lost)
    assert put_back(resource, cut, deepcopy(copy)) == resource


@given(st.sampled_from(WITH_REFERENCES), st.randoms(use_true_random=False))
def test_whatever_is_made_of_a_copy_something_is_made_of_it(resource: JsonObject, chance: Random) -> None:
    hidden = _dropped(resource, chance)
    cut = cuts(resource, lambda _, text: text in hidden)
    put_back(resource, cut, _mangled(without(resource, cut), chance))


def _mangled(value: Any, chance: Random) -> Any:
    if isinstance(value, dict):
        return {name: _mangled(each, chance) for name, each in value.items() if chance.random() > 0.1}
    if isinstance(value, list):
        items = [_mangled(each, chance) for each in value if chance.random() > 0.1]
        chance.shuffle(items)
        return items
    return value if chance.random() > 0.05 else chance.choice([None, {}, [], 1, "x", [{}]])


A, B, C = ({"condition": {"reference": f"Condition/{name}"}, "rank": rank} for rank, name in enumerate("abc", start=1))


def test_an_item_that_was_not_seen_comes_back_at_its_old_place() -> None:
    whole = of("Encounter", diagnosis=[A, B, C])

    def stored(hidden: str, *made: JsonObject) -> list[JsonObject]:
        return changed(whole, (f"Condition/{hidden}",), lambda copy: copy | {"diagnosis": list(made)}).get("diagnosis", [])

    assert stored("b", A, C) == [A, B, C]
    assert stored("b", C, A) == [C, A, B]
    assert stored("b", C) == [B, C]
    assert stored("a", {"condition": Y}, B, C) == [A, {"condition": Y}, B, C]
    assert stored("b") == [B]
    assert stored("b", A, B, C) == [A, B, C]
    assert stored("c", A | {"rank": 9}, B) == [A | {"rank": 9}, B, C]


def test_what_was_removed_stays_removed_with_what_was_not_seen_in_it() -> None:
    participants = [{"actor": X, "type": [{"text": "t"}], "status": "accepted"}, {"actor": Y, "status": "accepted"}]
    whole = of("Appointment", participant=participants)
    assert changed(whole, ("Condition/x",), lambda copy: copy | {"participant": participants[1:]}) == of(
        "Appointment", participant=participants[1:]
    )
    declined = {"type": [{"text": "t"}], "status": "declined"}
    assert changed(whole, ("Condition/x",), lambda copy: copy | {"participant": [declined, participants[1]]}) == of(
        "Appointment", participant=[{"actor": X, **declined}, participants[1]]
    )


def test_a_value_that_is_set_takes_the_place_of_one_that_was_not_seen() -> None:
    whole = of("Observation", encounter=X, valueString="v")
    assert changed(whole, ("Condition/x",), lambda copy: copy | {"valueString": "w"}) == whole | {"valueString": "w"}
    assert changed(whole, ("Condition/x",), lambda copy: copy | {"encounter": Y}) == whole | {"encounter": Y}
    order = of("MedicationRequest", medicationReference=X)
    taken = {"text": "Tea"}
    assert changed(order, ("Condition/x",), lambda copy: copy | {"medicationCodeableConcept": taken}) == of(
        "MedicationRequest", medicationCodeableConcept=taken
    )
