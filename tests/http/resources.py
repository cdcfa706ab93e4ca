"""Resources that callers send, as small as they can be."""
from typing import Any

from recovery_api.fhir.json import JsonObject

CANON = "https://recovery-api.example.org/fhir"


def concept(system: str, code: str) -> JsonObject:
    return {"coding": [{"system": system, "code": code}]}


def local(system: str, code: str) -> JsonObject:
    return concept(f"{CANON}/CodeSystem/{system}", code)


def session(client: str = "ana", by: str = "maya", status: str = "planned", **more: Any) -> JsonObject:
    return {
        "resourceType": "Encounter",
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HH"},
        "type": [local("session-type", "companion-session")],
        "subject": {"reference": f"Patient/{client}"},
        "participant": [{"individual": {"reference": f"Practitioner/{by}"}}],
    } | more


def observation(code: str = "mood", value: int = 5, client: str = "ana", by: str = "maya", **more: Any) -> JsonObject:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [local("observation-category", "companion-session")],
        "code": local("companion-observation", code),
        "subject": {"reference": f"Patient/{client}"},
        "performer": [{"reference": f"Practitioner/{by}"}],
        "effectiveDateTime": "2026-11-10T11:00:00Z",
        "valueInteger": value,
    } | more


def note(client: str = "ana", by: str = "maya", url: str = "https://elsewhere.example/note", **more: Any) -> JsonObject:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "docStatus": "preliminary",
        "type": local("note-type", "companion-session-note"),
        "subject": {"reference": f"Patient/{client}"},
        "author": [{"reference": f"Practitioner/{by}"}],
        "content": [{"attachment": {"contentType": "text/plain", "url": url}}],
    } | more


def patient(family: str = "Gray", **more: Any) -> JsonObject:
    return {"resourceType": "Patient", "name": [{"family": family, "given": ["Flo"]}], "birthDate": "1990-04-02"} | more


def care_team(subject: str, manager: str = "ruth", organization: str = "org-cir") -> JsonObject:
    member = {
        "role": [concept("http://nucc.org/provider-taxonomy", "171M00000X")],
        "member": {"reference": f"Practitioner/{manager}"},
        "onBehalfOf": {"reference": f"Organization/{organization}"},
        "period": {"start": "2026-11-01"},
    }
    return {"resourceType": "CareTeam", "status": "active", "subject": {"reference": subject}, "participant": [member]}


def bundle(kind: str, *entries: JsonObject) -> JsonObject:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def post(resource: JsonObject, url: str = "", full_url: str = "", **request: Any) -> JsonObject:
    said: JsonObject = {"resource": resource, "request": {"method": "POST", "url": url or resource["resourceType"], **request}}
    return {"fullUrl": full_url, **said} if full_url else said


def referral(number: str = "LS-881", status: str = "requested") -> JsonObject:
    """The transaction that a clinic posts (domain.md 9)."""
    who, order, task = (f"urn:uuid:00000000-0000-4000-8000-{n:012}" for n in (1, 2, 3))
    return bundle(
        "transaction",
        post(patient(), full_url=who),
        post(
            {
                "resourceType": "ServiceRequest",
                "identifier": [{"system": "https://lakeside.example/sr", "value": number}],
                "status": "active",
                "intent": "order",
                "code": concept("http://snomed.info/sct", "461481000124109"),
                "subject": {"reference": who},
                "requester": {"reference": "Organization/org-lakeside"},
            },
            full_url=order,
            ifNoneExist=f"identifier=https://lakeside.example/sr|{number}",
        ),
        post(
            {
                "resourceType": "Task",
                "status": status,
                "intent": "order",
                "code": concept("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"),
                "focus": {"reference": order},
                "for": {"reference": who},
                "requester": {"reference": "Organization/org-lakeside"},
                "owner": {"reference": "Organization/org-cir"},
            },
            full_url=task,
        ),
    )
