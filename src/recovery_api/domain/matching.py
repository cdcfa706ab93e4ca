"""Whether two Patients are the same person: probabilistic record linkage (Fellegi and Sunter 1969; docs/explanation/matching.md).

Each field that both have is compared to one of three levels. A level's weight is log2(m/u): m is how often it is found where two records
are of one person, u where they are not. The weights add up, from the odds of any pair, to the odds of this pair, in bits.
"""
import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from jellyfish import damerau_levenshtein_distance, jaro_winkler_similarity

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at, objects_at
from recovery_api.fhir.search.escapes import escaped

ANY_PAIR: Final = -13.0
"""Bits: the odds that a person who is referred is this one of ours, before anything is compared."""
SSN: Final = "http://hl7.org/fhir/sid/us-ssn"
NEAR, SHORTEST, PHONE_DIGITS = 0.9, 3, 10


class Level(IntEnum):
    DIFFERENT = 0
    CLOSE = 1
    SAME = 2


class Field(NamedTuple):
    """What is compared: its values in a Patient, when two are close, and m and u of DIFFERENT, CLOSE and SAME.

    Of a `contradicting` field a difference rules out that the match is certain: twins share all but a name.
    """

    values: Callable[[JsonObject], set[str]]
    is_close: Callable[[str, str], bool]
    m: tuple[float, float, float]
    u: tuple[float, float, float]
    contradicting: bool = False

    def level(self, one: JsonObject, other: JsonObject) -> Level | None:
        """The best level of any two values; None where one of the Patients has none."""
        left, right = self.values(one), self.values(other)
        if not left or not right:
            return None
        if left & right:
            return Level.SAME
        return Level.CLOSE if any(self.is_close(a, b) for a in left for b in right) else Level.DIFFERENT

    def weight(self, level: Level) -> float:
        """Bits for or against the two being one person."""
        return math.log2(self.m[level] / self.u[level])


class Match(NamedTuple):
    """How alike two Patients are. `grade` is of HL7's match-grade (certain, probable, possible, certainly-not)."""

    bits: float
    grade: str

    @property
    def score(self) -> float:
        """The probability that they are one person, by these weights."""
        return 1 / (1 + 2**-self.bits)


def match(one: JsonObject, other: JsonObject) -> Match:
    """Compare two Patients."""
    levels = {name: level for name, field in FIELDS.items() if (level := field.level(one, other)) is not None}
    bits = ANY_PAIR + sum(FIELDS[name].weight(level) for name, level in levels.items())
    contradicted = any(level is Level.DIFFERENT and FIELDS[name].contradicting for name, level in levels.items())
    grade = next((grade for grade, least in GRADES if bits >= least), "certainly-not")
    return Match(bits, "probable" if grade == "certain" and contradicted else grade)


def blocks(person: JsonObject) -> Iterator[list[tuple[str, str]]]:
    """The searches whose findings are worth a comparison: whoever shares nothing of these is not the same person by any weights."""
    if birth := person.get("birthDate"):
        yield [("birthdate", str(birth))]
    for name in objects_at(person, "name"):
        given = next((each for each in at(name, "given") if isinstance(each, str)), None)
        if given and isinstance(family := name.get("family"), str):
            yield [("family", escaped(family)), ("given", escaped(given[:SHORTEST]))]
    for contact in objects_at(person, "telecom"):
        if contact.get("system") in {"phone", "email"} and contact.get("value"):
            yield [(contact["system"], escaped(contact["value"]))]
    for identifier in objects_at(person, "identifier"):
        if identifier.get("system") and identifier.get("value"):
            yield [("identifier", f"{escaped(identifier['system'])}|{escaped(identifier['value'])}")]


# The values of the fields, and when two are close ---------------------------------------------------------------------


def _plain(text: str) -> str:
    """Letters and digits alone, without marks and case."""
    return "".join(each for each in unicodedata.normalize("NFKD", text).casefold() if each.isalnum())


