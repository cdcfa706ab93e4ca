"""The instruments that the server scores (domain.md 2.4): Questionnaires of `definitions/`, what their answers are worth.

What an answer counts is the `ordinalValue` of its option, so that weights and reversed items need no rule of their own; how answers
make scores is said by the extension `score` (`domain/scoring.py`).
"""
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias, cast

from recovery_api.domain.codes import LOINC
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.fhir.errors import Issue, Rule, Unprocessable
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.paths import references_at
from recovery_api.fhir.shipped import shipped

CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
YES, NO = (LOINC, "LA33-6"), (LOINC, "LA32-8")
Coding: TypeAlias = tuple[str, str]  # system, code

TWICE = Rule("instrument-item", Unprocessable, "'{}' is answered twice.")
NO_ITEM = Rule("instrument-item", Unprocessable, "'{}' is not an item of {}.")
NO_ANSWER = Rule("instrument-answer", Unprocessable, "This is no answer to item '{}' of {}: {}.")
SUBJECT = Rule("instrument-subject", Unprocessable, "The answers to an instrument are a client's: a Patient is their subject.")


class Option(NamedTuple):
    """An answer that may be given, and what it counts."""

    coding: JsonObject
    points: Decimal

    @property
    def key(self) -> Coding:
        return self.coding["system"], self.coding["code"]


class Test(NamedTuple):
    """A condition under which an item is asked: another item's answer is this one, or is another."""

    item: str
    equal: bool
    answer: Coding


class Item(NamedTuple):
    """A question. Without options it takes an integer from `low` to `high`."""

    id: str
    codes: frozenset[Coding]
    options: tuple[Option, ...]
    low: int
    high: int
    tests: tuple[Test, ...]
    any_test: bool
    """One of the tests is enough."""

    def taken(self, value: Json) -> "Answer | None":
        """What a value (of valueCoding, valueBoolean, valueInteger or valueDecimal) means as an answer; None where it can be none."""
        if not self.options:
            is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
            return Answer(Decimal(value), None) if is_number and value in range(self.low, self.high + 1) else None
        if isinstance(value, bool):
            wanted = YES if value else NO
            return next((Answer(one.points, one) for one in self.options if one.key == wanted), None)
        if isinstance(value, int | Decimal):
            return next((Answer(one.points, one) for one in self.options if one.points == value), None)
        if isinstance(value, dict):
            coding = cast("JsonObject", value)
            return next((Answer(one.points, one) for one in self.options if one.key == (coding.get("system"), coding.get("code"))), None)
        return None


class Answer(NamedTuple):
    """What was answered: the points, and the option where there are options."""

    points: Decimal
    option: Option | None


class Instrument(NamedTuple):
    """An instrument: its Questionnaire and its items by linkId."""

    url: str
    definition: JsonObject
    items: Mapping[str, Item]

    def answers(self, response: JsonObject) -> Mapping[str, Answer]:
        """What a QuestionnaireResponse answers, by linkId. Raises Unprocessable, with the place, for what is no answer to its item."""
        found: dict[str, Answer] = {}
        problems: list[Issue] = []
        title = self.definition["title"]
        for place, said in _leaves(response, "QuestionnaireResponse"):
            link, given = str(said.get("linkId", "")).strip("/"), said.get("answer", [])
            item = self.items.get(link)
            if not given:
                continue
            if item is None or link in found or len(given) > 1:
                problems.append(TWICE.issue(link[:64], at=place) if item else NO_ITEM.issue(link[:64], title, at=place))
                continue
            value = next((value for name, value in given[0].items() if name.startswith("value")), None)
            answer = item.taken(value)
            if answer is None:
                problems.append(NO_ANSWER.issue(link, title, _expected(item), at=f"{place}.answer[0]"))
            else:
                found[link] = answer
        if problems:
            raise Unprocessable(*problems)
        return found

    def is_asked(self, item: str, answers: Mapping[str, Answer]) -> bool:
        """Whether the answers so far call for the item (Questionnaire.item.enableWhen)."""
        asking = self.items[item]
        held = [self._holds(test, answers) for test in asking.tests]
        return not held or (any(held) if asking.any_test else all(held))

    @staticmethod
    def _holds(test: Test, answers: Mapping[str, Answer]) -> bool:
        answer = answers.get(test.item)
        return answer is not None and answer.option is not None and (answer.option.key == test.answer) is test.equal


