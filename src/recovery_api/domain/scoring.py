"""Scores from answers, as the extension `score` of an instrument's Questionnaire says.

======== ==================================================================================================
method   the score
======== ==================================================================================================
sum      the points of its items added, times `factor`
mean     the mean of its items, or of the scores that it is `of`, where at least `fewest` are known
answer   the answer to its one item, as it was given
level    the first of its levels of which an item counts something; the last, without items, where none does
======== ==================================================================================================

Without `fewest` every item must be answered. What was rightly not asked counts as nothing. Where answers are missing there is no score,
and its Observation says so; a level is the one that the given answers reach at least.
"""
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from recovery_api.domain.codes import THO, concept, ref, structure
from recovery_api.domain.instruments import Answer, Instrument, coded_items
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.paths import objects_at

SCORE: Final = structure("score")
SCORED: Final = frozenset({"completed", "amended"})
PERFORMERS: Final = ("Practitioner/", "PractitionerRole/", "Organization/", "CareTeam/", "Patient/", "RelatedPerson/")
UNKNOWN = concept((f"{THO}data-absent-reason", "not-asked", "Not Asked"), text="Answers are missing.")
SCORE_UNIT: Final = {"unit": "{score}", "system": "http://unitsofmeasure.org", "code": "{score}"}
HUNDREDTH: Final = Decimal("0.01")


class Score(NamedTuple):
    """A score that an instrument has: the definition's parts by their names."""

    code: JsonObject
    method: str
    items: tuple[str, ...]
    of: tuple[str, ...]
    fewest: int
    factor: Decimal
    bands: tuple[tuple[Decimal, str], ...]
    levels: tuple[tuple[JsonObject, tuple[str, ...]], ...]


class Scored(NamedTuple):
    """What a score came to: the `value[x]` of its Observation, or nothing; and its band in words."""

    code: JsonObject
    value: JsonObject | None
    band: str = ""


def observations(instrument: Instrument, response: JsonObject, now: str) -> Iterator[JsonObject]:
    """The survey Observations that a completed QuestionnaireResponse gives, without id; each has its score's code.

    `now` is when they were answered, where the response does not say it. Raises Unprocessable where an answer is none.
    """
    who = next((one for name in ("author", "source") if (one := response.get(name, {}).get("reference", "")).startswith(PERFORMERS)), "")
    for scored in scores(instrument, response):
        yield {
            "resourceType": "Observation",
            "status": "final",
            "category": [concept((f"{THO}observation-category", "survey", "Survey"))],
            "code": {"coding": [scored.code]},
            "subject": response["subject"],
            **({"encounter": response["encounter"]} if "encounter" in response else {}),
            "effectiveDateTime": response.get("authored") or now,
            **({"performer": [ref(who)]} if who else {}),
            **(scored.value or {"dataAbsentReason": UNKNOWN}),
            **({"interpretation": [{"text": scored.band}]} if scored.band else {}),
            **({"derivedFrom": [ref(f"QuestionnaireResponse/{response['id']}")]} if "id" in response else {}),
        }


def scores(instrument: Instrument, response: JsonObject) -> list[Scored]:
    """All the scores of an instrument. Raises Unprocessable where an answer is none."""
    answers = instrument.answers(response)
    points = {item: answer.points for item, answer in answers.items()}
    points |= {item: Decimal() for item in instrument.items.keys() - points.keys() if not instrument.is_asked(item, answers)}
    found: list[Scored] = []
    for score in _scores(instrument.definition):
        match score.method:
            case "answer":
                found.append(_answered(score, answers))
            case "level":
                found.append(_level(score, points))
            case _:
                number = _number(score, points)
                if number is not None:
                    points[score.code["code"]] = number
                found.append(Scored(score.code, _valued(score, number), _band(score, number)))
    return found


def score_of(observation: JsonObject) -> int | Decimal | None:
    """The number that an Observation tells: of an integer, a quantity, or the answer to an item of an instrument."""
    if (value := observation.get("valueInteger")) is not None:
        return value
    if (value := observation.get("valueQuantity", {}).get("value")) is not None:
        return value
    for said in objects_at(observation, "code.coding"):
        item = coded_items().get((said.get("system", ""), said.get("code", "")))
        for given in objects_at(observation, "valueCodeableConcept.coding") if item else ():
            if item and (answer := item.taken(given)):
                return answer.points
    return None


def _scores(definition: JsonObject) -> Iterator[Score]:
    for extension in definition["extension"]:
        if extension["url"] == SCORE:
            said = _parts(extension)
            items, of = tuple(said.get("item", ())), tuple(said.get("of", ()))
            yield Score(
                code=said["code"][0],
                method=said["method"][0],
                items=items,
                of=of,
                fewest=said.get("fewest", [len(items) or len(of)])[0],
                factor=Decimal(str(said.get("factor", [1])[0])),
                bands=tuple((Decimal(str(one["from"][0])), one["text"][0]) for one in map(_parts, said.get("band", ()))),
                levels=tuple((one["value"][0], tuple(one.get("item", ()))) for one in map(_parts, said.get("level", ()))),
            )


def _parts(extension: JsonObject) -> dict[str, list[Any]]:
    """The values of the extensions in an extension, or these extensions themselves, by their names."""
    found: dict[str, list[Any]] = {}
    for part in extension["extension"]:
        value: Json = part if "extension" in part else next(value for name, value in part.items() if name.startswith("value"))
        found.setdefault(part["url"], []).append(value)
    return found


def _number(score: Score, points: Mapping[str, Decimal]) -> Decimal | None:
    given = [points[one] for one in score.items or score.of if one in points]
    if len(given) < score.fewest:
        return None
    total = sum(given, Decimal()) * score.factor
    return total if score.method == "sum" else total / len(given)


def _answered(score: Score, answers: Mapping[str, Answer]) -> Scored:
    answer = answers.get(score.items[0])
    return Scored(score.code, {"valueCodeableConcept": {"coding": [answer.option.coding]}} if answer and answer.option else None)


def _level(score: Score, points: Mapping[str, Decimal]) -> Scored:
    complete = all(item in points for item in score.items)
    for level, items in score.levels:
        if any(points.get(item) for item in items) or (not items and complete):
            return Scored(score.code, {"valueCodeableConcept": {"coding": [level]}})
    return Scored(score.code, None)


def _valued(score: Score, number: Decimal | None) -> JsonObject | None:
    if number is None:
        return None
    if score.method == "sum":
        return {"valueInteger": int(number)}
    return {"valueQuantity": {"value": number.quantize(HUNDREDTH), **SCORE_UNIT}}


def _band(score: Score, number: Decimal | None) -> str:
    return next((text for start, text in reversed(score.bands) if number is not None and number >= start), "")
