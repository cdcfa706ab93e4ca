"""Clients who have each consented to something else: one whole record for every pattern of domain.md 3.3, and for what lies between them.

All are Leo's and Omar's, with Chen of Riverbend on the team, and an aunt. tests/contract/consent_table.md says what each lets be seen.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from recovery_api.demo.engagement import deny, period
from recovery_api.domain.codes import ACT, ICD, LOINC, PARTICIPATION, THO, coding, concept, local, ref
from recovery_api.fhir.json import JsonObject
from tests.world import Story

TYPES = "http://hl7.org/fhir/resource-types"
LONG_AGO, LATELY, MIDDLE = 70, 10, 40  # days before now: when things happened, and where what is limited in time is limited
MOOD, CRAVING = local("companion-observation", "mood"), local("companion-observation", "craving")
PROGRESS_NOTE, OPIOIDS = (LOINC, "11506-3"), (ICD, "F11.20")
COLLECT: JsonObject = {"action": [concept((THO + "consentaction", "collect"))]}
FOREIGN: JsonObject = {"class": [coding("urn:ietf:bcp:13", "application/hl7-cda+xml")]}


def of_types(*types: str) -> JsonObject:
    """What limits a provision to these resource types."""
    return {"class": [coding(TYPES, each) for each in types]}


def of_labels(*labels: str) -> JsonObject:
    return {"securityLabel": [coding(ACT, each) for each in labels]}


def of_codes(*codes: tuple[str, str] | tuple[str, str, str | None]) -> JsonObject:
    return {"code": [concept(each) for each in codes]}


def towards(*targets: str, role: str = "IRCP") -> JsonObject:
    return {"actor": [{"role": concept((PARTICIPATION, role)), "reference": ref(each)} for each in targets]}


def allow(*limits: JsonObject, but: Sequence[JsonObject] = ()) -> JsonObject:
    """A provision that permits, with its exceptions."""
    return _provision("permit", limits, but)


def refuse(*limits: JsonObject, but: Sequence[JsonObject] = ()) -> JsonObject:
    """A provision that denies, with its exceptions."""
    return _provision("deny", limits, but)


def _provision(kind: str, limits: Sequence[JsonObject], but: Sequence[JsonObject]) -> JsonObject:
    told: JsonObject = {"type": kind}
    for each in limits:
        told |= each
    return told | ({"provision": list(but)} if but else {})


def agreements(story: Story) -> Mapping[str, Sequence[dict[str, Any]]]:
    """By the client's id: what the client has signed, as Story.consent takes it."""
    since: JsonObject = {"dataPeriod": {"start": story.day(MIDDLE)}}
    until: JsonObject = {"dataPeriod": {"end": story.day(MIDDLE)}}
    over: JsonObject = {"period": period(story.day(90), story.day(1))}
    tpo: dict[str, Any] = {}
    dissent: dict[str, Any] = {"kind": "deny", "purpose": ()}
    family = [refuse(of_labels(each)) for each in ("PSY", "ETH", "SEX", "SDV")]
    but_conditions = allow(of_types("Condition"), but=[refuse(of_codes(OPIOIDS))])
    return {
        "nobody": [],
        "p1": [tpo],
        "p2": [{"purpose": ("TREAT",), "nested": [deny("ETH")]}],
        "p3": [{"actors": ["Practitioner/chen"], "limits": of_types("Encounter", "DocumentReference")}],
        "p4": [{"end": story.day(-30), "limits": since}],
        "p5": [{"actors": ["RelatedPerson/aunt-p5"], "purpose": (), "limits": of_types("CarePlan"), "nested": family}],
        "p6": [tpo, {"purpose": ("TREAT",), "limits": of_labels("PSYTHPN")}],
        "p7": [tpo, dissent],
        "p7-all": [tpo, dissent | {"actors": ()}],
        "p8": [{"purpose": ("HRESCH",)}],
        "expired": [{"end": story.day(1)}],
        "future": [{"start": story.day(-1)}],
        "revoked": [{"status": "inactive", "revoked": story.instant(days=1)}],
        "exceptions": [{"nested": [refuse(of_labels("ETH", "PSY"), but=[but_conditions])]}],
        "one-code": [{"limits": of_types("Observation") | of_codes(CRAVING)}],
        "one-label": [{"limits": of_labels("PSY")}],
        "recent": [{"nested": [refuse(until)]}],
        "lapsed-exception": [{"nested": [refuse(of_labels("ETH"), over)]}],
        "team": [{"actors": ["CareTeam/ct-team"]}],
        "colleague": [
            tpo,
            dissent
            | {
                "actors": ["Practitioner/leo"],
                "limits": of_types("DocumentReference", "Observation"),
                "nested": [allow(of_types("Observation"), of_codes(MOOD))],
            },
        ],
        "no-type": [
            {"kind": "", "limits": since, "nested": [allow(of_types("Encounter")), allow(of_types("Observation"), of_codes(MOOD))]}
        ],
        "raised": [{"nested": [deny("ETH"), deny("SEX"), deny("HIV")]}],
        "pointing": [
            {
                "actors": ["Organization/org-riverbend", "RelatedPerson/aunt-pointing"],
                "nested": [refuse(of_types("Condition", "RelatedPerson", "Goal"))],
            }
        ],
    }


