"""A week in the demo world, as its people live it through the API: what the server makes of it (Tasks, scores, deadlines) is its own."""
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta

from recovery_api.demo.sessions import SESSION_NOTE
from recovery_api.domain.codes import ACT, CANON, LOINC, PARTICIPATION, SCT, coding, concept, local, ref
from recovery_api.fhir.json import JsonObject
from recovery_api.identity.actor import Actor
from recovery_api.interactions.care.supervision_check_ins import plan_all
from recovery_api.interactions.context import FhirRequest, Server
from recovery_api.interactions.pipeline import perform

SESSION, MOOD, TRIGGER, RESPONSE, NOTE, TEXT = (f"urn:uuid:00000000-0000-4000-8000-{place:012}" for place in range(1, 7))
WORDS = "Ana picked the long way round the market. A siren brought a freeze; she asked for quiet, and walked on after ten minutes."
PHQ_9 = ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8")
SOME_DAYS = "LA6569-3"


async def live(server: Server, who: Callable[[str], Awaitable[Actor]], now: datetime) -> None:
    """Live the week that ends now. `who` gives the actor behind a name of the demo's sign-ins."""
    for name, interaction, body in _acts(now):
        type = None if interaction == "batch" else body["resourceType"]
        await perform(server, FhirRequest(interaction=interaction, actor=await who(name), type=type, body=body))
    await plan_all(server)


def _acts(now: datetime) -> Iterator[tuple[str, str, JsonObject]]:
    """Who does what, in their order: Maya tells of a session, asks how Ana has been, Ruth plans the next one, Lakeside refers Flo."""
    yield "maya", "batch", _session(now - timedelta(days=1))
    yield "maya", "create", _answers(now)
    yield "ruth", "create", _appointment(now + timedelta(days=1))
    yield "sys-lakeside", "batch", _referral()


def _session(end: datetime) -> JsonObject:
    start = end - timedelta(hours=1)
    here: JsonObject = {"subject": ref("Patient/ana"), "encounter": ref(SESSION), "performer": [ref("Practitioner/maya")]}

    def observed(code: str, **value: object) -> JsonObject:
        told = {"status": "final", "category": [concept(local("observation-category", "companion-session"))], **here}
        return {"resourceType": "Observation", "code": concept(local("companion-observation", code)), **told, **_at(start), **value}

    held = {"type": [concept((PARTICIPATION, "PPRF"))], "individual": ref("Practitioner/maya")}
    session = {
        "resourceType": "Encounter",
        "status": "finished",
        "class": coding(ACT, "FLD"),
        "type": [concept(local("session-type", "companion-session"))],
        "subject": ref("Patient/ana"),
        "participant": [held],
        "period": {"start": _instant(start), "end": _instant(end)},
    }
    note = {
        "resourceType": "DocumentReference",
        "status": "current",
        "docStatus": "preliminary",
        "type": concept(*SESSION_NOTE),
        "category": [concept(("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note"))],
        "subject": ref("Patient/ana"),
        "date": _instant(end),
        "author": [ref("Practitioner/maya")],
        "content": [{"attachment": {"contentType": "text/plain", "url": TEXT}}],
        "context": {"encounter": [ref(SESSION)]},
    }
    return _transaction(
        (SESSION, session),
        (MOOD, observed("mood", valueInteger=4)),
        (TRIGGER, observed("trigger", valueCodeableConcept=concept(local("trigger", "sensory")))),
        (RESPONSE, observed("trauma-response", valueCodeableConcept=concept(local("trauma-response", "freeze")))),
        (NOTE, note),
        (TEXT, {"resourceType": "Binary", "contentType": "text/plain", "securityContext": ref(NOTE), "data": _base64(WORDS)}),
    )


def _answers(now: datetime) -> JsonObject:
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{CANON}/Questionnaire/phq-9",
        "status": "completed",
        "subject": ref("Patient/ana"),
        "author": ref("Practitioner/maya"),
        "authored": _instant(now),
        "item": [{"linkId": link, "answer": [{"valueCoding": coding(LOINC, SOME_DAYS)}]} for link in PHQ_9],
    }


def _appointment(start: datetime) -> JsonObject:
    there = [{"actor": ref(who), "status": "accepted"} for who in ("Patient/ana", "Practitioner/maya")]
    times = {"start": _instant(start), "end": _instant(start + timedelta(hours=1))}
    return {"resourceType": "Appointment", "status": "booked", **times, "participant": there}


def _referral() -> JsonObject:
    person, order = SESSION, MOOD
    patient = {"resourceType": "Patient", "name": [{"family": "Gray", "given": ["Flo"]}], "birthDate": "1990-04-02"}
    wish: JsonObject = {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": "https://lakeside.example/sr", "value": "LS-612"}],
        "status": "active",
        "intent": "order",
        "code": concept((SCT, "461481000124109", "Referral to peer support")),
        "subject": ref(person),
        "requester": ref("Organization/org-lakeside"),
    }
    task: JsonObject = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": concept(("http://hl7.org/fhir/CodeSystem/task-code", "fulfill")),
        "focus": ref(order),
        "for": ref(person),
        "requester": ref("Organization/org-lakeside"),
        "owner": ref("Organization/org-cir"),
    }
    return _transaction((person, patient), (order, wish), (TRIGGER, task))


def _transaction(*resources: tuple[str, JsonObject]) -> JsonObject:
    entries = [{"fullUrl": urn, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for urn, one in resources]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _at(moment: datetime) -> JsonObject:
    return {"effectiveDateTime": _instant(moment)}


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _base64(words: str) -> str:
    return b64encode(words.encode()).decode()
