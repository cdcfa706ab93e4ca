"""From a Consent to the rules that queries test (domain.md 3.3; https://hl7.org/fhir/R4/consent.html, 42 CFR 2.31, 2.33).

A provision applies where all of its conditions and those of the provisions around it hold. A permit that applies opens; a deny that
applies closes, unless a permit directly in it, its exception, applies too. What can't be judged here (a class or label that is not known,
single data) makes a permit open nothing and sets a deny no bound.
"""
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from recovery_api.fhir import labels
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import objects_at, references_at
from recovery_api.policy.periods import Interval, interval, within
from recovery_api.store.records import ALWAYS, NEVER, ConsentRule

RECIPIENTS = frozenset({"IRCP", "PRCP"})
"""Roles of v3-ParticipationType in which an actor receives information."""
DISCLOSES = frozenset({"access", "disclose"})
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
CONFIDENTIALITY = labels.bit("R") | labels.bit("V")
EVERY_LABEL = -1


class _Conditions(NamedTuple):
    actors: tuple[str, ...] = ()
    actors_within: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    coding: tuple[str, str] = ("", "")
    labels: int = 0
    labels_within: int = EVERY_LABEL
    data: Interval | None = None
    during: Interval = (ALWAYS, NEVER)


class _Impossible(Exception):
    """No resource and no caller meets these conditions, or nobody can tell."""


def consent_rules(consent: JsonObject, zone: ZoneInfo) -> tuple[ConsentRule, ...]:
    """The rules that a Consent states; none while it is not active. `zone` is the agency's: what a date means."""
    client = next((one.removeprefix("Patient/") for one in references_at(consent, "patient") if one.startswith("Patient/")), "")
    provision = consent.get("provision")
    if consent.get("status") != "active" or not provision or not client:
        return ()
    everywhere = [_Conditions()]
    found = _rules(provision, "0", "", everywhere, everywhere, zone)
    return tuple(rule._replace(consent=consent["id"], client=client) for rule in found)


def _rules(
    provision: JsonObject, path: str, parent: str, permitting: list[_Conditions], denying: list[_Conditions], zone: ZoneInfo
) -> Iterator[ConsentRule]:
    """The rules of a provision and of those in it, under the conditions around it: for permits, and for denies."""
    permitting = _narrowed(permitting, provision, zone, certain=True)
    denying = _narrowed(denying, provision, zone, certain=False)
    effect = provision.get("type", "")
    for one in {"permit": permitting, "deny": denying}.get(effect, ()):
        if effect == "deny" or one.actors:
            yield _rule(one, effect, path, parent)
    for number, nested in enumerate(provision.get("provision", ())):
        yield from _rules(nested, f"{path}.{number}", path, permitting, denying, zone)


def _rule(one: _Conditions, effect: str, path: str, parent: str) -> ConsentRule:
    names_label = one.labels_within != EVERY_LABEL
    return ConsentRule(
        consent="",
        path=path,
        parent=parent,
        client="",
        effect=effect,
        actors=one.actors,
        actors_within=one.actors_within,
        purposes=one.purposes,
        classes=one.classes,
        system=one.coding[0],
        code=one.coding[1],
        labels=one.labels,
        labels_within=~labels.APART if effect == "permit" and not names_label else one.labels_within,
        data=one.data,
        starts=one.during[0],
        ends=one.during[1],
    )


def _narrowed(around: list[_Conditions], provision: JsonObject, zone: ZoneInfo, *, certain: bool) -> list[_Conditions]:
    """What must hold for the provision, alternatives apart: one for each coding and each label.

    `certain`: as a permit needs it, only what is sure to hold; else as a deny needs it, all that may hold.
    """
    found: list[_Conditions] = []
    for one in around:
        try:
            narrowed = _plain(one, provision, zone, certain=certain)
            codings = _codings(one, provision, certain=certain)
            found += [
                narrowed._replace(coding=coding, labels=one.labels | required, labels_within=one.labels_within & allowed)
                for coding in codings
                for required, allowed in _labels(provision, certain=certain)
            ]
        except _Impossible:
            continue
    return found


