"""Who is the same person, by the weights of domain/matching.py: what two records share and where they differ."""
from typing import Any

import pytest

from recovery_api.domain.matching import FIELDS, Level, match
from recovery_api.fhir.json import JsonObject

SSN = "http://hl7.org/fhir/sid/us-ssn"


def person(**changed: Any) -> JsonObject:
    said: JsonObject = {
        "resourceType": "Patient",
        "name": [{"family": "Tanaka", "given": ["Florence"]}],
        "birthDate": "1990-04-02",
        "gender": "female",
        "telecom": [{"system": "phone", "value": "+1-555-014-2330"}, {"system": "email", "value": "Flo@example.org"}],
        "address": [{"line": ["12 Example Street"], "postalCode": "90000"}],
        "identifier": [{"system": SSN, "value": "987-65-4320"}],
    } | changed
    return {name: value for name, value in said.items() if value is not None}


def bare(**more: Any) -> JsonObject:
    """Name, birth date and gender alone."""
    return person(telecom=None, address=None, identifier=None) | more


def named(family: str, given: str) -> list[JsonObject]:
    return [{"family": family, "given": [given]}]


@pytest.mark.parametrize(
    ("other", "grade"),
    [
        (person(), "certain"),
        (bare(), "probable"),
        (bare(telecom=[{"system": "phone", "value": "(555) 014-2330"}]), "certain"),
        (person(name=named("Tánaka", "Flo")), "certain"),
        (person(name=named("Tanaka", "Hana"), identifier=None), "probable"),  # a twin
        (person(name=named("Miller", "Florence")), "probable"),  # married
        (bare(birthDate="1990-02-04"), "possible"),
        (bare(birthDate=None), "possible"),
        (bare(birthDate=None, telecom=[{"system": "phone", "value": "5550142330"}]), "probable"),
        (bare(telecom=[{"system": "email", "value": "flo@EXAMPLE.org"}], birthDate="1990-04-20"), "probable"),
        (bare(name=named("Olsen", "Per"), gender="male"), "certainly-not"),
        (bare(birthDate="1961-12-31"), "certainly-not"),
        (person(identifier=[{"system": SSN, "value": "987-65-1111"}]), "probable"),
        (person(identifier=[{"system": SSN, "value": "987-65-4302"}]), "certain"),
        ({"resourceType": "Patient"}, "certainly-not"),
    ],
)
def test_what_two_records_share_decides_the_grade(other: JsonObject, grade: str) -> None:
    assert match(person(), other).grade == grade
    assert match(other, person()) == match(person(), other)


@pytest.mark.parametrize("name", FIELDS)
def test_the_more_alike_a_field_is_the_more_it_weighs(name: str) -> None:
    weights = [FIELDS[name].weight(level) for level in Level]
    assert weights[Level.DIFFERENT] < 0 < weights[Level.SAME]
    assert weights == sorted(weights)


@pytest.mark.parametrize("name", FIELDS)
def test_shares_add_up_to_all_there_are(name: str) -> None:
    field = FIELDS[name]
    unused = 1 if field.m[Level.CLOSE] == 1 else 0
    assert sum(field.m) - unused == pytest.approx(1)
    assert sum(field.u) - unused == pytest.approx(1)


def test_a_score_is_a_probability() -> None:
    assert match(person(), {"resourceType": "Patient"}).score < 0.001
    assert 0.999 < match(person(), person()).score <= 1
