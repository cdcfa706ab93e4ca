"""What a companion records: a session with what was observed and a note, at each of its states."""
from typing import Any

from recovery_api.domain.codes import PARTICIPATION
from recovery_api.domain.sessions import CANCELLED
from recovery_api.fhir.json import JsonObject
from tests.api import Client, Response
from tests.http.resources import CANON, bundle, concept, local, note, observation, post, session

URN = "urn:uuid:00000000-0000-4000-8000-{:012}"


def moved(status: str, *more: JsonObject) -> list[JsonObject]:
    """The JSON Patch that takes a resource to a status."""
    return [{"op": "replace", "path": "/status", "value": status}, *more]


def called_off(reason: str = "client-declined") -> list[JsonObject]:
    """The JSON Patch that cancels a session."""
    why = {"url": CANCELLED, "valueCodeableConcept": local("session-cancellation", reason)}
    return moved("cancelled", {"op": "add", "path": "/extension", "value": [why]})


def held(by: str, code: str = "PPRF") -> JsonObject:
    """A participant of a session."""
    return {"type": [concept(PARTICIPATION, code)], "individual": {"reference": f"Practitioner/{by}"}}


async def made(client: Client, resource: JsonObject) -> str:
    """Type/id of what the client creates."""
    answer = await client.post(resource["resourceType"], resource)
    assert answer.status == 201, answer.body
    return f"{resource['resourceType']}/{answer.json['id']}"


async def begun(companion: Client, client: str = "ana", by: str = "maya") -> str:
    """A session that goes on."""
    encounter = await made(companion, session(client, by))
    for status in ("arrived", "in-progress"):
        answer = await companion.patch(encounter, moved(status))
        assert answer.status == 200, answer.body
    return encounter


async def finished(companion: Client, client: str = "ana", by: str = "maya") -> str:
    """A session that is over, with a mood and a draft of a note."""
    encounter = await begun(companion, client, by)
    here: dict[str, Any] = {"encounter": {"reference": encounter}}
    await made(companion, observation(client=client, by=by, **here))
    await made(companion, note(client, by, context={"encounter": [{"reference": encounter}]}))
    answer = await companion.patch(encounter, moved("finished"))
    assert answer.status == 200, answer.body
    return encounter


def late(number: str, client: str = "ana", by: str = "maya", **more: Any) -> JsonObject:
    """The transaction of a phone that was offline: a session that is over, what was observed, and a draft of its note."""
    begins, ends = "2026-11-10T09:00:00Z", "2026-11-10T10:30:00Z"
    past = [
        {"status": "planned", "period": {"start": "2026-11-09T18:00:00Z", "end": "2026-11-10T08:50:00Z"}},
        {"status": "arrived", "period": {"start": "2026-11-10T08:50:00Z", "end": begins}},
        {"status": "in-progress", "period": {"start": begins, "end": ends}},
    ]
    told = {"status": "finished", "statusHistory": past, "period": {"start": begins, "end": ends}} | more

    def own(name: str) -> JsonObject:
        return {"identifier": [{"system": "https://phone.example/maya", "value": f"{number}-{name}"}]}

    def once(resource: JsonObject, name: str, urn: int) -> JsonObject:
        criteria = f"identifier=https://phone.example/maya|{number}-{name}"
        return post(resource | own(name), full_url=URN.format(urn), ifNoneExist=criteria)

    here: dict[str, Any] = {"encounter": {"reference": URN.format(1)}}
    return bundle(
        "transaction",
        once(session(client, by, **told), "session", 1),
        once(observation(client=client, by=by, **here, effectiveDateTime="2026-11-10T10:00:00Z"), "mood", 2),
        once(note(client, by, context={"encounter": [here["encounter"]]}), "note", 3),
    )


def locations(answer: Response) -> list[str]:
    """Type/id of what each entry of a transaction made or found, in the order that was sent."""
    assert answer.status == 200, answer.body
    return ["/".join(entry["response"]["location"].split("/fhir/")[-1].split("/")[:2]) for entry in answer.json["entry"]]


def labels(resource: JsonObject) -> set[str]:
    """The codes of a resource's security labels."""
    return {each["code"] for each in resource["meta"].get("security", ())}


def tasks_of(code: str) -> str:
    """The search for internal Tasks of a code."""
    return f"Task?code={CANON}/CodeSystem/task-code|{code}"


async def versions(client: Client, path: str) -> list[JsonObject]:
    """All versions of a resource, as its history tells them."""
    answer = await client.get(f"{path}/_history")
    assert answer.status == 200, answer.body
    return [entry["resource"] for entry in answer.json["entry"]]
