"""What answers to the instruments come to."""
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from recovery_api.domain.codes import CANON
from recovery_api.domain.instruments import Instrument, check_response, instruments
from recovery_api.domain.scoring import observations, scores
from recovery_api.fhir.errors import Unprocessable
from recovery_api.fhir.json import JsonObject, dump, parse
from recovery_api.interactions import validate
from tests.http.escalating import NO, YES, response

NAMES = sorted({one.url.rpartition("/")[2] for one in instruments().values()})


def named(name: str) -> Instrument:
    return instruments()[f"{CANON}/Questionnaire/{name}"]


def told(name: str, answers: Mapping[str, object]) -> dict[str, Any]:
    """The value of each score by its code: a number, the display of a coding, or None."""
    found: dict[str, Any] = {}
    for scored in scores(named(name), response(name, answers)):
        value: JsonObject = scored.value or {}
        coded = value.get("valueCodeableConcept", {}).get("coding", [{}])[0].get("display")
        found[scored.code["code"]] = value.get("valueInteger", value.get("valueQuantity", {}).get("value", coded))
    return found


def all_of(name: str, place: int) -> dict[str, object]:
    """Every item answered by its option at a place (0 the first, -1 the last) or its lowest or highest number."""
    return {
        item.id: int(item.options[place].points) if item.options else (item.high if place else item.low)
        for item in named(name).items.values()
    }


def test_every_instrument_of_the_design_is_there() -> None:
    assert NAMES == [
        "audit", "audit-c", "bam", "barc-10", "c-ssrs", "dast-10", "ede-q", "gad-7", "pcl-5", "pgsi", "phq-9", "scoff", "who-5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "code", "lowest", "highest"),
    [
        ("phq-9", "44261-6", 0, 27),
        ("gad-7", "70274-6", 0, 21),
        ("audit-c", "75626-2", 0, 12),
        ("audit", "75624-7", 0, 40),
        ("dast-10", "82667-7", 1, 9),  # all no, all yes: item 3 is reversed
        ("pcl-5", "101698-9", 0, 80),
        ("bam", "bam-use", 0, 90),
        ("bam", "bam-risk", 0, 180),
        ("bam", "bam-protective", 0, 180),
        ("bam", "bam-opioid-days", 0, 30),
        ("scoff", "scoff-total", 0, 5),
        ("ede-q", "ede-q-global", Decimal("0.00"), Decimal("6.00")),
        ("pgsi", "pgsi-total", 0, 27),
        ("who-5", "who-5-raw", 0, 25),
        ("who-5", "who-5-index", 0, 100),
        ("barc-10", "barc-10-total", 10, 60),
    ],
)
def test_a_score_goes_from_its_lowest_to_its_highest(name: str, code: str, lowest: object, highest: object) -> None:
    first, last = all_of(name, 0), all_of(name, -1)
    if name == "dast-10":
        first, last = (dict.fromkeys(named(name).items, value) for value in (NO, YES))
    assert (told(name, first)[code], told(name, last)[code]) == (lowest, highest)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "c-ssrs"])
def test_while_an_answer_is_missing_there_is_no_total(name: str) -> None:
    complete = all_of(name, -1)
    for item in complete:
        some = told(name, {link: value for link, value in complete.items() if link != item})
        whole = told(name, complete)
        concerned = {code for code, value in some.items() if value != whole[code]}
        assert all(some[code] is None for code in concerned) or name == "ede-q"
        assert concerned or item in {"bam-7a", "bam-7b", "bam-7c", "bam-7d", "bam-7f", "bam-7g", "bam-17", "69722-7"} or name == "ede-q"


def test_what_is_not_asked_counts_as_nothing() -> None:
    assert told("audit-c", {"68518-0": 0})["75626-2"] == 0
    assert told("audit-c", {"68518-0": 1, "68519-8": 2})["75626-2"] is None
    assert told("audit", {"68518-0": 0, "audit-9": 0, "audit-10": 4})["75624-7"] == 4
    assert told("audit", {"68518-0": 2, "68519-8": 0, "68520-6": 0, "audit-9": 2, "audit-10": 0})["75624-7"] == 4
    assert told("audit", {"68518-0": 2, "68519-8": 1, "68520-6": 0, "audit-9": 2, "audit-10": 0})["75624-7"] is None


def test_a_mean_needs_more_than_half_of_its_answers() -> None:
    three = {"ede-q-1": 6, "ede-q-2": 3, "ede-q-3": 0}
    assert told("ede-q", three)["ede-q-restraint"] == Decimal("3.00")
    assert told("ede-q", {"ede-q-1": 6, "ede-q-2": 3})["ede-q-restraint"] is None
    assert told("ede-q", three)["ede-q-global"] is None
    assert told("ede-q", three | {"ede-q-4": 1, "ede-q-5": 1})["ede-q-restraint"] == Decimal("2.20")


