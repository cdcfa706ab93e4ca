"""Consent: its life cycle, what it must say before it opens anything, and how it ends (domain.md 3.1, 3.3)."""
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import NamedTuple

from recovery_api.domain.codes import CANON
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.fhir.errors import Rule, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at

THO = "http://terminology.hl7.org/CodeSystem"
STATEMENT, INFORMATION, EXPIRY, REVOKED = (
    f"{CANON}/StructureDefinition/{name}" for name in ("consent-statement", "consent-information", "consent-expiry", "consent-revoked")
)
TREATMENT_PAYMENT_OPERATIONS = frozenset({"TREAT", "HPAYMT", "HOPERAT"})

DECIDED = frozenset({"active", "rejected", "inactive"})
"""The states by which somebody decides on a Consent."""

COMPLETE = Rule("consent-complete", Unprocessable, "A Consent that permits something must be complete: {} ({}).")
CONSENT = LifeCycle(
    name="consent",
    what="A Consent",
    at="Consent.status",
    starts=frozenset({"draft", "proposed", "active", "rejected"}),
    moves=MappingProxyType(
        {
            "draft": frozenset({"proposed", "active", "rejected", "entered-in-error"}),
            "proposed": frozenset({"draft", "active", "rejected", "entered-in-error"}),
            "active": frozenset({"inactive", "entered-in-error"}),
            "rejected": frozenset({"entered-in-error"}),
            "inactive": frozenset({"entered-in-error"}),
            "entered-in-error": frozenset[str](),
        }
    ),
)


class Element(NamedTuple):
    """What a consent to disclose must hold, where, by which rule, and whether it does."""

    says: str
    at: str
    source: str
    there: Callable[[JsonObject], bool]


def check_complete(consent: JsonObject) -> None:
    """Raise Unprocessable with all that an active Consent which permits something lacks (42 CFR 2.31(a), 45 CFR 164.508(c))."""
    if is_open(consent):
        missing = [element for element in ELEMENTS if not element.there(consent)]
        if missing:
            raise Unprocessable(*(COMPLETE.issue(one.says, one.source, at=one.at) for one in missing))


def is_open(consent: JsonObject) -> bool:
    """Whether the Consent is active and permits something."""
    return consent.get("status") == "active" and any(each.get("type") == "permit" for each in _provisions(consent.get("provision", {})))


def is_decided(before: JsonObject | None, after: JsonObject) -> bool:
    """Whether the change gives, refuses or revokes a Consent."""
    return after.get("status") in DECIDED and (before is None or before.get("status") != after["status"])


def is_revoked(before: JsonObject | None, after: JsonObject) -> bool:
    """Whether the change ends a Consent that was active."""
    return before is not None and before.get("status") == "active" and after.get("status") == "inactive"


def with_revocation(consent: JsonObject, moment: str) -> JsonObject:
    """The Consent with the instant of its revocation, the server's own word."""
    kept = [each for each in consent.get("extension", ()) if each.get("url") != REVOKED]
    return {**consent, "extension": [*kept, {"url": REVOKED, "valueDateTime": moment}]}


def revocation(consent: str, who: str, moment: str) -> JsonObject:
    """The Provenance of a revocation: `consent` is the reference of the version that ended it, `who` of the caller."""
    revise = {"system": f"{THO}/v3-DataOperation", "code": "UPDATE", "display": "revise"}
    author = {"system": f"{THO}/provenance-participant-type", "code": "author"}
    agent = {"reference": who} if "/" in who else {"display": who}
    return {
        "resourceType": "Provenance",
        "target": [{"reference": consent}],
        "recorded": moment,
        "activity": {"coding": [revise]},
        "agent": [{"type": {"coding": [author]}, "who": agent}],
    }


def _provisions(provision: JsonObject) -> Iterator[JsonObject]:
    yield provision
    for nested in provision.get("provision", ()):
        yield from _provisions(nested)


def _extended(consent: JsonObject, url: str) -> list[JsonObject]:
    return [each for each in consent.get("extension", ()) if each.get("url") == url]


def _states(code: str) -> Callable[[JsonObject], bool]:
    return lambda consent: any(each.get("valueCode") == code for each in _extended(consent, STATEMENT))


def _informs(consent: JsonObject) -> bool:
    return any(each.get("valueString") for each in _extended(consent, INFORMATION))


def _names(path: str) -> Callable[[JsonObject], bool]:
    """Some provision has a value at the path."""
    return lambda consent: any(at(each, path) for each in _provisions(consent.get("provision", {})))


def _has(*paths: str) -> Callable[[JsonObject], bool]:
    return lambda consent: any(at(consent, path) for path in paths)


def _expires(consent: JsonObject) -> bool:
    """By a date; "none" is enough for treatment, payment and health care operations (42 CFR 2.31(a)(7))."""
    if at(consent, "provision.period.end"):
        return True
    purposes = {each.get("code") for provision in _provisions(consent["provision"]) for each in provision.get("purpose", ())}
    endless = any(each.get("valueCode") == "none" for each in _extended(consent, EXPIRY))
    return endless and bool(purposes) and purposes <= TREATMENT_PAYMENT_OPERATIONS


ELEMENTS = (
    Element("it names the client", "Consent.patient", "42 CFR 2.31(a)(1)", _has("patient.reference")),
    Element("it names who may disclose", "Consent.organization", "42 CFR 2.31(a)(2)", _has("organization")),
    Element(
        "it says in words what may be disclosed: the extension consent-information",
        "Consent.extension",
        "42 CFR 2.31(a)(3)",
        _informs,
    ),
    Element("it names who receives", "Consent.provision.actor", "42 CFR 2.31(a)(4)", _names("actor.reference.reference")),
    Element("it says for what purpose", "Consent.provision.purpose", "42 CFR 2.31(a)(5)", _names("purpose.code")),
    Element(
        "it states the right to revoke: the extension consent-statement right-to-revoke",
        "Consent.extension",
        "42 CFR 2.31(a)(6)",
        _states("right-to-revoke"),
    ),
    Element(
        "it says when it ends: provision.period.end, or the extension consent-expiry 'none' for treatment, payment and operations",
        "Consent.provision.period.end",
        "42 CFR 2.31(a)(7)",
        _expires,
    ),
    Element(
        "it is signed: sourceReference or sourceAttachment",
        "Consent.source",
        "42 CFR 2.31(a)(8)",
        _has("sourceReference", "sourceAttachment"),
    ),
    Element("it names who signed", "Consent.performer", "42 CFR 2.31(a)(8)", _has("performer.reference")),
    Element("it is dated", "Consent.dateTime", "42 CFR 2.31(a)(9)", _has("dateTime")),
    Element(
        "it says that what is received may be disclosed again: the extension consent-statement redisclosure",
        "Consent.extension",
        "42 CFR 2.31(a)(10)",
        _states("redisclosure"),
    ),
    Element(
        "it says what follows from a refusal: the extension consent-statement refusal-consequence",
        "Consent.extension",
        "42 CFR 2.31(a)(10)",
        _states("refusal-consequence"),
    ),
)