RESPONSE = LifeCycle(
    name="response",
    what="An answered instrument",
    at="QuestionnaireResponse.status",
    starts=frozenset({"in-progress", "completed", "amended", "stopped"}),
    moves=MappingProxyType(
        {
            "in-progress": frozenset({"completed", "stopped", "entered-in-error"}),
            "stopped": frozenset({"in-progress", "completed", "entered-in-error"}),
            "completed": frozenset({"amended", "entered-in-error"}),
            "amended": frozenset({"entered-in-error"}),
            "entered-in-error": frozenset[str](),
        }
    ),
)


def check_response(response: JsonObject) -> bool:
    """Whether the QuestionnaireResponse answers an instrument. Raises Unprocessable, with the places, for what is no answer to it."""
    instrument = instrument_of(response)
    if instrument is None:
        return False
    if not any(one.startswith("Patient/") for one in references_at(response, "subject")):
        raise SUBJECT.broken(at="QuestionnaireResponse.subject")
    instrument.answers(response)
    return True


def instrument_of(response: JsonObject) -> Instrument | None:
    """The instrument that a QuestionnaireResponse answers; None for any other questionnaire."""
    return instruments().get(str(response.get("questionnaire", "")).partition("|")[0])


@lru_cache(maxsize=1)
def instruments() -> Mapping[str, Instrument]:
    """The instruments by their canonical URL, and by the one that LOINC gives to their panel."""
    found: dict[str, Instrument] = {}
    for definition in shipped("Questionnaire"):
        if any(one["url"].endswith("/score") for one in definition.get("extension", ())):
            items = {item["linkId"]: _item(item) for item in definition["item"]}
            known = Instrument(definition["url"], definition, MappingProxyType(items))
            found[known.url] = known
            found |= {f"{LOINC}/q/{one['code']}": known for one in definition.get("code", ()) if one["system"] == LOINC}
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def coded_items() -> Mapping[Coding, Item]:
    """The items that have a code, by it."""
    return MappingProxyType({code: item for one in instruments().values() for item in one.items.values() for code in item.codes})


def _item(said: JsonObject) -> Item:
    bounds = {one["url"].removeprefix(CORE): one["valueInteger"] for one in said.get("extension", ())}
    tests = tuple(
        Test(one["question"], one["operator"] == "=", (one["answerCoding"]["system"], one["answerCoding"]["code"]))
        for one in said.get("enableWhen", ())
    )
    return Item(
        id=said["linkId"],
        codes=frozenset((one["system"], one["code"]) for one in said.get("code", ())),
        options=tuple(_option(one["valueCoding"]) for one in said.get("answerOption", ())),
        low=bounds.get("minValue", 0),
        high=bounds.get("maxValue", 0),
        tests=tests,
        any_test=said.get("enableBehavior") == "any",
    )


def _option(coding: JsonObject) -> Option:
    points = next(one["valueDecimal"] for one in coding["extension"] if one["url"] == f"{CORE}ordinalValue")
    return Option({name: value for name, value in coding.items() if name != "extension"}, Decimal(str(points)))


def _expected(item: Item) -> str:
    if not item.options:
        return f"it is a whole number from {item.low} to {item.high}"
    options = ", ".join(f"{one.coding['code']} ({one.points})" for one in item.options)
    return f"it is one of {options}"


def _leaves(within: JsonObject, path: str) -> Iterator[tuple[str, JsonObject]]:
    """The items without items of their own, and their places."""
    for index, item in enumerate(within.get("item", ())):
        place = f"{path}.item[{index}]"
        if "item" in item:
            yield from _leaves(item, place)
        else:
            yield place, item
