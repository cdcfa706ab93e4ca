"""What a client's sessions show over time: triggers, the responses that followed, and what helped (domain.md 2.1, 7).

Only codes are counted, never words: what has no code counts as `other`.
"""
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from recovery_api.domain.codes import CANON
from recovery_api.fhir.instants import moment
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at, objects_at
from recovery_api.fhir.search.dates import implicit_range

OBSERVATION = f"{CANON}/CodeSystem/companion-observation"
COMPONENT = f"{CANON}/CodeSystem/companion-observation-component"
TRIGGER, RESPONSE, GROUNDING = "trigger", "trauma-response", "grounding-used"
NONE, OTHER = "none", "other"
EFFECTIVE = ("effectiveDateTime", "effectivePeriod.start", "effectiveInstant")
DAYS: Mapping[str, int] = MappingProxyType({"day": 1, "week": 7})
"""How long a bucket is. A week begins on a Monday."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was recorded from the day `first` to the day `last`, both inclusive."""

    first: date
    last: date
    triggers: Counter[str] = field(default_factory=Counter[str])
    responses: Counter[str] = field(default_factory=Counter[str])
    helped: Counter[str] = field(default_factory=Counter[str])


class Pattern(NamedTuple):
    """How often a trigger was followed by a response (NONE: by none), what helped then, and the median of minutes until it was over."""

    trigger: str
    response: str
    times: int
    helped: Counter[str]
    minutes: float | None


class Timeline(NamedTuple):
    """Buckets in the order of time, from the first that holds something to the last; patterns, the most frequent first."""

    buckets: Sequence[Bucket]
    patterns: Sequence[Pattern]


class _Seen(NamedTuple):
    what: str
    kind: str
    when: datetime
    session: str
    told: JsonObject


def timeline(observations: Iterable[JsonObject], days: int, zone: ZoneInfo) -> Timeline:
    """The timeline of session Observations, in buckets of so many days of the agency's zone."""
    seen = sorted((one for each in observations if (one := _seen(each, zone))), key=lambda one: one.when)
    return Timeline(_buckets(seen, days), _patterns(seen))


def happened(observation: JsonObject, zone: ZoneInfo) -> datetime | None:
    """When an Observation begins to be true, in the zone; None where it does not say."""
    said = next((value for path in EFFECTIVE for value in at(observation, path)), None)
    return moment(implicit_range(str(said), zone).low, zone) if said else None


def _seen(observation: JsonObject, zone: ZoneInfo) -> _Seen | None:
    what = _code(observation, "code", OBSERVATION)
    when = happened(observation, zone)
    if what not in {TRIGGER, RESPONSE, GROUNDING} or when is None:
        return None
    session = next((str(each) for each in at(observation, "encounter.reference")), "")
    return _Seen(what, _code(observation, "valueCodeableConcept"), when, session, observation)


def _buckets(seen: Sequence[_Seen], days: int) -> Sequence[Bucket]:
    if not seen:
        return ()
    first = seen[0].when.date()
    first -= timedelta(days=first.weekday() if days == DAYS["week"] else 0)
    count = (seen[-1].when.date() - first).days // days + 1
    buckets = [Bucket(first + timedelta(days=days * place), first + timedelta(days=days * (place + 1) - 1)) for place in range(count)]
    for one in seen:
        bucket = buckets[(one.when.date() - first).days // days]
        match one.what:
            case "trigger":
                bucket.triggers[one.kind] += 1
            case "trauma-response":
                bucket.responses[one.kind] += 1
                bucket.helped.update(_helped(one))
            case _:
                bucket.helped.update(_helped(one))
    return buckets


@dataclass(slots=True)
class _Counted:
    times: int = 0
    helped: Counter[str] = field(default_factory=Counter[str])
    minutes: list[float] = field(default_factory=list[float])


def _patterns(seen: Sequence[_Seen]) -> Sequence[Pattern]:
    """Each response with its trigger: the one that it names, else the last of the same session before it."""
    waiting: dict[str, list[_Seen]] = {}
    grounded: dict[str, list[str]] = {}
    found: dict[tuple[str, str], _Counted] = {}
    for one in seen:
        if one.what == GROUNDING:
            grounded.setdefault(one.session, []).extend(_helped(one))
    for one in seen:
        if one.what == TRIGGER:
            waiting.setdefault(one.session, []).append(one)
        elif one.what == RESPONSE:
            cause = _cause(one, waiting.get(one.session, []))
            counted = found.setdefault((cause, one.kind), _Counted())
            counted.times += 1
            counted.helped.update({*_helped(one), *grounded.get(one.session, ())})
            counted.minutes += _minutes(one.told)
    for left in (one for triggers in waiting.values() for one in triggers):
        found.setdefault((left.kind, NONE), _Counted()).times += 1
    patterns = [
        Pattern(*key, counted.times, counted.helped, median(counted.minutes) if counted.minutes else None)
        for key, counted in found.items()
    ]
    return sorted(patterns, key=lambda one: (-one.times, one.trigger, one.response))


def _cause(response: _Seen, waiting: list[_Seen]) -> str:
    """The kind of the trigger that a response followed, which then waits for no other."""
    named = _component(response.told, "preceding-trigger")
    fitting = [one for one in waiting if named in ("", one.kind)]
    if not fitting:
        return named or OTHER
    waiting.remove(fitting[-1])
    return fitting[-1].kind


def _helped(one: _Seen) -> list[str]:
    """What a companion did in a response, or the grounding that was used, unless it is said that it did not help."""
    if any(said is False for each in _components(one.told, "helped") for said in at(each, "valueBoolean")):
        return []
    if one.what == GROUNDING:
        return [one.kind]
    return [_code(each, "valueCodeableConcept") for each in _components(one.told, "companion-response")]


def _minutes(observation: JsonObject) -> list[float]:
    said = [
        value
        for each in _components(observation, "recovery-minutes")
        for value in (*at(each, "valueInteger"), *at(each, "valueQuantity.value"))
    ]
    return [float(str(value)) for value in said]


def _components(observation: JsonObject, code: str) -> list[JsonObject]:
    return [each for each in objects_at(observation, "component") if _code(each, "code", COMPONENT) == code]


def _component(observation: JsonObject, code: str) -> str:
    return next((_code(each, "valueCodeableConcept") for each in _components(observation, code)), "")


def _code(holder: JsonObject, path: str, system: str = "") -> str:
    """The first code at the path, of the system where one is given."""
    codings = objects_at(holder, f"{path}.coding")
    return next((str(each["code"]) for each in codings if "code" in each and system in ("", each.get("system"))), OTHER)
