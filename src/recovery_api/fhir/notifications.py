"""Notifications of the R5 backport for R4: Bundles of type history whose first entry is the status of a Subscription
(https://hl7.org/fhir/uv/subscriptions-backport/notifications.html)."""
from collections.abc import Sequence
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump

PROFILE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-"


class Told(NamedTuple):
    """One event. `stamp`: microseconds, UTC. `focus` ("Type/id") is '' where it must not be named, or is not asked for."""

    number: int
    stamp: int
    focus: str = ""
    created: bool = False


class About(NamedTuple):
    """The Subscription that a notification is of, as it is now: its id, status, topic, and how many events it has had."""

    base: str
    id: str
    status: str
    topic: str
    events: int


def notification(about: About, kind: str, told: Sequence[Told] = (), *, now: int) -> bytes:
    """The Bundle of a notification: handshake, heartbeat, event-notification or query-event.

    The same events have the same Bundle id however often they are sent. The topic is named where a resource may be named too.
    """
    first = told[0].number if told else f"{about.events}-{now}"
    name = uuid5(NAMESPACE_URL, f"{about.base}/Subscription/{about.id}#{kind}-{first}-{len(told)}")
    request = {"method": "GET", "url": f"{about.base}/Subscription/{about.id}/$status"}
    entries: list[JsonObject] = [
        {
            "fullUrl": f"urn:uuid:{uuid5(name, 'status')}",
            "resource": status(about, kind, told),
            "request": request,
            "response": {"status": "200"},
        }
    ]
    for each in told:
        if each.focus:
            how = {"method": "POST", "url": each.focus.partition("/")[0]} if each.created else {"method": "PUT", "url": each.focus}
            answer = {"status": "201" if each.created else "200"}
            entries.append({"fullUrl": f"{about.base}/{each.focus}", "request": how, "response": answer})
    return dump(
        {
            "resourceType": "Bundle",
            "id": str(name),
            "meta": {"profile": [f"{PROFILE}notification-r4"]},
            "type": "history",
            "timestamp": instant(now),
            "entry": entries,
        }
    )


def status(about: About, kind: str, told: Sequence[Told] = ()) -> JsonObject:
    """The Parameters that say how a Subscription stands, and what happened."""
    parameters: list[JsonObject] = [
        {"name": "subscription", "valueReference": {"reference": f"{about.base}/Subscription/{about.id}"}},
        *([{"name": "topic", "valueCanonical": about.topic}] if about.topic else []),
        {"name": "status", "valueCode": about.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(about.events)},
        *({"name": "notification-event", "part": _parts(about, each)} for each in told),
    ]
    name = uuid5(NAMESPACE_URL, f"{about.base}/Subscription/{about.id}/$status")
    return {"resourceType": "Parameters", "id": str(name), "meta": {"profile": [f"{PROFILE}status-r4"]}, "parameter": parameters}


def _parts(about: About, told: Told) -> list[JsonObject]:
    parts: list[JsonObject] = [
        {"name": "event-number", "valueString": str(told.number)},
        {"name": "timestamp", "valueInstant": instant(told.stamp)},
    ]
    return [*parts, {"name": "focus", "valueReference": {"reference": f"{about.base}/{told.focus}"}}] if told.focus else parts