def _plain(around: _Conditions, provision: JsonObject, zone: ZoneInfo, *, certain: bool) -> _Conditions:
    if certain and provision.get("data"):
        raise _Impossible
    actions = {coding.get("code") for coding in objects_at(provision, "action.coding")}
    if actions and not actions & DISCLOSES:
        raise _Impossible
    actors, actors_within = _actors(around, provision, certain=certain)
    data = around.data
    if "dataPeriod" in provision:
        starts, ends = interval(provision["dataPeriod"], zone)
        bounds = starts if "start" in provision["dataPeriod"] else -NEVER, ends
        data = within(data, bounds) if data else bounds
    return around._replace(
        actors=actors,
        actors_within=actors_within,
        purposes=_both(around.purposes, [each.get("code", "") for each in provision.get("purpose", ())]),
        classes=_both(around.classes, _classes(provision, certain=certain)),
        data=data,
        during=within(around.during, interval(provision.get("period"), zone)),
    )


def _both(around: tuple[str, ...], named: list[str]) -> tuple[str, ...]:
    """What is in both lists, of which an empty one sets no condition. Raises _Impossible where nothing is."""
    if not named or not around:
        return tuple(dict.fromkeys(named)) or around
    found = tuple(each for each in dict.fromkeys(named) if each in around)
    if not found:
        raise _Impossible
    return found


def _actors(around: _Conditions, provision: JsonObject, *, certain: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    named = [actor for actor in provision.get("actor", ()) if not certain or _receives(actor)]
    actors = tuple(dict.fromkeys(reference for actor in named for reference in references_at(actor, "reference")))
    if provision.get("actor") and not actors:
        if certain:
            raise _Impossible
        return around.actors, around.actors_within
    if not actors or not around.actors or set(actors) <= set(around.actors):
        return actors or around.actors, around.actors_within
    if certain and (around.actors_within or not _plain_names(around.actors)):
        raise _Impossible
    return actors, around.actors_within or (around.actors if _plain_names(around.actors) else ())


def _plain_names(actors: Iterable[str]) -> bool:
    """All are people and organizations: who is on a team or in a role is judged for the innermost actors only."""
    return not any(actor.startswith(("CareTeam/", "PractitionerRole/")) for actor in actors)


def _receives(actor: JsonObject) -> bool:
    roles = [coding.get("code") for coding in objects_at(actor, "role.coding")]
    return not roles or any(role in RECIPIENTS for role in roles)


def _classes(provision: JsonObject, *, certain: bool) -> list[str]:
    said = provision.get("class", ())
    known = [each["code"] for each in said if each.get("system") == RESOURCE_TYPES and "code" in each]
    if len(known) < len(said) and not certain:
        return []
    if said and not known:
        raise _Impossible
    return known


def _codings(around: _Conditions, provision: JsonObject, *, certain: bool) -> list[tuple[str, str]]:
    found = [(coding.get("system", ""), coding["code"]) for coding in objects_at(provision, "code.coding") if "code" in coding]
    if not provision.get("code"):
        return [around.coding]
    if not found or (certain and around.coding != ("", "") and around.coding not in found):
        if certain:
            raise _Impossible
        return [around.coding]
    return [around.coding] if around.coding in found else list(dict.fromkeys(found))


def _labels(provision: JsonObject, *, certain: bool) -> Iterable[tuple[int, int]]:
    """The labels that a resource must have, and those that it may have beside them, alternatives apart."""
    said = provision.get("securityLabel", ())
    if not said:
        return [(0, EVERY_LABEL)]
    known = [(label["code"], labels.heads(bits) or bits) for label in said if (bits := labels.mask_of([label]))]
    if not certain:
        return [_denied(code, head) for code, head in known] if len(known) == len(said) else [(0, EVERY_LABEL)]
    named = CONFIDENTIALITY
    for _, head in known:
        named |= head & labels.SENSITIVE
    return [_permitted(code, head, named) for code, head in known if code != "EMP"]


def _denied(code: str, head: int) -> tuple[int, int]:
    return (0, ~CONFIDENTIALITY) if code == "N" else (head, EVERY_LABEL)


def _permitted(code: str, head: int, named: int) -> tuple[int, int]:
    if code == "N":
        return 0, 0
    if code == "PSYTHPN":
        return head, ~labels.bit("EMP")
    return head, named & ~labels.APART
