"""Who may see what, in words that a client understands: about people and choices, never about systems or faults."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from zoneinfo import ZoneInfo

from recovery_api.fhir import labels
from recovery_api.fhir.instants import moment
from recovery_api.store.records import NEVER, ConsentRule

RELATIONS: Mapping[str, str] = MappingProxyType(
    {
        "companion": "{} walks with the client as their companion.",
        "case-manager": "{} is the client's case manager.",
        "supervised": "{} supports a companion of the client as supervisor, or stands in for one.",
        "treatment-team": "{} treats the client as a member of the care team.",
        "treatment-organization": "{} is a place of treatment on the client's care team.",
        "representative": "{} speaks for the client, which was verified.",
        "emergency": "{} treats the client in an emergency, and may read for a short time.",
        "consent-permit": "The client has chosen to share something with {}.",
    }
)
"""What a relation to a client is, by its kind."""

NO_RELATION = "There is no connection to the client now: nothing of them is open."
NO_CONSENT = "The client has not chosen to share this, for this purpose, outside of the agency."
NO_ROLE = "This kind of information is no part of their work here."
NAMED = "Only what names them, like what they wrote, sent, received, or what rests on their permission, is open."
STATE = "What is still being written stays inside: it is open once it is finished and signed."
DENIED_IN_PERSON = "The client has asked that this person does not see it."
APART: Mapping[str, str] = MappingProxyType(
    {
        "EMP": "This is about somebody's work, and is kept apart from the client's record.",
        "PSYTHPN": "Notes of counseling are kept apart: only who wrote them, and whom the client chose for just these notes, read them.",
    }
)
CONSENT: Mapping[str, str] = MappingProxyType(
    {"permit": "The client has chosen to share this.", "deny": "The client has chosen to keep this to themselves."}
)

_TEAM: Mapping[str, str] = MappingProxyType(
    {
        "companion": "{} walks with you as your companion and sees what you do together, your plan and what helps you.",
        "case-manager": "{} is your case manager and sees your record, but not notes of counseling that others wrote.",
        "supervised": "{} supports your companion and sees your record, but not notes of counseling that others wrote.",
        "treatment-team": "{} treats you. They see only what you have chosen to share.",
        "treatment-organization": "{} treats you. The people there see only what you have chosen to share.",
        "representative": "{} may speak for you and sees what you see.",
        "emergency": "{} treats you in an emergency and may read your record for a short time.",
        "referral": "{} was asked to take care of your referral and sees what belongs to it.",
    }
)
_PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "TREAT": "your treatment",
        "HPAYMT": "payment",
        "HOPERAT": "running the health service",
        "CAREMGT": "coordinating your care",
        "HRESCH": "research",
        "HLEGAL": "legal matters",
        "FAMRQT": "a request of your family",
        "PATRQT": "your own request",
    }
)
_FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "ETH": "substance use and recovery",
        "PSY": "mental health",
        "BH": "behavioral health",
        "PSYTHPN": "notes of counseling",
        "SDV": "safety at home",
        "VIO": "violence that you lived through",
        "SEX": "sexual health",
        "HIV": "HIV",
        "STD": "sexually transmitted infections",
        "EMP": "work",
    }
)


def family_codes(bits: int) -> list[str]:
    """The codes of the families of sensitivity that labels are of."""
    return [code for code in _FAMILIES if labels.heads(bits) & labels.bit(code)]


def standing(kind: str, name: str) -> str:
    """What somebody with a name sees in a relation to the client who reads this."""
    return _TEAM[kind].format(name)


def shared(rule: ConsentRule, name: str, exceptions: Iterable[ConsentRule], zone: ZoneInfo) -> str:
    """What a permit shares with somebody with a name, and what not, to the client who reads this."""
    said = f"You chose to share {_what(rule)} with {name} for {_purposes(rule.purposes)}, {_during(rule, zone)}."
    except_for = list(dict.fromkeys(_what(one) + _whom(one) for one in exceptions))
    return f"{said} You keep to yourself: {_listed(except_for)}." if except_for else said


def kept(rule: ConsentRule, name: str, zone: ZoneInfo) -> str:
    """What a denial keeps from somebody with a name ('' for all outside), to the client who reads this."""
    return f"You chose to keep {_what(rule)} from {name or 'everybody outside of the agency'}, {_during(rule, zone)}."


def _what(rule: ConsentRule) -> str:
    said = _listed([_FAMILIES[code] for code in family_codes(rule.labels)])
    about = f"what is about {said}" if said else "what is in your record"
    kinds = f" ({', '.join(rule.classes)})" if rule.classes else ""
    chosen = f" of one chosen topic ({rule.code})" if rule.code else ""
    dated = " from a chosen time" if rule.data else ""
    return about + kinds + chosen + dated


def _whom(rule: ConsentRule) -> str:
    return f" when it is for {_purposes(rule.purposes)}" if rule.purposes else ""


def _purposes(codes: Sequence[str]) -> str:
    return _listed([_PURPOSES.get(code, code) for code in codes]) or "any purpose"


def _during(rule: ConsentRule, zone: ZoneInfo) -> str:
    starts = f"since {_moment(rule.starts, zone)}" if rule.starts > 0 else "from the start"
    return f"{starts} until {_moment(rule.ends, zone)}" if rule.ends < NEVER else f"{starts}, with no end set"


def _moment(stamp: int, zone: ZoneInfo) -> str:
    return f"{moment(stamp, zone):%Y-%m-%d %H:%M}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
