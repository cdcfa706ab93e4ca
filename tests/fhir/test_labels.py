"""Labels as bits: families, what they imply, and how they stand in `meta.security`."""

import pytest

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.labels import (
    ACT,
    CONFIDENTIALITY,
    FAMILIES,
    PART2,
    SENSITIVE,
    bit,
    closed,
    codings,
    heads,
    mark,
    mask,
    mask_of,
    raised,
    unknown,
)

THEIRS: JsonObject = {"system": "https://elsewhere.example/labels", "code": "HIV"}


def codes(labels: int) -> list[str]:
    return [coding["code"] for coding in codings(labels)]


@pytest.mark.parametrize(
    ("labels", "implied"),
    [
        ("SUD", ["R", "SUD", "ETH"]),
        ("OPIOIDUD", ["R", "ETH", "OPIOIDUD"]),
        ("MH", ["R", "PSY", "MH"]),
        ("BH", ["R", "BH"]),
        ("EMP", ["R", "EMP"]),
        ("PSYTHPN", ["V", "PSYTHPN"]),
        ("N", ["N"]),
        ("N PSY", ["R", "PSY"]),
        ("V", ["V"]),
        ("42CFRPart2", ["R", "42CFRPart2", "RedisclosureProhibitionMark"]),
        ("NORDSCLCD", ["NORDSCLCD"]),
        ("", []),
    ],
)
def test_a_label_brings_its_family_and_its_confidentiality(labels: str, implied: list[str]) -> None:
    found = closed(mask(labels.split()))
    assert codes(found) == implied
    assert closed(found) == found


def test_very_restricted_is_restricted_where_it_is_matched() -> None:
    assert closed(bit("V")) & bit("R")


def test_heads_stand_for_families() -> None:
    assert heads(mask(("ETHUD", "MH", "HIV", "42CFRPart2"))) == mask(("ETH", "PSY", "HIV"))
    assert sum(FAMILIES) == SENSITIVE
    assert not SENSITIVE & mask(("SUD", "ETHUD", "OPIOIDUD", "MH", "R", "42CFRPart2"))


def test_codings_of_others_are_no_labels_and_stay() -> None:
    said = [{"system": ACT, "code": "SUD"}, THEIRS, {"system": CONFIDENTIALITY, "code": "R"}, {"code": "HIV"}, {"system": ACT, "code": "X"}]
    assert mask_of(said) == mask(("SUD", "R"))
    assert unknown(said) == [THEIRS, {"code": "HIV"}, {"system": ACT, "code": "X"}]
    assert mask_of("SUD") == mask_of(None) == 0


def test_labels_stand_after_the_time_and_nothing_stands_where_there_are_none() -> None:
    resource: JsonObject = {"meta": {"versionId": "1", "lastUpdated": "x", "tag": [], "security": [THEIRS, {"system": ACT, "code": "EMP"}]}}
    mark(resource, PART2)
    assert list(resource["meta"]) == ["versionId", "lastUpdated", "security", "tag"]
    assert resource["meta"]["security"] == [*codings(PART2), THEIRS]
    bare: JsonObject = {"meta": {"versionId": "1", "security": [{"system": ACT, "code": "EMP"}]}}
    mark(bare, 0)
    assert bare == {"meta": {"versionId": "1"}}


def test_what_was_computed_is_not_raised_by_sending_it_back() -> None:
    before = closed(mask(("SUD", "HIV")))
    sent = codings(before | bit("BH"))
    assert raised(sent, before, bit("HIV")) == mask(("HIV", "BH"))
    assert raised(None, before, bit("HIV")) == bit("HIV")
    assert raised(sent) == mask_of(sent)
