"""What tests of referrals say: a clinic's transaction about somebody, moves, and what follows from them."""
from typing import Any

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, Response
from tests.callers import RUTH, SYS_LAKESIDE
from tests.http.resources import CANON, referral

REASONS = f"{CANON}/CodeSystem/referral-status-reason"


def status(value: str, **more: Any) -> list[JsonObject]:
    """A patch to a state, with elements that go with it."""
    return [{"op": "add", "path": f"/{name}", "value": said} for name, said in {"status": value, **more}.items()]


def reason(code: str, system: str = REASONS) -> JsonObject:
    return {"coding": [{"system": system, "code": code}]}


OUTPUT = [{"type": {"text": "summary"}, "valueString": "The engagement came to its planned end."}]
NEEDED: dict[str, JsonObject] = {
    "rejected": {"statusReason": reason("no-capacity")},
    "failed": {"statusReason": reason("lost-contact")},
    "completed": {"output": OUTPUT},
}
WAYS = {
    "requested": (),
    "accepted": ("accepted",),
    "in-progress": ("accepted", "in-progress"),
    "on-hold": ("accepted", "in-progress", "on-hold"),
    "rejected": ("rejected",),
    "cancelled": ("cancelled",),
    "completed": ("accepted", "in-progress", "completed"),
    "failed": ("accepted", "in-progress", "failed"),
}
"""How a case manager brings a referral into each state."""


def business(task: JsonObject) -> str:
    return task["businessStatus"]["coding"][0]["code"]


def locations(answer: Response) -> list[str]:
    """Type/id of what each entry of a transaction made or found, in the order that was sent."""
    return ["/".join(entry["response"]["location"].split("/fhir/")[-1].split("/")[:2]) for entry in answer.json["entry"]]


async def referred(client: Client, number: str, **person: Any) -> list[str]:
    """Patient, ServiceRequest and Task of a new referral."""
    said = referral(number)
    said["entry"][0]["resource"] |= person
    answer = await client.post("", said)
    assert answer.status == 200, answer.body
    return locations(answer)


async def moved(api: Api, number: str, state: str) -> tuple[str, str, str]:
    """A referral that Ruth has brought into a state."""
    person, order, task = await referred(api.as_(SYS_LAKESIDE), number)
    for step in WAYS[state]:
        answer = await api.as_(RUTH).patch(task, status(step, **NEEDED.get(step, {})))
        assert answer.status == 200, answer.body
    return person, order, task
