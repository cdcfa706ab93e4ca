
"""What happens in an engagement: sessions, observations, notes, tasks, referrals."""

import base64
import hashlib
from collections.abc import Sequence

from recovery_api.demo.codes import diagnosis
from recovery_api.demo.engagement import Engagement, period
from recovery_api.domain.codes import ACT, PARTICIPATION, SCT, THO, coding, concept, local, ref
from recovery_api.domain.session_notes import CLINICAL_NOTE, SESSION_NOTE
from recovery_api.fhir.json import Json, JsonObject

CLASSES = {"HH": "home health", "FLD": "field", "VR": "virtual", "AMB": "ambulatory"}
VERIFICATION = coding("urn:iso-astm:E1762-95:2013", "1.2.840.10065.1.12.1.5", "Verification Signature")


def _value(value: Json) -> JsonObject:
    for kind, member in ((bool, "valueBoolean"), (int, "valueInteger"), (dict, "valueCodeableConcept")):
        if isinstance(value, kind):
            return {member: value}
    return {}


class World(Engagement):
    """Tells what happened. Instants are as `Timeline.at` and `Timeline.later` give them."""

    def session(
        self,
        id: str,
        client: str,
        by: str,
        start: str,
        *,
        hours: float = 2,
        kind: str = "HH",
        reason: tuple[str, str] | None = None,
        status: str = "finished",
    ) -> JsonObject:
        """An Encounter of a companion; `reason` is the id of a Condition and its ICD-10-CM code."""
        end = self.later(start, hours=hours)
        history = [
            ("planned", self.later(start, days=-3), self.later(start, minutes=-10)),
            ("arrived", self.later(start, minutes=-10), start),
            ("in-progress", start, end),
        ]
        past = {"planned": history[:0], "in-progress": history[:2]}.get(status, history)
        return self.add(
            {
                "resourceType": "Encounter",
                "id": id,
                "status": status,
                "statusHistory": [{"status": each, "period": period(since, until)} for each, since, until in past],
                "class": coding(ACT, kind, CLASSES[kind]),
                "type": [concept(local("session-type", "companion-session", "Companion session"), text="Companion session")],
                "subject": ref(f"Patient/{client}"),
                "episodeOfCare": [ref(f"EpisodeOfCare/eoc-{client}")],
                "participant": [{"type": [concept((PARTICIPATION, "PPRF", "primary performer"))], "individual": ref(f"Practitioner/{by}")}],
                "period": None if status == "planned" else period(start, end if status == "finished" else None),
                "reasonCode": [diagnosis(reason[1])] if reason else None,
                "reasonReference": [ref(f"Condition/{reason[0]}")] if reason else None,
                "serviceProvider": ref("Organization/org-cir"),
            }
        )

    def observation(
        self,
        id: str,
        client: str | None,
        code: str,
        value: Json,
        when: str,
        by: str,
        *,
        encounter: str | None = None,
        status: str = "final",
        more: JsonObject | None = None,
    ) -> JsonObject:
        """What a companion observed: a local code with a boolean, an integer or a CodeableConcept."""
        return self.add(
            {
                "resourceType": "Observation",
                "id": id,
                "status": status,
                "category": [
                    concept(local("observation-category", "companion-session")),
                    concept((THO + "observation-category", "social-history")),
                ],
                "code": concept(local("companion-observation", code), text=code.replace("-", " ")),
                "subject": ref(f"Patient/{client}") if client else None,
                "encounter": ref(f"Encounter/{encounter}") if encounter else None,
                "effectiveDateTime": when,
                "performer": [ref(f"Practitioner/{by}")],
            }
            | _value(value)
            | (more or {})
        )

    def note(
        self,
        id: str,
        client: str,
        by: str,
        start: str,
        text: str,
        *,
        encounter: str | None = None,
        signer: str | None = None,
        labels: Sequence[str] = (),
        kind: str | None = None,
    ) -> JsonObject:
        """A note with its Binary and, where somebody else signed it, its co-sign Provenance.

        `labels` are the signer's classification; `kind` makes a note of another type than a session's.
        """
        binary, written, signed = "b-" + id.removeprefix("d-"), self.later(start, hours=2, minutes=20), self.later(start, hours=16)
        data = text.encode()
        self.add(
            {
                "resourceType": "Binary",
                "id": binary,
                "contentType": "text/plain",
                "securityContext": ref(f"DocumentReference/{id}"),
                "data": base64.b64encode(data).decode(),
            }
        )
        attachment = {
            "contentType": "text/plain",
            "url": f"Binary/{binary}",
            "size": len(data),
            "hash": base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(),
            "title": "Session note",
            "creation": written,
        }
        sessions = {"encounter": [ref(f"Encounter/{encounter}")]} if encounter else {}
        document = self.add(
            {
                "resourceType": "DocumentReference",
                "id": id,
                "status": "current",
                "docStatus": "final" if signer else "preliminary",
                "type": concept(*((local("note-type", kind),) if kind else SESSION_NOTE)),
                "category": [concept(CLINICAL_NOTE)],
                "subject": ref(f"Patient/{client}"),
                "date": written,
                "author": [ref(f"Practitioner/{by}")],
                "authenticator": ref(f"Practitioner/{signer}") if signer else None,
                "custodian": ref("Organization/org-cir"),
                "securityLabel": [concept((ACT, each)) for each in labels],
                "content": [{"attachment": attachment}],
                "context": sessions | {"period": period(start, self.later(start, hours=2))},
            }
        )
        if signer and signer != by:
            self.cosign(id, by, signer, signed, narrowed=bool(labels))
        return document

    def cosign(self, note: str, author: str, signer: str, signed: str, *, narrowed: bool = False) -> JsonObject:
        """The Provenance of a co-signature."""

        def agent(code: str, who: str) -> JsonObject:
            return {
                "type": concept((THO + "provenance-participant-type", code)),
                "who": ref(f"Practitioner/{who}"),
                "onBehalfOf": ref("Organization/org-cir"),
            }

        return self.add(
            {
                "resourceType": "Provenance",
                "id": f"prov-{note}",
                "target": [ref(f"DocumentReference/{note}/_history/1")],
                "recorded": signed,
                "reason": [concept(local("provenance-reason", "label-narrowed"))] if narrowed else None,
                "activity": concept((THO + "v3-DocumentCompletion", "LA", "legally authenticated")),
                "agent": [agent("author", author), agent("verifier", signer)],
                "signature": [{"type": [VERIFICATION], "when": signed, "who": ref(f"Practitioner/{signer}")}],
            }
        )

    def task(
        self,
        id: str,
        code: str,
        owner: str,
        requester: str,
        when: str,
        *,
        status: str = "completed",
        client: str | None = None,
        focus: str | None = None,
        due: str | None = None,
        priority: str = "routine",
        more: JsonObject | None = None,
    ) -> JsonObject:
        """An internal Task; `owner`, `requester` and `focus` are references."""
        return self.add(
            {
                "resourceType": "Task",
                "id": id,
                "status": status,
                "intent": "order",
                "priority": priority,
                "code": concept(local("task-code", code)),
                "focus": ref(focus) if focus else None,
                "for": ref(f"Patient/{client}") if client else None,
                "authoredOn": when,
                "lastModified": when,
                "requester": ref(requester),
                "owner": ref(owner),
                "restriction": {"period": {"end": due}} if due else None,
            }
            | (more or {})
        )

    def referral(self, number: str, clinic: str, copy: str, when: str, *, status: str, business: str, reason: str) -> JsonObject:
        """A clinic's ServiceRequest and its Task; `copy` is the clinic's own copy of the Patient: the link to it stays inside."""
        request = f"sr-{number}"
        self.add(
            {
                "resourceType": "ServiceRequest",
                "id": request,
                "identifier": [{"system": f"https://{clinic.removeprefix('org-')}.example/sr", "value": number.upper()}],
                "status": "active",
                "intent": "order",
                "priority": "routine",
                "code": concept((SCT, "461481000124109", "Referral to peer support")),
                "subject": ref(f"Patient/{copy}"),
                "authoredOn": when,
                "requester": ref(f"Organization/{clinic}"),
                "performer": [ref("Organization/org-cir")],
                "reasonCode": [diagnosis(reason)],
            }
        )
        return self.add(
            {
                "resourceType": "Task",
                "id": f"task-{number}",
                "status": status,
                "businessStatus": concept(local("referral-business-status", business)),
                "intent": "order",
                "priority": "routine",
                "code": concept(("http://hl7.org/fhir/CodeSystem/task-code", "fulfill", "Fulfill the focal request")),
                "focus": ref(f"ServiceRequest/{request}"),
                "for": ref(f"Patient/{copy}"),
                "authoredOn": when,
                "lastModified": self.later(when, days=2),
                "requester": ref(f"Organization/{clinic}"),
                "owner": ref("Organization/org-cir"),
            }
        )
