"""Patient/{id}/$break-glass: emergency access for medical personnel (42 CFR 2.51; domain.md 3.5)."""

from recovery_api.domain.codes import CANON
from recovery_api.domain.emergency import review_due
from recovery_api.fhir.errors import Forbidden, NotFound
from recovery_api.fhir.instants import SECOND, instant, moment
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.audited import asked_by
from recovery_api.interactions.context import FhirResult, Server
from recovery_api.interactions.make import make
from recovery_api.operations.frame import Operating
from recovery_api.policy.audit import emergency, encoded
from recovery_api.store.emergency import EmergencyAccess, open_access

REVIEW = {"system": f"{CANON}/CodeSystem/task-code", "code": "emergency-review", "display": "Review an emergency access"}


async def break_glass(operating: Operating) -> FhirResult:
    """Open one client's record to the caller, to read, until the time that the answer says.

    Raises Forbidden for whoever is not medical personnel, before the Patient is looked up; NotFound where there is no such Patient.
    """
    server, request, actor = operating.server, operating.request, operating.request.actor
    if not actor.medical_personnel:
        raise Forbidden("Emergency access is for medical personnel.")
    async with server.store.writer(server.grants.system) as writer:
        if await writer.read("Patient", request.id or "") is None:
            raise NotFound
        given, now = operating.given(), server.clock()
        access = EmergencyAccess(
            id=server.new_id(),
            holder=actor.holder,
            client=request.id or "",
            organization=actor.organization or "",
            purpose=given.one("purposeOfUse"),
            reason=given.one("reason"),
            nature=given.one("emergencyNature"),
            facility=given.one("recipientFacility"),
            starts=now,
            ends=now + server.emergency_access_ttl * SECOND,
        )
        await open_access(writer, access)
        task = await make(server, writer, _review(server, access))
        facts = emergency(actor, asked_by(request), patient=access.client, data=[f"Task/{task['id']}/_history/1"])
        records = await server.audit.keep(writer, [encoded(facts)])
    await server.audit.link(records)
    return operating.answer(accessId=access.id, expires=instant(access.ends))._replace(recorded=True)


def _review(server: Server, access: EmergencyAccess) -> JsonObject:
    """The Task that somebody looks at the access by the end of the next business day."""
    opened = moment(access.starts, server.zone)
    told = {"purposeOfUse": access.purpose, "reason": access.reason, "emergencyNature": access.nature, "recipientFacility": access.facility}
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "priority": "urgent",
        "code": {"coding": [REVIEW]},
        "for": {"reference": f"Patient/{access.client}"},
        "authoredOn": instant(access.starts),
        "restriction": {"period": {"start": opened.isoformat(timespec="seconds"), "end": review_due(opened).isoformat(timespec="seconds")}},
        "input": [
            {"type": {"text": "caller"}, "valueReference": {"reference": access.holder}},
            {"type": {"text": "accessId"}, "valueString": access.id},
            *({"type": {"text": name}, "valueString": value} for name, value in told.items()),
        ],
    }
