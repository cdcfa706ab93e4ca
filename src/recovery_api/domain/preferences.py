"""What a client wishes of who accompanies them, and whether somebody fits (domain.md 2.1, 7).

A wish is a preference Observation with a code as its value. The two that are about one person name them in `focus`; the client's
own word that somebody is welcome outweighs every other wish, and a boundary in the care plan.
"""
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from recovery_api.domain.codes import CANON, LOINC, SCT
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at, objects_at, references_at

PREFERENCE = f"{CANON}/CodeSystem/companion-preference"
CODES = ((LOINC, "95541-9"), (LOINC, "75773-2"))
"""Care experience preference, and goals and preferences of treatment."""
STANDING = frozenset({"final", "amended", "corrected"})
NOT_THIS_PERSON, THIS_PERSON = (PREFERENCE, "not-this-person"), (PREFERENCE, "welcomes-this-person")


class Person(NamedTuple):
    """A companion, as far as wishes are about them."""

    reference: str
    gender: str = ""
    languages: frozenset[str] = frozenset()


class Wish(NamedTuple):
    """A kind of wish: the sentence about it, and the genders of those whom it is against; '' is one that is not known."""

    says: str
    against: frozenset[str]


_WOMAN = Wish("The client prefers to be accompanied by a woman.", frozenset({"male", "other", "unknown", ""}))
WISHES: Mapping[tuple[str, str], Wish] = MappingProxyType(
    {
        (SCT, "314434008"): _WOMAN,
        (PREFERENCE, "female-companion"): _WOMAN,
        (PREFERENCE, "male-companion"): Wish(
            "The client prefers to be accompanied by a man.", frozenset({"female", "other", "unknown", ""})
        ),
        (PREFERENCE, "not-a-man"): Wish("The client prefers not to be accompanied by a man.", frozenset({"male", "unknown", ""})),
        (PREFERENCE, "not-a-woman"): Wish("The client prefers not to be accompanied by a woman.", frozenset({"female", "unknown", ""})),
    }
)
"""By the code that is an Observation's value."""


def conflicts(person: Person, wishes: Iterable[JsonObject], plans: Iterable[JsonObject]) -> Sequence[str]:
    """What the client's preference Observations and active care plans say against a person, a sentence each; nothing where they are
    welcome by the client's own word."""
    said: dict[str, None] = {}
    for wish in wishes:
        if wish["status"] not in STANDING:
            continue
        about, codes = set(references_at(wish, "focus")), _codes(wish)
        if THIS_PERSON in codes and person.reference in about and _by_the_client(wish):
            return ()
        if NOT_THIS_PERSON in codes and person.reference in about:
            said["The client prefers somebody else."] = None
        for code in codes:
            if code in WISHES and person.gender in WISHES[code].against:
                said[WISHES[code].says] = None
    for plan in plans:
        for detail in objects_at(plan, "activity.detail"):
            if detail.get("doNotPerform") is True and person.reference in references_at(detail, "performer"):
                said["A boundary in the care plan is about this person."] = None
    return tuple(said)


def speaks(person: Person, client: JsonObject) -> bool:
    """They share a language that the client speaks; where either says none, it is taken that they do."""
    wanted = {str(code).partition("-")[0] for code in at(client, "communication.language.coding.code")}
    return not wanted or not person.languages or bool(wanted & person.languages)


def person(practitioner: JsonObject) -> Person:
    """A Practitioner as a person."""
    spoken = (str(code).partition("-")[0] for code in at(practitioner, "communication.coding.code"))
    return Person(f"Practitioner/{practitioner['id']}", str(practitioner.get("gender", "")), frozenset(spoken))


def _codes(wish: JsonObject) -> set[tuple[str, str]]:
    return {(str(each.get("system")), str(each.get("code"))) for each in objects_at(wish, "valueCodeableConcept.coding")}


def _by_the_client(wish: JsonObject) -> bool:
    return bool(set(references_at(wish, "performer")) & set(references_at(wish, "subject")))
