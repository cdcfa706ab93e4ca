"""Builders that speak the domain, on top of the fixture world. `tests.wider.wide` has somebody for every rule of visibility."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from recovery_api.demo.engagement import deny, period
from recovery_api.demo.people import Member
from recovery_api.demo.sessions import World
from recovery_api.demo.timeline import T0
from recovery_api.demo.world import tell
from recovery_api.domain.codes import ACT, REASON, THO, coding, concept, local, ref, structure
from recovery_api.fhir.json import Json, JsonObject

__all__ = ["T0", "Story", "by_id"]

ROLE_CODE = THO + "v3-RoleCode"
RIVERBEND = "Organization/org-riverbend"


class Story(World):
    """The fixture world, and what a test tells of it."""

    def __init__(self, now: datetime = T0, *, blank: bool = False) -> None:
        super().__init__(now)
        self.number = 4400
        if not blank:
            tell(self)

    def instant(self, **before: float) -> str:
        """The instant so long before now (`days=`, `hours=`, …)."""
        return (self.now - timedelta(**before)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def day(self, before: int = 0) -> str:
        """The day so many days before now."""
        return (self.now - timedelta(days=before)).strftime("%Y-%m-%d")

    def find(self, target: str) -> JsonObject:
        """The resource `Type/id`; change it in place to change the world."""
        kind, _, id_ = target.partition("/")
        return next(each for each in self.resources if (each["resourceType"], each["id"]) == (kind, id_))

    def remove(self, target: str) -> JsonObject:
        found = self.find(target)
        self.resources.remove(found)
        return found

    # people ----------------------------------------------------------------------------------------------------------
    def companion(self, id: str, supervisor: str, supervised: JsonObject | None = None) -> JsonObject:
        return self.staff(id, Member(id.title(), "Comp", "companion", "org-cir", supervisor), supervised)

    def case_manager(self, id: str) -> JsonObject:
        """A case manager who is on no care team."""
        return self.staff(id, Member(id.title(), "Case", "case-manager", "org-cir"))

    def delegate(self, supervisor: str, to: str, during: JsonObject) -> None:
        """The supervisor delegates supervision for a Period."""
        link = [{"url": "delegate", "valueReference": ref(f"PractitionerRole/{to}")}, {"url": "period", "valuePeriod": during}]
        role = self.find(f"PractitionerRole/{supervisor}")
        role.setdefault("extension", []).append({"url": structure("supervision-delegate"), "extension": link})

    def participant(self, id: str, role: str, start: str, end: str | None = None, organization: str = "org-cir") -> JsonObject:
        """A member of a care team, for people who are not of the fixture too."""
        home = self.find(f"PractitionerRole/{id}")["code"][0]["coding"]
        return {
            "role": [{"coding": [each for each in home if each["system"].startswith("http://nucc")], "text": role}],
            "member": ref(f"Practitioner/{id}"),
            "onBehalfOf": ref(f"Organization/{organization}"),
            "period": period(start, end),
        }

    def client(self, id: str, members: Sequence[str | JsonObject], condition: str = "F33.1") -> None:
        """A Patient with a CareTeam, a Condition and an EpisodeOfCare, since half a year."""
        self.number += 1
        since = self.day(180)
        self.patient(id, (id.title(), "Sample"), "other", "1990-01-01", self.number)
        self.condition(f"cond-{id}", id, condition, since)
        self.care_team(id, members, since)
        self.episode(id, "ruth", [f"cond-{id}"], since)

    def shared_client(self, id: str) -> None:
        """A client of Leo's and Chen's with one session and its signed note."""
        self.client(id, ["leo", "omar", "chen"])
        self.session(f"e-{id}", id, "leo", self.instant(days=5))
        self.note(f"d-{id}", id, "leo", self.instant(days=5), "Signed notes.", encounter=f"e-{id}", signer="omar")

    def related(self, id: str, client: str, relationship: str, *, verified: bool = False) -> JsonObject:
        """A RelatedPerson; GUARD or HPOWATT, and verified, make a representative."""
        mark = [{"url": structure("verified-representative"), "valueBoolean": True}] if verified else None
        return self.add(
            {
                "resourceType": "RelatedPerson",
                "id": id,
                "extension": mark,
                "active": True,
                "patient": ref(f"Patient/{client}"),
                "relationship": [concept((ROLE_CODE, relationship))],
                "name": [{"text": id.replace("-", " ")}],
            }
        )

    # supervision -----------------------------------------------------------------------------------------------------
    def boundary_event(self, id: str, about: str, by: str) -> JsonObject:
        told: JsonObject = {"focus": [ref(f"Practitioner/{about}")], "valueString": "A gift was offered and declined."}
        return self.observation(id, None, "boundary-event", None, self.instant(days=3), by, more=told)

    def supervision_message(self, id: str, sender: str, recipient: str, reply_to: str | None = None) -> JsonObject:
        return self.add(
            {
                "resourceType": "Communication",
                "id": id,
                "inResponseTo": [ref(f"Communication/{reply_to}")] if reply_to else None,
                "status": "completed",
                "category": [concept(local("communication-category", "supervision"))],
                "sent": self.instant(days=2),
                "recipient": [ref(f"Practitioner/{recipient}")],
                "sender": ref(f"Practitioner/{sender}"),
                "payload": [{"contentString": "What we said in the check-in."}],
            }
        )

    def case_discussion(self, id: str, client: str, sender: str, recipients: Sequence[str]) -> JsonObject:
        return self.add(
            {
                "resourceType": "Communication",
                "id": id,
                "status": "completed",
                "category": [concept(local("communication-category", "case-discussion"))],
                "subject": ref(f"Patient/{client}"),
                "sent": self.instant(days=1),
                "recipient": [ref(each) for each in recipients],
                "sender": ref(sender),
                "payload": [{"contentString": "How we go on together."}],
            }
        )

    def counseling_note(self, id: str, client: str, by: str, *, signed: bool = True) -> JsonObject:
        """A counselling note, kept apart, signed by its own author or a draft."""
        return self.note(id, client, by, self.instant(days=9), "Kept apart.", signer=by if signed else None, kind="counseling-note")

    # consent ---------------------------------------------------------------------------------------------------------
    def consent_of(self, kind: str, client: str, actors: Sequence[str] = (RIVERBEND,)) -> JsonObject:
        """One of the kinds of CONSENTS towards the actors."""
        shape: dict[str, Json] = {"start": self.day(100), "actors": actors} | self._consents()[kind]
        return self.consent(f"c-{client}-{kind}", client, form=False, **shape)

    def _consents(self) -> Mapping[str, dict[str, Json]]:
        part_2 = {"system": ACT, "code": "42CFRPart2"}
        document = {"system": "http://hl7.org/fhir/resource-types", "code": "DocumentReference"}
        return {
            "plain": {},
            "any-purpose": {"purpose": ()},
            "last-day": {"end": self.day()},
            "nested": {"nested": [deny("ETH")]},
            "nested-permit": {"nested": [{"type": "permit", "purpose": [coding(REASON, "HPAYMT")]}]},
            "labelled": {"limits": {"securityLabel": [part_2]}},
            "by-class": {"limits": {"class": [document]}},
            "by-code": {"limits": {"code": [concept(("http://loinc.org", "11506-3"))]}},
            "by-data-period": {"limits": {"dataPeriod": {"start": self.day(50)}}},
            "dissent": {"kind": "deny"},
            "general-dissent": {"kind": "deny", "actors": (), "purpose": ()},
            "expired": {"end": self.day(1)},
            "ended": {"end": self.instant()},
            "future": {"start": self.day(-2)},
            "research": {"purpose": ("HRESCH",)},
            "draft": {"status": "draft"},
            "revoked": {"status": "inactive"},
        }


def by_id(resources: Sequence[JsonObject]) -> dict[tuple[str, str], JsonObject]:
    """The world as the oracle takes it."""
    return {(each["resourceType"], each["id"]): each for each in resources}