def small_agreements(story: Story) -> Mapping[str, Sequence[dict[str, Any]]]:
    """The same for clients with a short record, of whom one thing is to be seen: that the consent opens, or that it does not."""
    custodian = towards("Organization/org-riverbend", role="CST")
    whole: JsonObject = {"data": [{"meaning": "instance", "reference": ref("Patient/ben")}]}
    return {
        "custodian": [{"actors": (), "limits": custodian}],
        "to-collect": [{"limits": COLLECT}],
        "of-data": [{"limits": whole}],
        "of-foreign-class": [{"limits": FOREIGN}],
        "but-foreign-class": [{"nested": [refuse(FOREIGN)]}],
        "but-data": [{"nested": [refuse(whole)]}],
        "but-to-collect": [{"nested": [refuse(COLLECT)]}],
        "restricted": [{"nested": [refuse({"securityLabel": [coding(THO + "v3-Confidentiality", "R")]})]}],
        "no-actor": [{"actors": ()}],
        "role-of-chen": [{"actors": ["PractitionerRole/chen"]}],
        "both-actors": [{"nested": [refuse(towards("Practitioner/chen"))]}],
        "of-elsewhere": [{"actors": ["Organization/org-harbor"], "nested": [allow(towards("Organization/org-riverbend"))]}],
    }


def consenting(story: Story) -> None:
    """All of these clients, and what they have signed."""
    for client, signed in agreements(story).items():
        record(story, client)
        _sign(story, client, signed)
    for client, signed in small_agreements(story).items():
        story.shared_client(f"with-{client}")
        _sign(story, f"with-{client}", signed)
    _raised(story)


def _sign(story: Story, client: str, signed: Sequence[dict[str, Any]]) -> None:
    for id, each in zip((f"c-{client}", f"c-{client}-also"), signed, strict=False):
        shape: dict[str, Any] = {"start": story.day(100)} | each
        story.consent(id, client, form=False, **shape)


def record(story: Story, id: str) -> None:
    """A client with a depression that is old and opioids that are new; what happened with each; a plan, and a note that is kept apart."""
    mind, opioids, since = f"cond-{id}-dep", f"cond-{id}-oud", story.day(180)
    long_ago, lately = story.instant(days=LONG_AGO), story.instant(days=LATELY)
    story.number += 1
    story.patient(id, ("Sam", id.title()), "other", "1990-01-01", story.number)
    story.condition(mind, id, "F33.1", story.day(LONG_AGO))
    story.condition(opioids, id, "F11.20", story.day(LATELY))
    story.care_team(id, ["leo", "omar", "chen"], since)
    story.episode(id, "omar", [mind, opioids], since)
    story.plan(id, "omar", [mind, opioids], "Walk with somebody I like", since, ["A walk a week"])
    story.session(f"e-{id}-dep", id, "leo", long_ago, reason=(mind, "F33.1"))
    story.session(f"e-{id}-oud", id, "leo", lately, reason=(opioids, "F11.20"))
    story.observation(f"o-{id}-old", id, "mood", 4, long_ago, "leo", encounter=f"e-{id}-dep")
    story.observation(f"o-{id}-mood", id, "mood", 6, lately, "leo", encounter=f"e-{id}-oud")
    story.observation(f"o-{id}-craving", id, "craving", 3, lately, "leo", encounter=f"e-{id}-oud")
    story.note(f"d-{id}-dep", id, "leo", long_ago, "A quiet week.", encounter=f"e-{id}-dep", signer="omar", labels=["PSY"])
    story.note(f"d-{id}-oud", id, "leo", lately, "A hard week.", encounter=f"e-{id}-oud", signer="omar", labels=["SUD", "ETH"])
    story.counseling_note(f"d-{id}-own", id, "omar")
    story.related(f"aunt-{id}", id, "AUNT")


def _raised(story: Story) -> None:
    """Things of one client that somebody found more sensitive than their codes tell."""
    for label in ("ETHUD", "SEX", "HIV", "EMP", "VIO", "PSYTHPN"):
        mood = story.observation(f"o-raised-{label.lower()}", "raised", "mood", 5, story.instant(days=LATELY), "leo")
        mood["meta"] = {"security": [coding(ACT, label)]}
    story.condition("cond-raised-worn", "raised", "F43.10", story.day(LATELY))["meta"] = {"security": [coding(ACT, "HIV")]}
    story.condition("cond-raised-apart", "raised", "F43.10", story.day(LATELY))["meta"] = {"security": [coding(ACT, "PSYTHPN")]}
    story.session("e-raised-worn", "raised", "leo", story.instant(days=3), reason=("cond-raised-worn", "F43.10"))
