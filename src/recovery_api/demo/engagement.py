
"""What opens and frames an engagement: care team, diagnoses, episode of care, plans, consent."""

import base64
from collections.abc import Sequence

from recovery_api.demo.codes import diagnosis
from recovery_api.demo.people import ROLE_CODES, STAFF, People
from recovery_api.domain.codes import ACT, CANON, LOINC, PARTICIPATION, REASON, SCT, THO, coding, concept, local, ref, structure
from recovery_api.fhir.json import JsonObject

ASSESS_PLAN = ("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan")
STATEMENTS = ("right-to-revoke", "redisclosure", "refusal-consequence")
TREATMENT_PAYMENT_OPERATIONS = ("TREAT", "HPAYMT", "HOPERAT")
SAFETY_STEPS = (
    "Notice early signs: short sleep, skipped calls",
    "Breathe, name five things in the room",
    "Walk to the library or the park",
    "Call my sister",
    "Call my companion or my case manager; call or text 988",
    "Ask my sister to keep the medicine box",
)


def period(start: str, end: str | None = None) -> JsonObject:
    return {"start": start} | ({"end": end} if end else {})


class Engagement(People):
    """Tells what a client and the agency have agreed upon. Dates are as `Timeline.on` gives them."""

    def member(self, id: str, start: str, end: str | None = None, role: str | None = None, organization: str | None = None) -> JsonObject:
        """A participant of a care team, by default in the usual role and for the home organization."""
        usual = STAFF[id]
        role = role or usual.role
        return {
            "role": [concept(*ROLE_CODES[role], text=role.replace("-", " "))],
            "member": ref(f"Practitioner/{id}"),
            "onBehalfOf": ref(f"Organization/{organization or usual.organization}"),
            "period": period(start, end),
        }

    def care_team(self, client: str, members: Sequence[str | JsonObject], start: str, status: str = "active") -> JsonObject:
        return self.add(
            {
                "resourceType": "CareTeam",
                "id": f"ct-{client}",
                "status": status,
                "name": f"Care team ct-{client}",
                "subject": ref(f"Patient/{client}"),
                "period": {"start": start},
                "participant": [self.member(each, start) if isinstance(each, str) else each for each in members],
                "managingOrganization": [ref("Organization/org-cir")],
            }
        )

    def condition(self, id: str, client: str, code: str, recorded: str) -> JsonObject:
        return self.add(
            {
                "resourceType": "Condition",
                "id": id,
                "clinicalStatus": concept((THO + "condition-clinical", "remission" if code == "F10.21" else "active")),
                "verificationStatus": concept((THO + "condition-ver-status", "confirmed")),
                "category": [concept((THO + "condition-category", "problem-list-item"))],
                "code": diagnosis(code),
                "subject": ref(f"Patient/{client}"),
                "onsetDateTime": recorded,
                "recordedDate": recorded,
            }
        )

    def episode(self, client: str, manager: str, conditions: Sequence[str], start: str, referral: str | None = None) -> JsonObject:
        return self.add(
            {
                "resourceType": "EpisodeOfCare",
                "id": f"eoc-{client}",
                "status": "active",
                "statusHistory": [{"status": "planned", "period": {"start": start, "end": start}}],
                "type": [concept(local("episode-type", "recovery-companionship"))],
                "diagnosis": [{"condition": ref(f"Condition/{each}"), "rank": rank} for rank, each in enumerate(conditions, 1)],
                "patient": ref(f"Patient/{client}"),
                "managingOrganization": ref("Organization/org-cir"),
                "period": {"start": start},
                "referralRequest": [ref(f"ServiceRequest/{referral}")] if referral else None,
                "careManager": ref(f"Practitioner/{manager}"),
                "team": [ref(f"CareTeam/ct-{client}")],
            }
        )

    def plan(self, client: str, author: str, conditions: Sequence[str], goal: str, start: str, steps: Sequence[str]) -> JsonObject:
        """A Goal in the client's own words, at the client's pace, and the CarePlan towards it, which is returned."""
        pace = [
            {"url": "pace", "valueCode": "steady"},
            {"url": "setBy", "valueReference": ref(f"Patient/{client}")},
            {"url": "date", "valueDate": start},
        ]
        self.add(
            {
                "resourceType": "Goal",
                "id": f"g-{client}-1",
                "extension": [{"url": structure("client-pace"), "extension": pace}],
                "lifecycleStatus": "active",
                "achievementStatus": concept((THO + "goal-achievement", "in-progress", "In Progress")),
                "description": {"text": goal},
                "subject": ref(f"Patient/{client}"),
                "startDate": start,
                "expressedBy": ref(f"Patient/{client}"),
            }
        )
        return self.add(
            {
                "resourceType": "CarePlan",
                "id": f"cp-{client}",
                "status": "active",
                "intent": "plan",
                "category": [concept(ASSESS_PLAN)],
                "title": "Recovery plan",
                "subject": ref(f"Patient/{client}"),
                "period": {"start": start},
                "created": start,
                "author": ref(f"Practitioner/{author}"),
                "careTeam": [ref(f"CareTeam/ct-{client}")],
                "addresses": [ref(f"Condition/{each}") for each in conditions],
                "goal": [ref(f"Goal/g-{client}-1")],
                "activity": [{"detail": {"status": "in-progress", "doNotPerform": False, "description": each}} for each in steps],
            }
        )

    def safety_plan(self, client: str, author: str, start: str) -> JsonObject:
        return self.add(
            {
                "resourceType": "CarePlan",
                "id": f"cp-{client}-safety",
                "status": "active",
                "intent": "plan",
                "category": [concept(ASSESS_PLAN), concept((SCT, "736253002", "Mental health crisis plan"))],
                "title": "Safety plan",
                "subject": ref(f"Patient/{client}"),
                "period": {"start": start},
                "created": start,
                "author": ref(f"Practitioner/{author}"),
                "careTeam": [ref(f"CareTeam/ct-{client}")],
                "activity": [{"detail": {"status": "in-progress", "description": each}} for each in SAFETY_STEPS],
            }
        )

    def consent_form(self, consent: str, client: str, signed: str) -> JsonObject:
        text = f"Signed consent form {consent}."
        return self.add(
            {
                "resourceType": "DocumentReference",
                "id": f"form-{consent[2:]}",
                "status": "current",
                "type": concept((LOINC, "59284-0", "Consent Document")),
                "category": [concept(local("document-category", "consent-form"))],
                "subject": ref(f"Patient/{client}"),
                "date": signed,
                "custodian": ref("Organization/org-cir"),
                "content": [{"attachment": {"contentType": "text/plain", "data": base64.b64encode(text.encode()).decode()}}],
            }
        )

    def consent(
        self,
        id: str,
        client: str,
        start: str,
        *,
        actors: Sequence[str] = ("Organization/org-riverbend",),
        status: str = "active",
        purpose: Sequence[str] = TREATMENT_PAYMENT_OPERATIONS,
        kind: str = "permit",
        nested: Sequence[JsonObject] = (),
        end: str | None = None,
        form: bool = True,
        revoked: str | None = None,
        limits: JsonObject | None = None,
    ) -> JsonObject:
        """A Consent (by default pattern P1 of domain.md 3.3) and its signed form. `limits` are further members of the provision."""
        signed = f"{start}T15:00:00Z"
        if form:
            self.consent_form(id, client, signed)
        provision: JsonObject = {
            "type": kind,
            "period": period(start, end),
            "actor": [{"role": concept((PARTICIPATION, "IRCP", "information recipient")), "reference": ref(each)} for each in actors],
            "purpose": [coding(REASON, each) for each in purpose],
        } | (limits or {})
        if nested:
            provision["provision"] = list(nested)
        provision = {name: value for name, value in provision.items() if value}
        extension: list[JsonObject] = [{"url": structure("consent-statement"), "valueCode": each} for each in STATEMENTS]
        extension.append({"url": structure("consent-information"), "valueString": "All information that the agency holds about me"})
        if not end:
            extension.append({"url": structure("consent-expiry"), "valueCode": "none"})
        if revoked:
            extension.append({"url": structure("consent-revoked"), "valueDateTime": revoked})
        return self.add(
            {
                "resourceType": "Consent",
                "id": id,
                "extension": extension,
                "status": status,
                "scope": concept((THO + "consentscope", "patient-privacy", "Privacy Consent")),
                "category": [concept((LOINC, "59284-0", "Consent Document")), concept((ACT, "42CFRPart2CD"))],
                "patient": ref(f"Patient/{client}"),
                "dateTime": signed,
                "performer": [ref(f"Patient/{client}")],
                "organization": [ref("Organization/org-cir")],
                "sourceReference": ref(f"DocumentReference/form-{id[2:]}") if form else None,
                "policy": [{"uri": "https://www.ecfr.gov/current/title-42/part-2"}],
                "verification": [{"verified": True, "verificationDate": f"{start}T15:10:00Z"}],
                "provision": provision,
            }
        )

    def group(self, id: str, organization: str, members: Sequence[str]) -> JsonObject:
        return self.add(
            {
                "resourceType": "Group",
                "id": id,
                "identifier": [{"system": f"{CANON}/NamingSystem/recipient-group", "value": id}],
                "active": True,
                "type": "person",
                "actual": True,
                "name": f"Clients who share with {organization}",
                "managingEntity": ref(f"Organization/{organization}"),
                "member": [{"entity": ref(f"Patient/{each}")} for each in members],
            }
        )


def deny(label: str) -> JsonObject:
    """A nested provision that denies one label of v3-ActCode."""
    return {"type": "deny", "securityLabel": [coding(ACT, label)]}
