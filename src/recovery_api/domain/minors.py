"""Who signs a consent of a minor (42 CFR 2.14): the minor, and below an age that the state sets, a parent or guardian too.

Who has signed stands in `Consent.performer`. To sign opens nothing: a parent reads what a Consent opens to them, as everybody else does.
"""
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple

from recovery_api.fhir.errors import Issue, Rule, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, references_at

ROLE_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
PARENTS: Final = (
    "PRN", "FTH", "MTH", "NPRN", "NFTH", "NMTH", "ADOPTP", "ADOPTF", "ADOPTM", "STPPRN", "STPFTH", "STPMTH", "PRNFOST", "GUARD",
)  # fmt: skip
"""The relationships of those who sign for a child."""
MINOR = Rule("consent-minor", Unprocessable, "A minor signs too: performer names them (42 CFR 2.14).")
PARENT = Rule(
    "consent-parent",
    Unprocessable,
    "A parent or guardian signs too: performer names a RelatedPerson of theirs who is one (42 CFR 2.14).",
)


class Ages(NamedTuple):
    """The state's rule, in years: from `majority` nobody is a minor; from `consent` a minor signs alone."""

    majority: int
    consent: int


def age(birth: str, day: date) -> int:
    """Full years on a day. A birth date without its day or month counts from its last: nobody is taken for older."""
    year, *rest = (int(part) for part in birth.split("-"))
    birthday = (*rest, *(12, 31)[len(rest) :])
    return day.year - year - ((day.month, day.day) < birthday)


def missing(consent: JsonObject, person: JsonObject, signers: Mapping[str, JsonObject], ages: Ages, day: date) -> Iterator[Issue]:
    """Whose signature a consent of a person lacks, on the day that it was signed. `signers` are the RelatedPersons among its performers."""
    birth = person.get("birthDate")
    years = age(birth, day) if isinstance(birth, str) else ages.majority
    if years >= ages.majority:
        return
    client = f"Patient/{person['id']}"
    if client not in set(references_at(consent, "performer")):
        yield MINOR.issue(at="Consent.performer")
    if years < ages.consent and not any(_is_parent(one, client) for one in signers.values()):
        yield PARENT.issue(at="Consent.performer")


def _is_parent(related: JsonObject, client: str) -> bool:
    theirs = client in set(references_at(related, "patient")) and related.get("active") is not False
    return theirs and any(has_coding(related, "relationship", ROLE_CODE, one) for one in PARENTS)
