"""Cover: a case manager stands in for a colleague, for some days, and says why (domain.md 3.5)."""
from recovery_api.domain.codes import NUCC, SCT, concept, local, ref, structure
from recovery_api.fhir.errors import Rule, Unprocessable
from recovery_api.fhir.instants import DAY, instant
from recovery_api.fhir.json import JsonObject

COVER = structure("cover")
LONGEST = 7 * DAY
PLACE = "Parameters.parameter"
PERIOD = Rule("cover-period", Unprocessable, "A cover begins within the next 7 days and lasts 7 days at most.")


def is_cover(participant: JsonObject) -> bool:
    """Whether a participant of a care team is there to cover."""
    return any(each.get("url") == COVER for each in participant.get("extension", ()))


def check_period(starts: int, ends: int, now: int) -> None:
    """Raise Unprocessable for a time (microseconds, the end exclusive) that is over, begins too late or is longer than 7 days."""
    if not (starts < ends <= starts + LONGEST and starts <= now + LONGEST):
        raise PERIOD.broken(at=PLACE)


def period(starts: int, ends: int) -> JsonObject:
    """The Period of a cover."""
    return {"start": instant(starts), "end": instant(ends)}


def participant(who: str, organization: str, starts: int, ends: int) -> JsonObject:
    """The case manager who covers, as a participant of a care team."""
    return {
        "extension": [{"url": COVER, "valueBoolean": True}],
        "role": [concept((NUCC, "171M00000X", None), (SCT, "768832004", "Case manager"), text="cover")],
        "member": ref(who),
        "onBehalfOf": ref(organization),
        "period": period(starts, ends),
    }


def told(client: str, who: str, owner: str, reason: str, during: JsonObject, now: int) -> JsonObject:
    """The Task by which the client's case manager learns of the cover."""
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "priority": "routine",
        "code": concept(local("task-code", "cover-notice", "A colleague covers")),
        "for": ref(f"Patient/{client}"),
        "authoredOn": instant(now),
        "lastModified": instant(now),
        "requester": ref(who),
        "owner": ref(owner),
        "reasonCode": {"text": reason},
        "restriction": {"period": during},
    }