RISKS = ("93246-7", "93247-5", "93248-3", "93249-1", "93250-9", "93267-3", "93269-9")
NO_RISK = dict.fromkeys(RISKS, NO)


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        (NO_RISK, "No risk reported"),
        ({"93246-7": NO, "93247-5": NO, "93267-3": NO}, "No risk reported"),  # what is not asked after a no
        (NO_RISK | {"93246-7": YES}, "Low"),
        (NO_RISK | {"93247-5": YES}, "Low"),
        (NO_RISK | {"93247-5": YES, "93248-3": YES}, "Moderate"),
        (NO_RISK | {"93267-3": YES}, "Moderate"),
        (NO_RISK | {"93247-5": YES, "93249-1": YES}, "High"),
        (NO_RISK | {"93247-5": YES, "93250-9": YES}, "High"),
        (NO_RISK | {"93267-3": YES, "93269-9": YES}, "High"),
        ({"93249-1": YES}, "High"),
        ({"93246-7": YES}, "Low"),
        ({"93246-7": NO}, None),
        ({"93246-7": NO, "93247-5": YES, "93267-3": NO}, "Low"),
    ],
)
def test_the_risk_is_the_highest_that_an_answer_reaches(answers: Mapping[str, object], level: str | None) -> None:
    assert told("c-ssrs", answers) == {"93374-7": level}


@pytest.mark.parametrize("value", [1, YES, True])
def test_an_answer_may_be_a_code_a_boolean_or_its_points(value: object) -> None:
    assert told("scoff", {f"scoff-{n}": value for n in range(1, 6)}) == {"scoff-total": 5}


def test_a_link_may_begin_with_a_slash_and_stand_in_a_group() -> None:
    answers = response("phq-9", {"/44260-8": "LA6571-9"})
    answers["item"] = [{"linkId": "group", "item": answers["item"]}]
    found = {one.code["code"]: one.value for one in scores(named("phq-9"), answers)}
    coding = {"system": "http://loinc.org", "code": "LA6571-9", "display": "Nearly every day"}
    assert found["44260-8"] == {"valueCodeableConcept": {"coding": [coding]}}


@pytest.mark.parametrize(
    ("name", "answers", "place", "key"),
    [
        ("phq-9", {"44260-8": 4}, "item[0].answer[0]", "instrument-answer"),
        ("phq-9", {"44250-9": 1, "44260-8": -1}, "item[1].answer[0]", "instrument-answer"),
        ("phq-9", {"44260-8": "LA33-6"}, "item[0].answer[0]", "instrument-answer"),
        ("phq-9", {"44260-8": True}, "item[0].answer[0]", "instrument-answer"),
        ("phq-9", {"44260": 1}, "item[0]", "instrument-item"),
        ("bam", {"bam-4": 31}, "item[0].answer[0]", "instrument-answer"),
        ("bam", {"bam-4": "LA33-6"}, "item[0].answer[0]", "instrument-answer"),
        ("who-5", {"who-5-1": 6}, "item[0].answer[0]", "instrument-answer"),
        ("barc-10", {"barc-10-1": 0}, "item[0].answer[0]", "instrument-answer"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_place(name: str, answers: Mapping[str, object], place: str, key: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        check_response(response(name, answers))
    assert [(issue.expression, issue.key) for issue in refused.value.issues] == [(f"QuestionnaireResponse.{place}", key)]


def test_two_answers_to_one_item_are_refused() -> None:
    answers = response("phq-9", {"44260-8": 1})
    answers["item"] *= 2
    with pytest.raises(Unprocessable, match="answered twice"):
        check_response(answers)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_derived_is_a_valid_observation(name: str) -> None:
    for answers in (all_of(name, -1), {}):
        for one in observations(named(name), response(name, answers) | {"id": "answers"}, "2026-11-10T12:00:00Z"):
            validate.check({**one, "id": "derived"}, "Observation")
            assert ("dataAbsentReason" in one) is (not any(member.startswith("value") for member in one))


@pytest.mark.parametrize("name", NAMES)
def test_bands_rise_and_every_scored_item_is_there(name: str) -> None:
    definition = named(name).definition
    validate.check(parse(dump(definition)), "Questionnaire")
    links = {item["linkId"] for item in definition["item"]}
    for score in definition["extension"]:
        starts = [part["extension"][0]["valueDecimal"] for part in score["extension"] if part["url"] == "band"]
        assert all(one < other for one, other in pairwise(starts))
        assert {part["valueString"] for part in score["extension"] if part["url"] == "item"} <= links
