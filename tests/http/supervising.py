"""What the tests of supervision send: check-ins, what came of them, case discussions, boundary events."""
from typing import Any

from recovery_api.fhir.json import JsonObject
from tests.http.resources import local

ROLE = "PractitionerRole/maya"


def ref(target: str) -> JsonObject:
    return {"reference": target}


def task(code: str, owner: str = "Practitioner/ruth", **more: Any) -> JsonObject:
    said: JsonObject = {"resourceType": "Task", "status": "requested", "intent": "order"}
    said |= {"code": local("task-code", code), "owner": ref(owner)}
    return {name: value for name, value in (said | more).items() if value is not None}


def check_in(**more: Any) -> JsonObject:
    about: dict[str, Any] = {"focus": ref(ROLE)}
    return task("supervision-check-in", **(about | more))


def case_discussion(**more: Any) -> JsonObject:
    about: dict[str, Any] = {"for": ref("Patient/ana")}
    return task("case-discussion", **(about | more))


def message(category: str, sender: str = "Practitioner/ruth", *recipients: str, **more: Any) -> JsonObject:
    return {
        "resourceType": "Communication",
        "status": "completed",
        "category": [local("communication-category", category)],
        "sender": ref(sender),
        "recipient": [ref(each) for each in recipients],
        "payload": [{"contentString": "What we said."}],
    } | more


def outcome(of: str, **more: Any) -> JsonObject:
    """What came of a check-in: `of` is the reference of its Task."""
    return message("supervision", "Practitioner/ruth", "Practitioner/maya", basedOn=[ref(of)], sent="2026-11-10T11:30:00Z", **more)


def boundary_event(about: str = "Practitioner/maya", by: str = "Practitioner/ruth", **more: Any) -> JsonObject:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": local("companion-observation", "boundary-event"),
        "focus": [ref(about)],
        "performer": [ref(by)],
        "effectiveDateTime": "2026-11-10T11:00:00Z",
        "valueString": "A gift was offered and declined.",
    } | more


def status(value: str, **more: Any) -> list[JsonObject]:
    """A JSON Patch."""
    return [{"op": "replace", "path": "/status", "value": value}] + [
        {"op": "add", "path": f"/{name}", "value": each} for name, each in more.items()
    ]