def _texts(path: str) -> Callable[[JsonObject], set[str]]:
    return lambda person: {plain for text in at(person, path) if isinstance(text, str) and (plain := _plain(text))}


def _birth_dates(person: JsonObject) -> set[str]:
    return {date for date in at(person, "birthDate") if isinstance(date, str)}


def _first_names(person: JsonObject) -> set[str]:
    firsts = (next(iter(at(name, "given")), None) for name in objects_at(person, "name"))
    return {plain for first in firsts if isinstance(first, str) and (plain := _plain(first))}


def _contacts(system: str) -> Callable[[JsonObject], set[str]]:
    def values(person: JsonObject) -> set[str]:
        said = [str(one.get("value", "")) for one in objects_at(person, "telecom") if one.get("system") == system]
        kept = [one.casefold() if system == "email" else re.sub(r"\D", "", one)[-PHONE_DIGITS:] for one in said]
        return {one for one in kept if one}

    return values


def _addresses(person: JsonObject) -> set[str]:
    """Postal code and first line of each address."""
    said = ((one.get("postalCode"), next(iter(at(one, "line")), None)) for one in objects_at(person, "address"))
    return {f"{postal[:5]} {_plain(line)}" for postal, line in said if isinstance(postal, str) and isinstance(line, str)}


def _social_security(person: JsonObject) -> set[str]:
    said = (str(one.get("value", "")) for one in objects_at(person, "identifier") if one.get("system") == SSN)
    return {digits for one in said if (digits := re.sub(r"\D", "", one))}


def _near(one: str, other: str) -> bool:
    return jaro_winkler_similarity(one, other) >= NEAR


def _same_beginning(one: str, other: str) -> bool:
    """Close, or one is short for the other."""
    short, long = sorted((one, other), key=len)
    return _near(one, other) or (len(short) >= SHORTEST and long.startswith(short))


def _one_slip(one: str, other: str) -> bool:
    """One digit is another, missing, or has changed places with its neighbour."""
    return damerau_levenshtein_distance(one, other) <= 1


def _near_date(one: str, other: str) -> bool:
    """A slip, day and month exchanged, or one is the beginning of the other."""
    (year, *rest), (year2, *rest2) = one.split("-"), other.split("-")
    return one.startswith(other) or other.startswith(one) or _one_slip(one, other) or (year == year2 and rest == rest2[::-1])


def _same_postal_code(one: str, other: str) -> bool:
    return one.partition(" ")[0] == other.partition(" ")[0]


def _never(one: str, other: str) -> bool:
    del one, other
    return False


FIELDS: Final = {
    "family": Field(_texts("name.family"), _near, (0.04, 0.06, 0.9), (0.997, 0.002, 0.001), contradicting=True),
    "given": Field(_first_names, _same_beginning, (0.05, 0.1, 0.85), (0.985, 0.01, 0.005), contradicting=True),
    "birthDate": Field(_birth_dates, _near_date, (0.02, 0.03, 0.95), (0.995, 0.0049, 0.0001), contradicting=True),
    "gender": Field(_texts("gender"), _never, (0.02, 1, 0.98), (0.5, 1, 0.5)),
    "phone": Field(_contacts("phone"), _never, (0.3, 1, 0.7), (0.9995, 1, 0.0005)),
    "email": Field(_contacts("email"), _never, (0.4, 1, 0.6), (0.9999, 1, 0.0001)),
    "address": Field(_addresses, _same_postal_code, (0.2, 0.2, 0.6), (0.9795, 0.02, 0.0005)),
    "socialSecurity": Field(_social_security, _one_slip, (0.01, 0.02, 0.97), (0.9998, 0.0001, 0.0001), contradicting=True),
}
GRADES: Final = (("certain", 22.0), ("probable", 10.0), ("possible", 0.0))
"""Bits from which a pair has a grade; below all of them it is certainly-not."""
